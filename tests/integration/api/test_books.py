"""A stranger's books, brought in by the API alone: every figure that comes out is what the books say, to the cent."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.db.rollups import Span
from tests.integration.api.programs import Program
from tests.integration.books import ADS, FIELDS, Books
from tests.integration.web.site import Site

ACCOUNT = {"name": "conta", "zone": "America/Sao_Paulo", "currency": "BRL"}


@pytest.fixture
def books(site: Site, program: Program, read_all: Callable[[], int]) -> Books:
    """Books of three weeks that a program has sent and a worker has read."""
    made = Books(seed=5)
    site.execute(
        "insert into channels (key, name, provider, secrets, zone) values ('loja-key-0123456789', 'loja', 'whapi', '',"
        " 'America/Sao_Paulo')"
    )
    assert program.ask("ad-accounts", method="POST", json=ACCOUNT).status_code == 201
    for _ in range(2):
        answer = program.json("spend", method="POST", json={"account": "conta", "data": made.spend})
    assert answer["verdicts"] == {"same": len(made.spend)}
    clicks = [{"channel": "loja", "contact": {"phone": row["phone"]}, **without(row, "phone")} for row in made.clicks]
    assert program.ask("touchpoints", method="POST", json={"data": clicks}).status_code == 202
    read_all()
    sales = [{"contact": {"phone": row["phone"]}, **without(row, "phone")} for row in made.sales]
    program.accepted(*sales)
    read_all()
    return made


def without(row: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in row.items() if key != name and value}


def pages(program: Program, path: str) -> list[dict[str, Any]]:
    """Every row of a list, page by page."""
    rows, cursor = [], ""
    while cursor is not None:
        answer = program.json(f"{path}&limit=20{cursor and f'&cursor={cursor}'}")
        rows += answer["data"]
        cursor = answer["next_cursor"]
    return rows


def test_every_figure_that_comes_out_is_what_the_books_say(books: Books, program: Program) -> None:
    spent = sum(Decimal(row["spend"]) for row in books.spend)
    for basis in ("conversion", "click"):
        asked = f"period=28d&basis={basis}"
        answer = program.json(f"funnel?{asked}")
        assert answer["zones"] == ["America/Sao_Paulo"]
        (block,) = answer["data"]
        figures = block["figures"]
        expected = books.expected(basis, span_of_answer(answer))
        assert (block["currency"], Decimal(figures["spend"])) == ("BRL", spent)
        assert figures["conversations"] == len(books.clicks)
        sums = {name: sum(one[name] for one in expected.values()) for name in (*FIELDS.values(), "gross")}
        assert {name: figures[name] for name in FIELDS.values()} == {name: sums[name] for name in FIELDS.values()}
        assert Decimal(figures["revenue"]) == sums["gross"]
        assert (figures["cpl"]["numerator"], figures["cpl"]["denominator"]) == (figures["spend"], sums["leads"])
        assert {step["step"]: step["count"] for step in block["steps"]}["qualified"] == sums["qualified"]
        rows = {row["id"]: row for row in pages(program, f"ads?level=ad&{asked}")}
        assert set(rows) == set(ADS)
        for ad, row in rows.items():
            assert Decimal(row["spend"]) == sum(Decimal(one["spend"]) for one in books.spend if one["ad_id"] == ad)
            assert Decimal(row["revenue"]) == expected[ad]["gross"]
            assert {name: row[name] for name in FIELDS.values()} == {n: expected[ad][n] for n in FIELDS.values()}
        days = pages(program, f"timeseries?{asked}")
        assert len(days) == 28
        assert sum(day["leads"] for day in days) == sums["leads"]
        assert sum(Decimal(day["revenue"]) for day in days) == sums["gross"]
        assert [day["spend"] for day in days if not day["spend_known"]] == [None] * 7
        assert sum(Decimal(day["spend"] or 0) for day in days) == spent
    listed = pages(program, "spend?period=28d&sort=date")
    assert [(row["date"], row["ad_id"], row["spend"]) for row in listed] == [
        (row["date"], row["ad_id"], row["spend"]) for row in books.spend
    ]
    assert {row["source"] for row in listed} == {"api"}


def span_of_answer(answer: dict[str, Any]) -> Any:
    """The days that an answer says it is of."""
    return Span(first=date.fromisoformat(answer["since"]), last=date.fromisoformat(answer["until"]))
