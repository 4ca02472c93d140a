"""A business's own books: clicks, sales and spend as it would export them, and what every figure of them is."""

import random
from collections import Counter, defaultdict
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

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
