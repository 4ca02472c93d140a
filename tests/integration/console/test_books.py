"""A business's own books, brought in by files: every figure is what the books say, to the cent."""

import csv
from decimal import Decimal

import pytest

from console.roi.ads import read_ads
from console.roi.overview import read_overview
from console.roi.question import Asked, span_of
from tests.integration.books import ADS, FIELDS, Books


def write(path, rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return str(path)


@pytest.fixture
def books(cli, world, tmp_path):
    """Brought in by commands, and read by intake."""
    made = Books(seed=5)
    cli("channels", "add", "loja", "--provider", "whapi", "--zone", "America/Sao_Paulo", "--workspace", "shop")
    cli("accounts", "add", "conta", "--currency", "BRL", "--zone", "America/Sao_Paulo", "--workspace", "shop")
    clicks, sales = write(tmp_path / "clicks.csv", made.clicks), write(tmp_path / "sales.csv", made.sales)
    cli("spend", "import", write(tmp_path / "spend.csv", made.spend), "--account", "conta", "--yes")
    cli("touchpoints", "import", clicks, "--workspace", "shop", "--channel", "loja", "--yes", "--no-wait")
    world.intake()
    for _ in range(2):
        cli("conversions", "import", sales, "--workspace", "shop", "--yes", "--no-wait")
        world.intake()
    return made


def test_every_figure_is_what_the_books_say(books, conn):
    for basis in ("conversion", "click"):
        asked = Asked(workspace="shop", span=span_of(books.today), basis=basis)
        expected = books.expected(basis, asked.span)
        (block,) = read_overview(conn, asked).blocks
        assert block.total.spend == sum(Decimal(row["spend"]) for row in books.spend)
        assert block.total.captured == len(books.clicks)
        for name in (*FIELDS.values(), "gross"):
            assert getattr(block.total, name) == sum(one[name] for one in expected.values())
        (table,) = read_ads(conn, asked, "ad").tables
        assert {row.id for row in table.rows} == set(ADS)
        for row in table.rows:
            assert row.sums.spend == sum(Decimal(one["spend"]) for one in books.spend if one["ad_id"] == row.id)
            for name in (*FIELDS.values(), "gross"):
                assert getattr(row.sums, name) == expected[row.id][name]
