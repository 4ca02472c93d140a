"""Random histories of ads and sales, and the same figures counted row by row: what the statements are held against."""

import random
import uuid
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row

from shared.db.rollups import Span
from shared.domain.attribution import message_time
from shared.domain.revenue import Change, revenue
from tests.integration.db.makers import add_channel, one

FIRST, LAST = date(2026, 10, 18), date(2026, 11, 10)
ZONES = ("UTC", "America/Sao_Paulo", "Asia/Kathmandu", "America/New_York")
EVENTS = ("Lead", "QualifiedLead", "Purchase")
KEY = (
    "day", "basis", "model", "channel_id", "ad_id", "class", "placement", "event_name", "currency", "is_test",
)  # fmt: skip
CHANGE = ("kind", "value", "currency", "occurred_at")
SUMS = ("events", "gross", "refunds", "cost", "costed", "uncosted")


class Rows:
    """Random rows, put into the tables one statement at a time, as intake would."""

    def __init__(self, conn, seed):
        self.conn = conn
        self.random = random.Random(seed)
        self.channels = [add_channel(conn, name) for name in ("sales", "support")]
        self.contacts = []

    def moment(self):
        # The clocks of New York go back on 1 November 2026, and days in Kathmandu begin at a quarter past.
        start = datetime(2026, 10, 20, tzinfo=UTC)
        return start + timedelta(minutes=self.random.randrange(20 * 24 * 60))

    def contact(self):
        if not self.contacts or self.random.random() < 0.4:
            self.contacts.append(one(self.conn, "insert into contacts (workspace) values ('default') returning id"))
        return self.random.choice(self.contacts)

    def message(self, contact, message_class, moment):
        return one(
            self.conn,
            "insert into messages (channel_id, message_id, contact_id, class, sent_at, received_at, webhook_id,"
            " webhook_received_at, is_test) values (%s, %s, %s, %s, %s, %s, gen_random_uuid(), now(), %s) returning id",
            self.random.choice(self.channels), uuid.uuid4().hex, contact, message_class,
            self.random.choice([None, moment - timedelta(hours=30), moment + timedelta(minutes=2)]), moment,
            self.random.random() < 0.1,
        )  # fmt: skip

    def touchpoint(self):
        contact, moment = self.contact(), self.moment()
        message_class = self.random.choice(["ad", "ad", "ad_without_click_id", "post"])
        message = self.message(contact, message_class, moment)
        touchpoint = one(
            self.conn,
            "insert into touchpoints (message_id, contact_id, channel_id, class, click_id, click_hash, ad_id,"
            " source_app, occurred_at, is_test) select id, contact_id, channel_id, class, %s, %s, %s, %s, %s, is_test"
            " from messages where id = %s returning id",
            *([uuid.uuid4().hex] * 2 if message_class == "ad" else [None, None]),
            self.random.choice(["1", "2", None]), self.random.choice(["facebook", "instagram", None]), moment, message,
        )  # fmt: skip
        if message_class != "post":
            self.conn.execute("insert into first_touches values (%s, %s) on conflict do nothing", [contact, touchpoint])

    def conversion(self):
        contact, moment = self.contact(), self.moment()
        event = self.random.choice(EVENTS)
        value = Decimal(self.random.randrange(0, 50000)) / 100 if event == "Purchase" else None
        self.conn.execute(
            "insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, value, currency,"
            " source, touchpoint_id, attribution, business_key, is_test, cost)"
            " values (gen_random_uuid(), 'default', %(contact)s, %(channel)s, %(event)s, %(at)s, %(value)s,"
            " %(currency)s, %(source)s, (select id from touchpoints where contact_id = %(contact)s"
            " and occurred_at <= %(at)s and class <> 'post' order by occurred_at desc limit 1), 'x', %(key)s, %(test)s,"
            " %(cost)s)",
            {
                "contact": contact, "channel": self.random.choice([*self.channels, None]), "event": event, "at": moment,
                "value": value, "currency": self.random.choice(["BRL", "USD"]) if value is not None else None,
                "source": self.random.choice(["api", "csv", "meta_automatic"]), "key": uuid.uuid4().hex,
                "test": self.random.random() < 0.1,
                "cost": Decimal(7) if value is not None and self.random.random() < 0.5 else None,
            },
        )  # fmt: skip

    def change(self):
        kind = self.random.choice(["amendment", "refund", "refund", "cancellation"])
        partial = kind in ("amendment", "refund") or self.random.random() < 0.5
        self.conn.execute(
            "insert into conversion_changes (id, conversion_id, kind, value, currency, occurred_at, source,"
            " business_key) select gen_random_uuid(), id, %s, %s, coalesce(%s, currency), occurred_at"
            " + %s * interval '1 second', 'api', %s from conversions where value is not null"
            " order by md5(id::text || %s) limit 1",
            [
                kind,
                Decimal(self.random.randrange(0, 30000)) / 100 if partial else None,
                self.random.choice([None, None, "EUR"]),
                self.random.randrange(10**6),
                uuid.uuid4().hex,
                str(self.random.random()),
            ],
        )

    def organic(self):
        self.message(self.contact(), "organic", self.moment())

    def announced_twice(self):
        """A message that came without its ad block first."""
        row = self.conn.execute(
            "update messages set class = 'ad' where id = (select id from messages where class = 'organic'"
            " order by md5(id::text || %s) limit 1) returning id, least(coalesce(sent_at, received_at), received_at)",
            [str(self.random.random())],
        ).fetchone()
        if row is not None:
            self.conn.execute(
                "insert into touchpoints (message_id, contact_id, channel_id, class, click_id, click_hash, occurred_at,"
                " is_test) select id, contact_id, channel_id, class, 'c', 'c', %s, is_test from messages where id = %s",
                [row[1], row[0]],
            )

    def reattribute(self):
        self.conn.execute(
            "update conversions c set touchpoint_id = (select id from touchpoints t where t.contact_id = c.contact_id"
            " order by t.occurred_at limit 1) where id = (select id from conversions order by md5(id::text || %s)"
            " limit 1)",
            [str(self.random.random())],
        )

    def merge(self):
        roots = [
            contact for (contact,) in self.conn.execute("select id from contacts where merged_into is null").fetchall()
        ]
        if len(roots) < 2:
            return
        stays, goes = sorted(self.random.sample(roots, 2))
        self.conn.execute("update contacts set merged_into = %s where id = %s or merged_into = %s", [stays, goes, goes])

    def complete(self):
        self.conn.execute(
            "update touchpoints set click_id = 'late', click_hash = 'late', class = 'ad' where id ="
            " (select id from touchpoints where class = 'ad_without_click_id' limit 1)"
        )

    def arrive(self, count):
        """So many new rows, and none that changes."""
        for _ in range(count):
            self.random.choice([self.touchpoint, self.conversion, self.organic])()

    def happen(self, count):
        steps = [
            *[self.touchpoint] * 6, *[self.conversion] * 8, *[self.change] * 3, *[self.organic] * 4,
            self.announced_twice, self.reattribute, self.merge, self.complete,
        ]  # fmt: skip
        for _ in range(count):
            self.random.choice(steps)()


