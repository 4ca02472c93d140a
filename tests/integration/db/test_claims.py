"""Claims over a real database: no two overlap, none starves, and a big backlog elsewhere costs them nothing."""

import re
import threading
import time
from uuid import uuid4

import psycopg
import pytest

from shared.db import claims, deliveries, webhooks
from shared.db.conversions import complete_with_clicks
from shared.domain.deliveries import EXPIRES_AFTER
from tests.integration.db.makers import add_channel, add_dataset, add_deliveries, add_webhooks, one

MANY = 50_000


def claim(conn, **changes):
    """One claim of deliveries, committed; its token, or None."""
    token = uuid4()
    dataset = claims.claim_deliveries(conn, token=token, lease_seconds=changes.get("lease_seconds", 60))
    conn.commit()
    return None if dataset is None else token


def claimed_ids(conn, token):
    return [delivery.id for delivery in claims.leased_deliveries(conn, token)]


def in_threads(count, work):
    """Runs `work(number)` in so many threads at once; re-raises what one of them raised."""
    errors = []
    start = threading.Barrier(count)

    def run(number):
        try:
            start.wait()
            work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_another_sender_is_wanted_only_while_it_could_claim_something(conn):
    channel = add_channel(conn)
    dataset = add_dataset(conn, "a", batch_max=2, in_flight_max=2)
    assert not claims.can_claim(conn)
    add_deliveries(conn, dataset, channel, 6)
    conn.commit()
    assert claims.can_claim(conn)
    first = claim(conn)
    assert claims.can_claim(conn)
    claim(conn)
    # Two more are due, and as much as may be is in flight: whoever sends that will look again.
    assert not claims.can_claim(conn)
    claims.release_deliveries(conn, first)
    assert claims.can_claim(conn)
    add_deliveries(conn, add_dataset(conn, "b"), channel, 1)
    claim(conn)
    assert claims.can_claim(conn)


def test_claimers_of_deliveries_at_once_never_hold_the_same_one_and_leave_none(conn, database_url):
    channel = add_channel(conn)
    for name in ("a", "b", "c"):
        add_deliveries(conn, add_dataset(conn, name, batch_max=7, in_flight_max=16), channel, 60)
    conn.commit()
    held = []

    def work(_):
        with psycopg.connect(database_url) as mine:
            deadline = time.monotonic() + 20
            while one(mine, "select count(*) from deliveries where state = 'pending'"):
                assert time.monotonic() < deadline
                token = claim(mine)
                if token is not None:
                    held.append(claimed_ids(mine, token))
                mine.commit()

    in_threads(4, work)
    everything = [one_id for ids in held for one_id in ids]
    assert len(everything) == len(set(everything)) == 180
    assert max(len(ids) for ids in held) <= 7


def test_claimers_of_webhooks_at_once_never_hold_the_same_one_and_leave_none(conn, database_url):
    for name in ("a", "b", "c"):
        add_webhooks(conn, add_channel(conn, name), 100)
    conn.commit()
    held = []

    def work(_):
        with psycopg.connect(database_url) as mine:
            while found := webhooks.claim_webhooks(mine, token=uuid4(), lease_seconds=60, limit=10, each=5):
                mine.commit()
                held.append([webhook.id for webhook in found])

    in_threads(4, work)
    everything = [one_id for ids in held for one_id in ids]
    assert len(everything) == len(set(everything))
    assert len(everything) == 300 - one(conn, "select count(*) from webhooks where state = 'new'")
    assert {len(ids) for ids in held} <= set(range(1, 11))


def test_a_dataset_with_enough_requests_in_flight_is_left_to_those(conn):
    dataset = add_dataset(conn, batch_max=1, in_flight_max=2)
    add_deliveries(conn, dataset, add_channel(conn), 5)
    conn.commit()
    assert [claim(conn) is not None for _ in range(4)] == [True, True, False, False]


