"""A bell that is out of order: Redis flushed, frozen, full, away, or full of rubbish."""

import signal
import time

from shared.queue import make_celery
from tests.faults.run import Run
from tests.faults.table import scenario
from tests.faults.wait import wait_until

#: Longer than this no answer to a webhook may take because of Redis.
_ANSWER_SECONDS = 1.0


def _answered_in_time(run: Run) -> str:
    assert run.load is not None
    slowest = run.load.ledger.slowest_seconds
    refused = dict(run.load.ledger.refusals)
    assert not refused, f"webhooks were refused: {refused}"
    assert slowest < _ANSWER_SECONDS, f"an acknowledgement took {slowest:.2f} s"
    return f"slowest acknowledgement {slowest:.2f} s"


def _none_exited(run: Run) -> None:
    assert not run.keeper.restarts, f"processes ended: {dict(run.keeper.restarts)}"


@scenario("redis-flushed")
def redis_flushed(run: Run) -> str:
    """FLUSHALL again and again: queues, rings and bindings are gone."""
    run.start()
    flushes = 0
    with run.loaded(sales=4), run.servers.redis() as client:
        ends = time.monotonic() + 9
        while time.monotonic() < ends:
            time.sleep(run.rng.uniform(0.1, 1.0))
            client.flushall()
            flushes += 1
    run.drain()
    _none_exited(run)
    return f"{flushes} flushes, {_answered_in_time(run)}"


@scenario("redis-frozen")
def redis_frozen(run: Run) -> str:
    """SIGSTOP of Valkey: it accepts connections and answers nothing."""
    run.start()
    with run.loaded(sales=4):
        time.sleep(2)
        run.require(run.servers.keeper.send("valkey", signal.SIGSTOP), "it was not there")
        time.sleep(8)
        run.servers.keeper.send("valkey", signal.SIGCONT)
        time.sleep(2)
    run.drain()
    _none_exited(run)
    return f"8 s without an answer, {_answered_in_time(run)}"


@scenario("redis-full")
def redis_full(run: Run) -> str:
    """maxmemory reached with noeviction: every write is refused with OOM."""
    run.start()
    with run.loaded(sales=4), run.servers.redis() as client:
        time.sleep(2)
        client.config_set("maxmemory", "1")
        time.sleep(8)
        refused = client.info("stats")["total_error_replies"]
        client.config_set("maxmemory", "256mb")
        time.sleep(2)
    run.require(refused, "nothing was refused")
    run.drain()
    _none_exited(run)
    return f"{refused} refusals, {_answered_in_time(run)}"


@scenario("redis-refusing")
def redis_refusing(run: Run) -> str:
    """READONLY as after a failover, clients killed, clients paused: one after the other."""
    run.start()
    with run.loaded(sales=4), run.servers.redis() as client:
        time.sleep(1)
        client.replicaof("127.0.0.1", "1")
        time.sleep(4)
        client.replicaof("no", "one")
        killed = 0
        for _ in range(5):
            time.sleep(run.rng.uniform(0.3, 0.8))
            killed += client.client_kill_filter(_type="normal", skipme=True)
        client.client_pause(4000)
        time.sleep(5)
        refused = client.info("stats")["total_error_replies"]
    run.require(refused and killed, "nothing was refused or killed")
    run.drain()
    _none_exited(run)
    return f"{refused} refusals, {killed} clients killed, {_answered_in_time(run)}"


@scenario("redis-away", quick=True)
def redis_away(run: Run) -> str:
    """Valkey down from before the start to the end: the sweeper does all the work."""
    run.servers.keeper.hold("valkey")
    run.start()
    with run.loaded(sales=4):
        time.sleep(9)
    run.drain()
    run.require(run.servers.keeper.pid("valkey") == 0, "Valkey came back")
    return f"never there, {_answered_in_time(run)}"


@scenario("redis-garbage")
def redis_garbage(run: Run) -> str:
    """Rubbish in the queues ends the workers or makes them deaf: nothing waits for long."""
    run.start()
    with run.loaded(sales=4), run.servers.redis() as client:
        wait_until("both workers have shown a sign of life", lambda: len(_beats(run)) == 2)
        for queue in ("intake", "sending"):
            client.rpush(queue, "not JSON at all")
        time.sleep(20)
        deaf = {name: age for name, age in _beats(run).items() if age > 12}
    run.drain()
    return f"{_deaf_text(deaf)}, restarts {dict(run.keeper.restarts)}"


@scenario("redis-forged-rings")
def redis_forged_rings(run: Run) -> str:
    """Thousands of rings that nobody rang, and tasks that don't exist."""
    run.start()
    forger = make_celery(run.servers.valkey.url, current=False)
    rings = 0
    with run.loaded(sales=4):
        for _ in range(2000):
            forger.send_task("intake.drain", queue="intake", retry=False)
            forger.send_task("sending.drain", queue="sending", retry=False, args=["unasked"])
            forger.send_task("no.such.task", queue="intake", retry=False)
            rings += 3
    forger.close()
    run.drain()
    _none_exited(run)
    return f"{rings} forged rings"


def _beats(run: Run) -> dict[str, float]:
    """How long ago each worker last showed a sign of life, in seconds."""
    rows = run.rows(
        "select process, extract(epoch from now() - beat_at)::float8 as age from heartbeats"
        " where process in ('intake', 'sending')"
    )
    return {row["process"]: row["age"] for row in rows}


def _deaf_text(deaf: dict[str, float]) -> str:
    if not deaf:
        return "no worker was deaf for long"
    return "no sign of life of " + ", ".join(f"{name} for {age:.0f} s" for name, age in deaf.items())
