"""Postgres away, mute, read-only, full, or gone in the middle of a transaction."""

import contextlib
import time
from collections.abc import Iterator

import psycopg

from tests.faults.proxy import PASS, Link
from tests.faults.run import Run
from tests.faults.table import scenario

_ANSWER_SECONDS = 2.5


def _nothing_refused(run: Run) -> str:
    """While the spool has room, a Postgres in trouble is no reason to refuse a webhook."""
    assert run.load is not None
    refused = dict(run.load.ledger.refusals)
    slowest = run.load.ledger.slowest_seconds
    assert not refused, f"webhooks were refused: {refused}"
    assert slowest < _ANSWER_SECONDS, f"an acknowledgement took {slowest:.2f} s"
    run.require(run.spool_peak, "nothing was spooled")
    return f"spool peak {run.spool_peak // 1024} kB, slowest acknowledgement {slowest:.2f} s"


@scenario("postgres-stopped", quick=True)
def postgres_stopped(run: Run) -> str:
    """Postgres stopped for 20 s: webhooks go to the spool and are drained."""
    run.start()
    with run.loaded(sales=4):
        time.sleep(2)
        run.servers.keeper.stop("postgres")
        time.sleep(20)
        run.servers.keeper.release("postgres")
        time.sleep(2)
    run.drain()
    return _nothing_refused(run)


@scenario("postgres-blackholed")
def postgres_blackholed(run: Run) -> str:
    """Packets to Postgres vanish for 10 s: connections hang instead of failing."""
    run.start()
    with run.loaded(sales=4):
        time.sleep(2)
        run.servers.database_link.set(Link(frozen=True))
        time.sleep(10)
        run.servers.database_link.set(PASS)
        time.sleep(2)
    run.drain()
    return _nothing_refused(run)


@scenario("postgres-read-only")
def postgres_read_only(run: Run) -> str:
    """Postgres takes no writes for 8 s, as after a failover."""
    run.start()
    with run.loaded(sales=4):
        time.sleep(2)
        with _setting(run, "default_transaction_read_only", "on"):
            time.sleep(8)
        time.sleep(2)
    run.drain()
    return _nothing_refused(run)


@scenario("postgres-no-connections")
def postgres_no_connections(run: Run) -> str:
    """Somebody else has taken every connection, and ours are ended, for 8 s."""
    run.start()
    with run.loaded(sales=4):
        time.sleep(2)
        with _all_connections(run) as taken:
            time.sleep(8)
        time.sleep(2)
    run.drain()
    return f"{taken} connections taken, {_nothing_refused(run)}"


@scenario("postgres-restarted")
def postgres_restarted(run: Run) -> str:
    """Postgres restarted three times, in mode fast, in the middle of whatever goes on."""
    run.start()
    with run.loaded(sales=4):
        for _ in range(3):
            time.sleep(run.rng.uniform(1.5, 3.0))
            run.servers.keeper.stop("postgres")
            run.servers.keeper.release("postgres")
        time.sleep(2)
    run.drain()
    return f"3 restarts, spool peak {run.spool_peak // 1024} kB"


@scenario("postgres-sessions-ended")
def postgres_sessions_ended(run: Run) -> str:
    """pg_terminate_backend of every session of ours, again and again."""
    run.start()
    run.servers.sandbox("POST", "latency", {"seconds": 0.2})
    ended = 0
    with run.loaded(sales=4):
        for _ in range(8):
            time.sleep(run.rng.uniform(0.6, 1.6))
            ended += _end_sessions(run)
    run.drain()
    run.require(ended, "no session was ended")
    return f"{ended} sessions ended"


@scenario("postgres-answers-lost")
def postgres_answers_lost(run: Run) -> str:
    """The connection is reset when the commit is done and its answer under way: rows and their spooled twins."""
    run.start()
    with run.loaded(sales=4):
        for _ in range(6):
            time.sleep(run.rng.uniform(0.8, 1.5))
            run.servers.database_link.set(Link(reset_after=0))
            time.sleep(run.rng.uniform(0.1, 0.4))
            run.servers.database_link.set(PASS)
        time.sleep(2)
    run.require(run.servers.database_link.struck, "no connection was reset")
    run.drain()
    return f"{run.servers.database_link.struck} connections reset, {_nothing_refused(run)}"


@scenario("postgres-locked")
def postgres_locked(run: Run) -> str:
    """Another session locks the tables of messages and deliveries for 12 s."""
    run.start()
    with run.loaded(sales=4):
        time.sleep(2)
        with run.connection() as conn:
            conn.execute("lock table messages, deliveries in access exclusive mode")
            time.sleep(12)
    run.drain()
    return "12 s under lock"


@contextlib.contextmanager
def _setting(run: Run, name: str, value: str) -> Iterator[None]:
    """A setting of the whole server, for the length of a block."""
    with psycopg.connect(run.servers.postgres.url, autocommit=True) as conn:
        conn.execute("set default_transaction_read_only = off")
        conn.execute(f"alter system set {name} = '{value}'")
        conn.execute("select pg_reload_conf()")
        try:
            yield
        finally:
            conn.execute(f"alter system reset {name}")
            conn.execute("select pg_reload_conf()")


@contextlib.contextmanager
def _all_connections(run: Run) -> Iterator[int]:
    """Takes every connection there is, as often as ours let one go."""
    taken: list[psycopg.Connection[object]] = []
    try:
        for _ in range(2):
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    taken.append(psycopg.connect(run.servers.postgres.url, autocommit=True))
            taken[0].execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where starts_with(application_name, 'ctwa-')"
            )
            time.sleep(0.2)
        yield len(taken)
    finally:
        for conn in taken:
            conn.close()


def _end_sessions(run: Run) -> int:
    return run.count(
        "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity"
        " where starts_with(application_name, 'ctwa-')"
    )
