import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cli.render import iso, money, plain, print_json, print_table


def test_values_are_one_safe_line() -> None:
    assert plain(None) == plain("") == "-"
    assert (plain(True), plain(False), plain(0)) == ("yes", "no", "0")
    assert plain("a\nb\x1b[31m\x9b\u202ec\ud800") == "a b [31m  c "
    assert plain(datetime(2026, 11, 22, 14, 0, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-22T12:00:00Z"
    assert money(Decimal("1E+3"), "EUR") == "1000 EUR"
    assert money(None, None) == "-"


def test_json_holds_times_money_and_ids_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {
            "at": datetime(2026, 11, 22, tzinfo=UTC),
            "value": Decimal("10.50"),
            "id": UUID(int=7),
            "pair": ("á", None),
        }
    )
    assert json.loads(capsys.readouterr().out) == {
        "at": "2026-11-22T00:00:00Z",
        "value": "10.50",
        "id": "00000000-0000-0000-0000-000000000007",
        "pair": ["á", None],
    }
    with pytest.raises(TypeError):
        print_json({"odd": object()})


@given(st.text())
def test_whatever_came_in_goes_through_json_unchanged_and_harmless(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("console.cli.render.click.echo", printed.append)
        print_json([text])
    assert json.loads(printed[0]) == [text]
    printed[0].encode("utf-8")
    assert not any(character in printed[0] for character in "\x1b\x9b\u202e\u2028\x7f")


def test_a_table_in_a_pipe_is_neither_folded_nor_coloured(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "NAME"), [(1, "n" * 300), (2, "[bold]x[/bold]")], empty="nothing")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["1", "n" * 300]
    assert "[bold]x[/bold]" in lines[2]
    print_table(("ID",), [], empty="nothing")
    assert capsys.readouterr().out == "nothing\n"


def test_a_time_is_printed_in_utc() -> None:
    assert iso(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-01T00:00:00Z"
