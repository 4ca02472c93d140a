"""Processes that are killed, frozen or asked to stop while they work."""

import contextlib
import os
import signal
import time

from tests.faults.run import NAMES, Run
from tests.faults.table import scenario
from tests.faults.wait import wait_until


def _kill(run: Run, *names: str, seconds: float = 9.0, every: tuple[float, float] = (1.0, 3.0)) -> str:
    run.start()
    # Slow answers, so that most kills of a sender fall into a request.
    run.servers.sandbox("POST", "latency", {"seconds": 0.25})
    with run.loaded(sales=4):
        kills = run.kill_now_and_then(*names, seconds=seconds, every=every)
    run.require(kills, "nothing was killed")
    run.drain()
    return f"{kills} kills of {' or '.join(names)}"


@scenario("kill-receiver", quick=True)
def kill_receiver(run: Run) -> str:
    """kill -9 of the receiver under load."""
    return _kill(run, "receiver")


@scenario("kill-receiver-worker")
def kill_receiver_worker(run: Run) -> str:
    """kill -9 of the process that serves, below the receiver's master."""
    return _kill_child(run, "receiver")


@scenario("kill-intake")
def kill_intake(run: Run) -> str:
    """kill -9 of the intake worker, pool and all."""
    return _kill(run, "intake", every=(1.5, 3.5))


@scenario("kill-intake-child", quick=True)
def kill_intake_child(run: Run) -> str:
    """kill -9 of the pool processes of the intake worker."""
    return _kill_child(run, "intake")


@scenario("kill-sending", quick=True)
def kill_sending(run: Run) -> str:
    """kill -9 of the sending worker, with requests in flight."""
    run.start()
    run.servers.sandbox("POST", "latency", {"seconds": 0.4})
    with run.loaded(purchases=15, sales=4):
        for _ in range(2):
            time.sleep(run.rng.uniform(1.0, 2.5))
            wait_until("a purchase is in flight", lambda: _in_flight(run, "d.has_value"), every=0.01)
            time.sleep(run.rng.uniform(0.0, 0.4))
            run.keeper.send("sending", signal.SIGKILL)
            wait_until("it is started again", lambda: run.keeper.pid("sending"))
            run.keeper.wait_ready("sending")
    run.drain()
    unknown = run.count("select count(distinct delivery_id) from attempts where finished_at is null")
    run.require(unknown, "no kill fell into a request")
    return f"2 kills, {unknown} deliveries in flight then"


@scenario("kill-sweeper")
def kill_sweeper(run: Run) -> str:
    """kill -9 of the sweeper."""
    return _kill(run, "sweeper")


@scenario("kill-beat")
def kill_beat(run: Run) -> str:
    """kill -9 of beat."""
    return _kill(run, "beat")


@scenario("kill-valkey")
def kill_valkey(run: Run) -> str:
    """kill -9 of Valkey."""
    return _kill(run, "valkey", every=(1.0, 2.5))


@scenario("kill-postgres", quick=True)
def kill_postgres(run: Run) -> str:
    """kill -9 of Postgres, all its backends with it."""
    return _kill(run, "postgres", seconds=12.0, every=(2.0, 4.0))


@scenario("kill-anything")
def kill_anything(run: Run) -> str:
    """kill -9 of whatever the dice say: processes and servers."""
    return _kill(run, *NAMES, "postgres", "valkey", seconds=20.0, every=(0.5, 2.0))


@scenario("freeze-sending")
def freeze_sending(run: Run) -> str:
    """SIGSTOP of the sending worker for longer than its lease, with a request in flight: the late answer settles."""
    run.start()
    run.servers.sandbox("POST", "latency", {"seconds": 0.6})
    with run.loaded(sales=4):
        wait_until("a request is in flight", lambda: _in_flight(run))
        run.keeper.send("sending", signal.SIGSTOP)
        frozen = _in_flight(run)
        wait_until("the lease ran out", lambda: not _in_flight(run), seconds=20)
        run.require(frozen, "nothing was in flight")
        unknown = run.count("select count(*) from deliveries where state = 'unknown' or resent > 0")
        run.keeper.send("sending", signal.SIGCONT)
        time.sleep(3)
    run.drain()
    run.require(unknown, "no delivery became unknown")
    return f"{unknown} deliveries were unknown while their sender slept"


def _in_flight(run: Run, which: str = "true") -> int:
    return run.count(
        "select count(*) from deliveries d where d.state = 'sending' and exists (select from attempts a"
        f" where a.delivery_id = d.id and a.number = d.attempts and a.finished_at is null) and {which}"
    )


@scenario("freeze-intake")
def freeze_intake(run: Run) -> str:
    """SIGSTOP of intake's pool for longer than its lease: what another has done since is not done again."""
    run.start()
    with run.loaded(sales=4):
        time.sleep(2)
        for pid in run.keeper.below("intake"):
            _signal(pid, signal.SIGSTOP)
        time.sleep(9)
        held = run.count("select count(*) from webhooks where crashes > 0 or state = 'claimed'")
        for pid in run.keeper.below("intake"):
            _signal(pid, signal.SIGCONT)
        time.sleep(2)
    run.drain()
    return f"frozen for 9 s, {held} webhooks in its hands"


@scenario("sigterm-all", quick=True)
def sigterm_all(run: Run) -> str:
    """SIGTERM to every process under load, one after the other: in time, and nothing lost or doubled."""
    run.start()
    run.servers.sandbox("POST", "latency", {"seconds": 0.3})
    took = {}
    with run.loaded(sales=4):
        time.sleep(2)
        for name in NAMES:
            seconds, status = run.keeper.stop(name)
            limit = 25 if name == "sending" else 10
            assert status != 128 + signal.SIGKILL, f"{name} had to be killed after {seconds:.1f} s"
            assert seconds <= limit, f"{name} took {seconds:.1f} s to stop"
            took[name] = seconds
            run.keeper.release(name)
    run.drain()
    unknown = run.count("select count(*) from deliveries where unknown_since is not null or resent > 0")
    assert unknown == 0, f"{unknown} deliveries became unknown by an orderly stop"
    return "stopped in " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())


def _kill_child(run: Run, name: str) -> str:
    run.start()
    kills = 0
    with run.loaded(sales=4):
        for _ in range(5):
            time.sleep(run.rng.uniform(0.8, 2.0))
            if children := run.keeper.below(name):
                _signal(run.rng.choice(children), signal.SIGKILL)
                kills += 1
    run.require(kills, "nothing was killed")
    run.drain()
    return f"{kills} kills of a process below {name}"


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
