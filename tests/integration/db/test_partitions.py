"""Days of webhooks: made ahead, dropped whole, and never with anything unfinished in them."""

import dataclasses
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from shared.db import webhooks
from tests.integration.db.makers import add_channel, add_webhooks, one
from workers import upkeep

TODAY = datetime.now(UTC).date()


def partitions(conn):
    rows = conn.execute(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = 'webhooks'::regclass order by 1"
    ).fetchall()
    return [name for (name,) in rows]


def name_of(day):
    return f"webhooks_{day:%Y%m%d}"


def make_day(conn, days_ago):
    """A day of webhooks in the past; its name."""
    day = TODAY - timedelta(days=days_ago)
    conn.execute("select make_webhook_days(%s, 1)", [day])
    return name_of(day)


def stored_in(conn, state):
    return [name for (name,) in conn.execute("select tableoid::regclass::text from webhooks where state = %s", [state])]


def add_old(conn, days_ago, state="done", **columns):
    finished = {"finished_at": "now"} if state in ("done", "rejected") else {}
    reason = {"reason": "x"} if state == "rejected" else {}
    lease = {"lease_token": "00000000-0000-7000-8000-000000000000", "lease_until": "now"} if state == "claimed" else {}
    conn.execute("delete from channels")
    add_webhooks(conn, add_channel(conn), 1, state=state, **finished, **reason, **lease, **columns)
    conn.execute(
        "update webhooks set received_at = received_at - make_interval(days => %s) where state = %s"
        " and received_at > now() - interval '1 hour'",
        [days_ago, state],
    )


def test_the_next_days_exist_from_the_start_and_making_them_again_changes_nothing(conn):
    before = partitions(conn)
    assert {name_of(TODAY + timedelta(days=n)) for n in range(8)} <= set(before)
    assert webhooks.make_days(conn) == 0
    assert partitions(conn) == before


def test_missing_days_are_made_with_utc_midnights_whatever_the_sessions_time_zone(conn):
    conn.execute("set timezone = 'America/Sao_Paulo'")
    assert webhooks.make_days(conn, ahead=12) > 0
    day = TODAY + timedelta(days=11)
    conn.execute("set timezone = 'UTC'")
    bounds = one(conn, "select pg_get_expr(relpartbound, oid) from pg_class where relname = %s", name_of(day))
    assert f"FROM ('{day} 00:00:00+00') TO ('{day + timedelta(days=1)} 00:00:00+00')" in bounds


@pytest.mark.parametrize("day", ["2028-02-28", "2026-12-31", "2026-03-28"])
def test_days_follow_on_each_other_over_months_years_and_changes_of_the_clock(conn, day):
    conn.execute("set timezone = 'Europe/Lisbon'")
    conn.execute("select make_webhook_days(%s, 3)", [day])
    made = [name for name in partitions(conn) if name >= f"webhooks_{day.replace('-', '')}"][:3]
    assert len(made) == 3


def test_a_webhook_of_a_day_without_a_partition_is_stored_all_the_same_and_stays_where_it_is(conn):
    add_old(conn, 100)
    assert stored_in(conn, "done") == ["webhooks_default"]
    conn.execute("select make_webhook_days(%s, 1)", [TODAY - timedelta(days=100)])
    assert name_of(TODAY - timedelta(days=100)) not in partitions(conn)
    conn.execute("select make_webhook_days(%s, 1)", [TODAY - timedelta(days=101)])
    assert name_of(TODAY - timedelta(days=101)) in partitions(conn)


@pytest.mark.parametrize(("state", "dropped"), [("done", True), ("rejected", True), ("new", False), ("claimed", False)])
def test_a_day_is_dropped_only_when_all_of_it_is_finished(conn, state, dropped):
    day = make_day(conn, 40)
    add_old(conn, 40, state)
    assert stored_in(conn, state) == [day]
    assert webhooks.drop_days(conn, keep_days=30) == ([day] if dropped else [])
    assert (day in partitions(conn)) is not dropped


def test_a_webhook_that_crashed_intake_keeps_its_day(conn):
    day = make_day(conn, 40)
    add_old(conn, 40, "new", crashes=2)
    assert webhooks.drop_days(conn, keep_days=30) == []
    assert day in partitions(conn)


def test_days_within_the_time_they_are_kept_stay(conn):
    days = [make_day(conn, age) for age in (30, 31)]
    assert webhooks.drop_days(conn, keep_days=30) == [days[1]]


def test_a_webhook_that_comes_while_its_day_is_being_dropped_is_not_lost(conn, database_url):
    make_day(conn, 40)
    conn.commit()
    done = threading.Event()

    def store_late():
        with psycopg.connect(database_url) as late:
            add_old(late, 40, "new")
        done.set()

    webhooks.drop_days(conn, keep_days=30)
    thread = threading.Thread(target=store_late)
    thread.start()
    deadline = time.monotonic() + 10
    while not one(conn, "select count(*) from pg_locks where not granted") and not done.is_set():
        assert time.monotonic() < deadline
    conn.commit()
    thread.join()
    assert stored_in(conn, "new") == ["webhooks_default"]


def test_messages_outlive_the_day_of_their_webhook(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel)
    world.intake()
    with psycopg.connect(world.url) as conn:
        conn.execute(f"drop table {name_of(TODAY)}")
    (message,) = world.rows("select webhook_id, webhook_received_at from messages")
    assert message["webhook_id"] is not None
    world.send()
    assert world.states() == ["accepted"]


def test_upkeep_makes_drops_and_deletes_and_says_what(world):
    with psycopg.connect(world.url) as conn:
        day = make_day(conn, 40)
        add_old(conn, 40)
        add_old(conn, 50)
        add_old(conn, 51, "new")
        add_old(conn, 2, messages=0, automatic_events=0)
        conn.execute("update webhooks set finished_at = now() - interval '13 hours' where messages = 0")
        conn.execute(f"drop table {name_of(TODAY + timedelta(days=7))}")
    done = upkeep.prune(world.runtime)
    assert {what: count for what, count in done.items() if count} == {
        "days_made": 1,
        "days_dropped": 1,
        "stranded_webhooks_deleted": 1,
        "empty_webhooks_deleted": 1,
    }
    with psycopg.connect(world.url) as conn:
        assert day not in partitions(conn)
    assert [row["state"] for row in world.rows("select state from webhooks")] == ["new"]


def test_upkeep_stops_between_batches_when_its_process_does(world):
    runtime = dataclasses.replace(world.runtime, stopping=threading.Event())
    runtime.stopping.set()
    with psycopg.connect(world.url) as conn:
        add_old(conn, 50)
    assert upkeep.prune(runtime)["stranded_webhooks_deleted"] == 0
