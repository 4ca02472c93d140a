"""A business's own books, brought in by files: every figure is what the books say, to the cent."""

import csv
import random
from collections import Counter, defaultdict
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from console.roi.ads import read_ads
from console.roi.overview import read_overview
from console.roi.question import Asked, span_of

ZONE = ZoneInfo("America/Sao_Paulo")
ADS = ("9001", "9002", "9003")
FIELDS = {"Lead": "leads", "QualifiedLead": "qualified", "Purchase": "purchases"}


class Books:
    """Clicks, sales and spend of three weeks, as a shop and its ad account would export them."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.today = datetime.now(ZONE).date()
        self.clicks, self.sales, self.spend = [], [], []
        for ago in range(21, 0, -1):
            day = self.today - timedelta(days=ago)
            for ad in ADS:
                amount = f"{self.random.uniform(5, 40):.2f}"
                self.spend.append({"date": day.isoformat(), "ad_id": ad, "spend": amount, "currency": "BRL"})
                for _ in range(self.random.randrange(3)):
                    self._chat(ad, datetime.combine(day, time(self.random.randrange(24), 5), ZONE))

    def _chat(self, ad, at):
        number = len(self.clicks) + 1
        phone = f"+1555010{number:04d}"
        self.clicks.append({"phone": phone, "occurred_at": at.isoformat(), "external_id": str(number), "ad_id": ad})
        self._event(phone, "Lead", at + timedelta(minutes=1), f"L{number}")
        if self.random.random() < 0.6:
            qualified = at + timedelta(hours=self.random.uniform(1, 60))
            self._event(phone, "QualifiedLead", qualified, f"Q{number}")
            if self.random.random() < 0.7:
                bought = qualified + timedelta(hours=self.random.uniform(1, 90))
                self._event(phone, "Purchase", bought, f"P{number}", f"{self.random.uniform(20, 900):.2f}")

    def _event(self, phone, name, at, order, value=""):
        if at < datetime.now(ZONE):
            self.sales.append(
                {
                    "phone": phone, "event_name": name, "occurred_at": at.isoformat(), "value": value,
                    "currency": "BRL" if value else "", "order_id": order,
                }
            )  # fmt: skip

    def expected(self, basis, span):
        """Counts and revenue of each ad."""
        clicks = {row["phone"]: row for row in self.clicks}
        found = defaultdict(Counter)
        for row in self.sales:
            click = clicks[row["phone"]]
            at = datetime.fromisoformat(row["occurred_at"] if basis == "conversion" else click["occurred_at"])
            if span.first <= at.date() <= span.last:
                found[click["ad_id"]][FIELDS[row["event_name"]]] += 1
                found[click["ad_id"]]["gross"] += Decimal(row["value"] or 0)
        return found


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