def test_datasets_take_turns(conn):
    channel = add_channel(conn)
    for name in ("a", "b", "c"):
        add_deliveries(conn, add_dataset(conn, name, batch_max=1, in_flight_max=16), channel, 5)
    conn.commit()
    turns = [claims.claim_deliveries(conn, token=uuid4(), lease_seconds=60) for _ in range(1)]
    conn.commit()
    for _ in range(8):
        turns.append(claims.claim_deliveries(conn, token=uuid4(), lease_seconds=60))
        conn.commit()
    assert turns == turns[:3] * 3
    assert len(set(turns[:3])) == 3


def test_intake_that_is_storing_deliveries_of_a_dataset_does_not_hide_it_from_sending(conn, database_url):
    dataset = add_dataset(conn)
    channel = add_channel(conn)
    add_deliveries(conn, dataset, channel, 1)
    conn.commit()
    with psycopg.connect(database_url) as intake:
        add_deliveries(intake, dataset, channel, 1, prefix="more")
        assert claim(conn) is not None


def test_a_claim_that_is_not_committed_does_not_hold_up_intake(conn, database_url):
    dataset = add_dataset(conn)
    channel = add_channel(conn)
    add_deliveries(conn, dataset, channel, 1)
    conn.commit()
    assert claims.claim_deliveries(conn, token=uuid4(), lease_seconds=60) == dataset
    with psycopg.connect(database_url, options="-c lock_timeout=500") as intake:
        add_deliveries(intake, dataset, channel, 1, prefix="more")


def test_a_flooding_channel_leaves_room_for_a_calm_one(conn):
    flood, calm = add_channel(conn, "flood"), add_channel(conn, "calm")
    add_webhooks(conn, flood, 1000)
    add_webhooks(conn, calm, 3)
    found = webhooks.claim_webhooks(conn, token=uuid4(), lease_seconds=60, limit=200, each=25)
    sources = [webhook.source_id for webhook in found]
    assert (sources.count(flood), sources.count(calm)) == (25, 3)


def test_a_claim_of_webhooks_is_bounded_in_bytes_but_takes_one_at_least(conn):
    channel = add_channel(conn)
    add_webhooks(conn, channel, 5, body_bytes=3_000_000)
    add_webhooks(conn, channel, 1, body_bytes=60_000_000)
    sizes = []
    while found := webhooks.claim_webhooks(conn, token=uuid4(), lease_seconds=60, most_bytes=6_000_000):
        sizes.append(len(found))
    assert sizes == [2, 2, 1, 1]


def test_what_was_acknowledged_before_its_channel_was_disabled_is_still_read(conn):
    channel = add_channel(conn)
    add_webhooks(conn, channel, 1)
    conn.execute("update channels set enabled = false")
    assert len(webhooks.claim_webhooks(conn, token=uuid4(), lease_seconds=60)) == 1


def test_the_backlog_of_webhooks_counts_what_is_new_and_knows_the_oldest_of_any_channel(conn):
    flood, calm = add_channel(conn, "flood"), add_channel(conn, "calm")
    add_webhooks(conn, flood, 30)
    add_webhooks(conn, flood, 20, state="done", finished_at="now")
    add_webhooks(conn, calm, 1)
    conn.execute("update webhooks set received_at = now() - interval '50 seconds' where source_id = %s", [calm])
    backlog = webhooks.webhook_backlog(conn)
    assert backlog.waiting == 31
    assert 50 <= backlog.oldest_seconds < 60
    conn.execute(
        "update webhooks set crashes = 1, received_at = now() - interval '90 seconds' where source_id = %s", [calm]
    )
    backlog = webhooks.webhook_backlog(conn)
    assert (backlog.waiting, 90 <= backlog.oldest_seconds < 100) == (31, True)


