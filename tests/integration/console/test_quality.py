"""Data quality over a random history: every figure is what counting the rows one by one says."""

import uuid
from collections import Counter, defaultdict
from datetime import timedelta
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from psycopg.rows import dict_row

from console.roi.overview import read_overview
from console.roi.quality import read_quality
from console.roi.question import Asked
from shared.domain.deliveries import EXPIRES_AFTER
from tests.integration.console.test_roi import ZONE, add_account, spend_of
from tests.integration.db.makers import add_dataset
from tests.integration.db.roi_rows import FIRST, LAST, WHOLE, Rows

SAO_PAULO = ZoneInfo(ZONE["BRL"])


@pytest.fixture
def history(conn):
    """A random history whose rows also came late, twice, from Meta as well, and of people without a number."""
    rows = Rows(conn, 5)
    rows.happen(260)
    pick = rows.random
    account = add_account(conn, "brazil", "BRL", ["1", "2"])
    spend_of(conn, account, [("1", FIRST + timedelta(days=n), 10) for n in range(15)])
    dataset = add_dataset(conn)
    for (contact,) in conn.execute("select id from contacts").fetchall():
        kind = pick.choice(["phone", "phone", "bsuid"])
        conn.execute(
            "insert into contact_identities (contact_id, workspace, kind, hash_key, hash) values (%s, 'default', %s,"
            " 'k', %s)",
            [contact, kind, uuid.uuid4().bytes],
        )
        if pick.random() < 0.1:
            conn.execute("update contacts set erased_at = now() where id = %s", [contact])
    for conversion, at in conn.execute("select id, occurred_at from conversions").fetchall():
        came = at + pick.choice([timedelta(), timedelta(hours=23), timedelta(hours=30), timedelta(days=9)])
        conn.execute("update conversions set created_at = %s where id = %s", [came, conversion])
        state, reason = pick.choice([("accepted", None), ("skipped", "duplicate"), ("skipped", "consent")])
        conn.execute(
            "insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, state,"
            " reason, accepted_at, finished_at, created_at, is_test) select id, %s, event_name, business_key, 'x',"
            " occurred_at, %s, %s, case when %s = 'accepted' then created_at end, created_at, created_at, is_test"
            " from conversions where id = %s",
            [dataset, state, reason, state, conversion],
        )
    for number in range(60):
        at = rows.moment()
        conn.execute(
            "insert into webhooks (id, received_at, source, source_id, method, headers, body, body_bytes, state,"
            " messages, automatic_events, duplicates, finished_at) values (gen_random_uuid(), %s, 'channel', %s,"
            " 'POST', '{}', '', 1, 'done', 3, 0, %s, now())",
            [at, pick.choice(rows.channels), number % 3],
        )
        conn.execute(
            "insert into submissions (id, workspace, kind, source, webhook_id, webhook_received_at, state, created_at,"
            " is_test) values (gen_random_uuid(), 'default', 'conversion', 'api', gen_random_uuid(), now(), %s, %s,"
            " %s)",
            [pick.choice(["stored", "duplicate"]), at, pick.random() < 0.2],
        )
    return conn


def table(conn, name):
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"select * from {name}").fetchall()


