"""The sweeper over a real database: it works without Redis, one at a time, and survives what its steps run into."""

import dataclasses
import threading
import time
from uuid import uuid4

import psycopg
import pytest

from shared.db import claims, webhooks
from shared.db.alert_routes import Target, insert_route, seal_target
from shared.db.claims import claim_deliveries
from shared.queue import Bell, Work, make_publisher, make_redis
from workers import intake, sweeper
from workers.sweeper import Sweeper


def with_settings(world, **changes):
    """The same world with other settings, for sweepers."""
    world.runtime = dataclasses.replace(world.runtime, settings=dataclasses.replace(world.runtime.settings, **changes))
    return world


@pytest.fixture
def hasty(world):
    """A world whose sweepers sweep all the time and take leases back at once."""
    return with_settings(world, sweep_seconds=0.05, sweep_grace_seconds=0.0)


def without_redis(world):
    redis, publisher = make_redis("redis://127.0.0.1:1/0"), make_publisher("redis://127.0.0.1:1/0")
    world.runtime = dataclasses.replace(world.runtime, bell=Bell(redis, publisher))


class Running:
    """A sweeper in a thread, with a stop of its own."""

    def __init__(self, world):
        self.stopping = threading.Event()
        self.sweeper = Sweeper(dataclasses.replace(world.runtime, stopping=self.stopping))
        self.thread = threading.Thread(target=self.sweeper.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(timeout=30)
        assert not self.thread.is_alive()

    @property
    def in_charge(self):
        return self.sweeper._lock_connection is not None and self.sweeper._in_charge_since > 0


def wait_for(condition, *, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def expire_leases(world):
    for table in ("webhooks", "deliveries"):
        world.execute(f"update {table} set lease_until = now() - interval '1 second' where lease_until is not null")


def test_without_redis_a_webhook_becomes_an_accepted_event_all_the_same(hasty):
    without_redis(hasty)
    channel = hasty.add_channel(dataset_id=hasty.add_dataset())
    hasty.receive_sample(channel)
    with Running(hasty):
        wait_for(lambda: hasty.states() == ["accepted"])
        wait_for(lambda: hasty.rows("select beat_at from heartbeats where process = 'sweeper'"))


def test_with_redis_it_rings_and_leaves_the_work_to_the_workers(hasty, valkey_url):
    hasty.receive_sample(hasty.add_channel(dataset_id=hasty.add_dataset()))
    Sweeper(hasty.runtime).sweep()
    redis = make_redis(valkey_url)
    assert redis.llen(Work.INTAKE.value) == 1
    assert hasty.deliveries() == []
    redis.close()


def test_work_that_was_rung_for_in_vain_it_does_itself(hasty, monkeypatch):
    hasty.receive_sample(hasty.add_channel(dataset_id=hasty.add_dataset()))
    monkeypatch.setattr(sweeper, "IMPATIENT_SECONDS", 0.0)
    Sweeper(hasty.runtime).sweep()
    assert hasty.states() == ["accepted"]


def test_once_told_to_stop_it_begins_nothing_more(hasty, monkeypatch):
    without_redis(hasty)
    hasty.receive_sample(hasty.add_channel(dataset_id=hasty.add_dataset()))
    monkeypatch.setattr(sweeper.deliveries, "expire_deliveries", lambda *_, **__: hasty.runtime.stopping.set())
    Sweeper(hasty.runtime).sweep()
    assert intake.drain(hasty.runtime) == 0
    assert [row["state"] for row in hasty.rows("select state from webhooks")] == ["new"]


def test_one_sweeper_is_in_charge_and_another_takes_over_when_its_connection_dies(hasty):
    with Running(hasty) as first:
        wait_for(lambda: first.in_charge)
        with Running(hasty) as second:
            beat = "select beat_at from heartbeats"
            wait_for(lambda: hasty.rows(beat))
            began = hasty.rows(beat)
            wait_for(lambda: hasty.rows(beat) != began)
            assert not second.in_charge
            first.stopping.set()
            wait_for(lambda: second.in_charge)
        assert not first.in_charge


def test_a_lock_whose_connection_was_cut_is_taken_again_by_one_and_only_one(hasty):
    with Running(hasty) as first, Running(hasty) as second:
        wait_for(lambda: first.in_charge or second.in_charge)
        killed = hasty.rows(
            "select pg_terminate_backend(pid), pid from pg_stat_activity where application_name = 'ctwa-sweeper-lock'"
            " and pid in (select pid from pg_locks where locktype = 'advisory')"
        )
        assert len(killed) == 1

        def taken_anew():
            holders = hasty.rows("select pid from pg_locks where locktype = 'advisory' and granted")
            return holders and holders[0]["pid"] != killed[0]["pid"]

        wait_for(taken_anew)
        wait_for(lambda: first.in_charge != second.in_charge)


def test_leases_that_ran_out_are_left_alone_for_a_while_after_a_reconnect(world):
    with_settings(world, sweep_seconds=0.05, sweep_grace_seconds=1.0)
    world.receive_sample(world.add_channel(dataset_id=world.add_dataset()))
    with world.runtime.pool.connection() as conn:
        webhooks.claim_webhooks(conn, token=uuid4(), lease_seconds=60)
    expire_leases(world)
    began = time.monotonic()
    with Running(world):
        wait_for(lambda: world.rows("select 1 from webhooks where crashes = 1"))
    assert time.monotonic() - began >= 1.0


def test_what_dead_processes_held_is_taken_back_and_done(hasty):
    without_redis(hasty)
    channel = hasty.add_channel(dataset_id=hasty.add_dataset())
    hasty.receive_ads(channel, 2)
    hasty.intake()
    hasty.receive_sample(channel, phone="15550109999")
    with hasty.runtime.pool.connection() as conn:
        webhooks.claim_webhooks(conn, token=uuid4(), lease_seconds=60)
        claim_deliveries(conn, token=uuid4(), lease_seconds=60)
    expire_leases(hasty)
    with Running(hasty):
        wait_for(lambda: hasty.states() == ["accepted"] * 3)


def test_a_postgres_that_is_away_is_waited_for(hasty, database_url):
    without_redis(hasty)
    hasty.receive_sample(hasty.add_channel(dataset_id=hasty.add_dataset()))
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    admin_url = psycopg.conninfo.make_conninfo(database_url, dbname="postgres")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"alter database {name} allow_connections false")
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        with Running(hasty) as running:
            try:
                time_of_two_rounds = time.monotonic() + 0.5
                wait_for(lambda: time.monotonic() > time_of_two_rounds)
                assert running.thread.is_alive()
                assert not running.in_charge
            finally:
                admin.execute(f"alter database {name} allow_connections true")
            wait_for(lambda: hasty.states() == ["accepted"])


@pytest.mark.parametrize("error", [ValueError("a defect"), psycopg.errors.LockNotAvailable("busy")])
def test_a_step_that_fails_every_time_keeps_no_other_from_its_turn(hasty, monkeypatch, error):
    def fail(*_, **__):
        raise error

    without_redis(hasty)
    channel = hasty.add_channel(dataset_id=hasty.add_dataset())
    hasty.receive_ads(channel, 1)
    hasty.intake()
    with hasty.runtime.pool.connection() as conn:
        claim_deliveries(conn, token=uuid4(), lease_seconds=60)
    expire_leases(hasty)
    hasty.receive_sample(channel, phone="15550109999")
    monkeypatch.setattr(intake, "drain", fail)
    with Running(hasty):
        wait_for(lambda: hasty.states() == ["accepted"])
        wait_for(lambda: hasty.rows("select 1 from heartbeats where process = 'sweeper'"))


def test_days_of_webhooks_are_made_without_redis_too(hasty):
    without_redis(hasty)
    hasty.execute("drop table if exists " + ", ".join(days(hasty)))
    Sweeper(hasty.runtime).sweep()
    assert len(days(hasty)) >= 8


def days(world):
    rows = world.rows("select relname from pg_class where relname ~ '^webhooks_[0-9]{8}$' and relkind = 'r'")
    return [row["relname"] for row in rows]


def test_an_unknown_event_waits_for_a_late_answer_before_it_is_sent_again(hasty):
    hasty.receive_ads(hasty.add_channel(dataset_id=hasty.add_dataset()), 1)
    hasty.intake()
    hasty.execute(
        "update deliveries set state = 'unknown', reason = 'process_died', unknown_since = now(),"
        " next_attempt_at = null"
    )
    Sweeper(hasty.runtime).sweep()
    assert hasty.states() == ["unknown"]
    hasty.execute("update deliveries set unknown_since = now() - interval '31 seconds'")
    Sweeper(hasty.runtime).sweep()
    assert hasty.states() == ["pending"]


def test_each_round_is_announced_to_the_watchdog(hasty):
    told = []
    stopping = threading.Event()

    def watchdog(seconds):
        told.append(seconds)
        if len(told) == 3:
            stopping.set()

    Sweeper(dataclasses.replace(hasty.runtime, stopping=stopping), watchdog=watchdog).run()
    assert told == [sweeper.LONGEST_ROUND_SECONDS] * 3


def test_expired_deliveries_are_ended_and_dry_runs_released(hasty):
    channel = hasty.add_channel(dataset_id=hasty.add_dataset())
    hasty.receive_ads(channel, 2)
    hasty.intake()
    with hasty.runtime.pool.connection() as conn:
        token = uuid4()
        claim_deliveries(conn, token=token, lease_seconds=60)
        claims.mark_dry_run(conn, token, [row["id"] for row in hasty.deliveries()])
    old = hasty.deliveries()[0]["id"]
    hasty.execute("update deliveries set event_time = now() - interval '6 days 13 hours' where id = %s", old)
    Sweeper(hasty.runtime).sweep()
    expired, released = hasty.deliveries()
    assert (expired["state"], released["state"]) == ("expired", "pending")
    assert released["dry_run_at"] is None


def test_alerts_are_judged_and_told_without_redis(hasty, httpserver):
    without_redis(hasty)
    httpserver.expect_request("/services/x").respond_with_data("ok")
    hasty.add_dataset()
    hasty.execute("update datasets set pause_reason = 'by_hand', paused_at = now(), paused_until = '9999-12-31'")
    with hasty.runtime.pool.connection() as conn:
        insert_route(
            conn, workspace=None, name="ops", kind="slack", shown="127.0.0.1", allow_private=True, by="test",
            target=seal_target(hasty.runtime.secret_ring, Target(address=httpserver.url_for("/services/x"))),
        )  # fmt: skip
    with Running(hasty):
        wait_for(lambda: hasty.rows("select 1 from alert_notices where state = 'sent'"))
    assert "Dataset main is paused" in httpserver.log[0][0].json["text"]


def test_a_mail_server_that_hangs_holds_up_no_sweep(hasty, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(sweeper.notices, "send_due", lambda runtime: released.wait(30))
    monkeypatch.setattr(sweeper, "has_due_notices", lambda conn: True)
    without_redis(hasty)
    channel = hasty.add_channel(dataset_id=hasty.add_dataset())
    with Running(hasty):
        wait_for(lambda: hasty.rows("select 1 from heartbeats where process = 'sweeper'"))
        hasty.receive_sample(channel)
        wait_for(lambda: hasty.states() == ["accepted"])
        released.set()