@pytest.fixture
def crowded(conn):
    """A paused dataset's waiting deliveries, a year's finished ones and webhooks; and little that is due."""
    paused, active = add_dataset(conn, "paused", paused=True), add_dataset(conn, "active")
    flood, calm = add_channel(conn, "flood", dataset_id=paused), add_channel(conn, "calm", dataset_id=active)
    add_deliveries(conn, active, calm, 100)
    # A table that was analysed while it was empty is taken for empty still, and the trigger that counts deliveries
    # would look through all new ones for each conversion: 50,000 times 50,000.
    conn.commit()
    conn.execute("analyze conversions, deliveries")
    add_deliveries(conn, paused, flood, MANY)
    add_deliveries(conn, active, calm, MANY, prefix="old", state="accepted", accepted_at="now", finished_at="now")
    add_webhooks(conn, flood, MANY, state="done", finished_at="now", messages=1, automatic_events=0)
    add_webhooks(conn, calm, 10)
    conn.commit()
    conn.autocommit = True
    conn.execute("analyze")
    return conn


#: Every statement that runs all day, and what it says of this crowd.
STATEMENTS = {
    "claim deliveries": lambda conn: claims.claim_deliveries(conn, token=uuid4(), lease_seconds=60),
    "recover deliveries": claims.recover_deliveries,
    "resend unknown": deliveries.resend_unknown,
    "release dry runs": deliveries.release_dry_runs,
    "expire deliveries": lambda conn: deliveries.expire_deliveries(
        conn, older_than_seconds=EXPIRES_AFTER.total_seconds()
    ),
    "backlog of deliveries": deliveries.delivery_backlog,
    "release deliveries": lambda conn: claims.release_deliveries(conn, uuid4()),
    "claim webhooks": lambda conn: webhooks.claim_webhooks(conn, token=uuid4(), lease_seconds=60),
    "claim crashed webhooks": lambda conn: webhooks.claim_crashed_webhooks(conn, token=uuid4(), lease_seconds=60),
    "recover webhooks": webhooks.recover_webhooks,
    "backlog of webhooks": webhooks.webhook_backlog,
    "release webhooks": lambda conn: webhooks.release_webhooks(conn, uuid4()),
    "delete empty webhooks": lambda conn: webhooks.delete_empty(conn, older_than_hours=1),
    "complete touchpoints": lambda conn: complete_with_clicks(conn, {1: "hash"}),
}


def test_no_statement_that_runs_all_day_reads_a_crowded_table_from_end_to_end(crowded):
    plans = []
    crowded.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))
    crowded.execute("load 'auto_explain'")
    crowded.execute("set auto_explain.log_min_duration = 0")
    crowded.execute("set auto_explain.log_analyze = on")
    crowded.execute("set auto_explain.log_nested_statements = on")
    crowded.execute("set client_min_messages = log")
    slow = {}
    for name, statement in STATEMENTS.items():
        plans.clear()
        began = time.monotonic()
        statement(crowded)
        seconds = time.monotonic() - began
        assert plans
        read = [
            line.strip()
            for line in "\n".join(plans).splitlines()
            if (found := re.search(r"Seq Scan on (webhooks|deliveries|conversions).*actual rows=(\d+)", line))
            or (found := re.search(r"Rows Removed by Filter: (\d+)", line))
            if int(found.groups()[-1]) > 1000
        ]
        if read or seconds > 1:
            slow[name] = (seconds, read)
    assert slow == {}


def test_a_paused_datasets_backlog_is_neither_claimed_nor_counted(conn):
    channel = add_channel(conn)
    add_deliveries(conn, add_dataset(conn, "paused", paused=True), channel, 200)
    add_deliveries(conn, add_dataset(conn, "active"), channel, 100)
    conn.commit()
    assert deliveries.delivery_backlog(conn).waiting == 100
    tokens = [claim(conn), claim(conn)]
    assert sum(len(claimed_ids(conn, token)) for token in tokens) == 100
    assert deliveries.delivery_backlog(conn).waiting == 0
    assert claim(conn) is None