@pytest.mark.parametrize("narrowed", [False, True])
@pytest.mark.parametrize("test", [False, True])
def test_every_figure_is_what_counting_the_rows_says(history, narrowed, test):
    channels = sorted({row["channel_id"] for row in table(history, "touchpoints")})
    asked = Asked(workspace="default", span=WHOLE, channel_ids=channels[:1] if narrowed else (), test=test)
    found = read_quality(history, asked)

    def fits(row, moment, channel="channel_id"):
        day = row[moment].astimezone(SAO_PAULO).date()
        ours = not narrowed or row.get(channel) == channels[0]
        return FIRST <= day <= LAST and ours and (test or not row.get("is_test"))

    clicks = [row for row in table(history, "touchpoints") if fits(row, "occurred_at") and row["class"] != "post"]
    assert found.total.captured == len(clicks)
    assert found.total.with_click_id == sum(row["class"] == "ad" for row in clicks)
    assert {day: sums.captured for day, sums in found.days.items() if sums.captured} == Counter(
        row["occurred_at"].astimezone(SAO_PAULO).date() for row in clicks
    )
    assert {channel: sums.captured for channel, sums in found.channels.items()} == Counter(
        row["channel_id"] for row in clicks
    )
    assert found.total.conversations_reported == (None if narrowed else 2 * 15)
    assert found.gaps == [FIRST + timedelta(days=n) for n in range(15, (LAST - FIRST).days + 1)]

    conversions = table(history, "conversions")
    late = defaultdict(list)
    for row in conversions:
        if fits(row, "created_at") and row["created_at"] - row["occurred_at"] > timedelta(days=1):
            late[row["source"]].append(row["created_at"] - row["occurred_at"])
    assert {one.source: (one.count, one.median, one.too_late) for one in found.late} == {
        source: (len(ages), median(ages), sum(age > EXPIRES_AFTER for age in ages)) for source, ages in late.items()
    }

    by_id = {row["id"]: row for row in conversions}
    deliveries = table(history, "deliveries")
    duplicates = [row for row in deliveries if row["reason"] == "duplicate"]
    assert found.duplicates.events == sum(
        fits({**by_id[row["conversion_id"]], "at": row["created_at"]}, "at") for row in duplicates
    )
    assert found.duplicates.messages == sum(
        row["duplicates"] for row in table(history, "webhooks") if fits(row, "received_at", "source_id")
    )
    repeated = [row for row in table(history, "submissions") if row["state"] == "duplicate"]
    assert found.duplicates.reports == (0 if narrowed else sum(fits(row, "created_at") for row in repeated))

    sent = {row["conversion_id"] for row in deliveries if row["state"] == "accepted"}
    overlap = defaultdict(lambda: [0, 0, 0])
    for row in conversions:
        if row["source"] == "meta_automatic" and fits(row, "occurred_at"):
            same = [
                one["id"]
                for one in conversions
                if one["touchpoint_id"] == row["touchpoint_id"] is not None
                and (one["event_name"], one["source"] != "meta_automatic") == (row["event_name"], True)
            ]
            counted = overlap[row["event_name"]]
            for place, more in enumerate((True, bool(same), bool(sent & set(same)))):
                counted[place] += more
    assert {one.event_name: [one.detected, one.ours_too, one.sent_too] for one in found.automatic} == overlap

    contacts = {row["id"]: row for row in table(history, "contacts")}
    root = {number: row["merged_into"] or number for number, row in contacts.items()}
    named = {root[row["contact_id"]] for row in table(history, "contact_identities") if row["kind"] == "phone"}
    people = {root[row["contact_id"]] for row in clicks if contacts[row["contact_id"]]["erased_at"] is None}
    assert (found.phoneless.people, found.phoneless.without_phone) == (len(people), len(people - named))
    assert found.phoneless.newest == sorted(people - named, reverse=True)[:8]


def test_conversations_are_those_of_the_overview(history):
    asked = Asked(workspace="default", span=WHOLE)
    (block,) = read_overview(history, asked).blocks
    found = read_quality(history, asked)
    for name in ("captured", "with_click_id", "conversations_reported"):
        assert getattr(found.total, name) == getattr(block.total, name)
        assert getattr(found.before, name) == getattr(block.before, name)


def test_an_empty_workspace_has_nothing_to_show_and_nothing_wrong(conn):
    found = read_quality(conn, Asked(workspace="nowhere", span=WHOLE))
    assert found.empty
    assert (found.late, found.automatic, found.failing, found.duplicates.all) == ([], [], [], 0)
    assert found.phoneless.people == 0