def by_hand(conn, zone):
    """The same figures, counted row by row in Python."""
    tables = {}
    with conn.cursor(row_factory=dict_row) as cursor:
        for table in ("contacts", "messages", "touchpoints", "conversions", "conversion_changes", "first_touches"):
            tables[table] = cursor.execute(f"select * from {table}").fetchall()
    root = {row["id"]: row["merged_into"] or row["id"] for row in tables["contacts"]}
    touchpoints = {row["id"]: row for row in tables["touchpoints"]}
    sums = defaultdict(lambda: dict.fromkeys(SUMS, 0))

    def day(moment):
        return moment.astimezone(ZoneInfo(zone)).date()

    def written(message):
        return message_time(message["sent_at"], message["received_at"])

    def count(on, basis, model, channel, touch, event, row, *, gross=0, refunds=0, cost=None, message_class=None):
        key = (
            on, basis, model, channel or 0, (touch or {}).get("ad_id") or "",
            message_class or (touch or {}).get("class") or "none", (touch or {}).get("source_app") or "", event,
            row.get("currency") or "", row["is_test"],
        )  # fmt: skip
        sums[key]["events"] += 1
        sums[key]["gross"] += gross
        sums[key]["refunds"] += refunds
        sums[key]["cost"] += cost or 0
        sums[key]["costed"] += cost is not None
        sums[key]["uncosted"] += gross - refunds if cost is None else 0

    for touch in touchpoints.values():
        count(day(touch["occurred_at"]), "click", "last", touch["channel_id"], touch, "conversation", touch)
    for message in tables["messages"]:
        same = [one for one in tables["messages"] if one["contact_id"] == message["contact_id"]]
        first = min(same, key=lambda one: (written(one), one["id"]))
        if first is message and message["class"] == "organic":
            count(
                day(written(message)), "click", "last", message["channel_id"], None, "conversation",
                {"is_test": message["is_test"]}, message_class="organic",
            )  # fmt: skip
    firsts = defaultdict(list)
    for row in tables["first_touches"]:
        firsts[root[row["contact_id"]]].append(touchpoints[row["touchpoint_id"]])
    for row in tables["conversions"]:
        changes = [one for one in tables["conversion_changes"] if one["conversion_id"] == row["id"]]
        worth = revenue(
            row["value"], row["currency"], [Change(**{name: one[name] for name in CHANGE}) for one in changes]
        )
        gross, net = (worth.gross, worth.net) if worth else (0, 0)
        refunds = gross - net
        event = ("meta:" if row["source"] == "meta_automatic" else "") + row["event_name"]
        last = touchpoints.get(row["touchpoint_id"])
        ordered = sorted(firsts[root[row["contact_id"]]], key=lambda one: (one["occurred_at"], one["id"]))
        first = (ordered[0] if ordered else last) if last else None
        for model, touch in (("last", last), ("first", first)):
            for basis, moment in (
                ("conversion", row["occurred_at"]),
                ("click", touch["occurred_at"] if touch else row["occurred_at"]),
            ):
                count(
                    day(moment), basis, model, row["channel_id"], touch, event, row, gross=gross, refunds=refunds,
                    cost=row["cost"],
                )  # fmt: skip
    return {key: values for key, values in sums.items() if FIRST <= key[0] <= LAST}


WHOLE = Span(first=FIRST, last=LAST)
