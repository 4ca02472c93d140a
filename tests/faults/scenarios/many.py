"""More than one of a kind: two beats, sweepers and senders at once; and datasets that must not slow each other."""

import time
from statistics import quantiles

from tests.faults.audit import Expected, seconds_of
from tests.faults.run import NAMES, Run
from tests.faults.table import scenario

_FLOOD = 20_000


@scenario("two-beats")
def two_beats(run: Run) -> str:
    """Two beats ring at once."""
    return _twice(run, "beat")


@scenario("two-sweepers")
def two_sweepers(run: Run) -> str:
    """Two sweepers, with workers that are killed: one of them is in charge, and then the other."""
    run.start(*NAMES)
    run.start_twin("sweeper")
    with run.loaded():
        kills = run.kill_now_and_then("sweeper", "sweeper-2", "sending", seconds=10, every=(1.0, 2.5))
    run.require(kills, "nothing was killed")
    run.drain()
    return f"{kills} kills"


@scenario("two-senders")
def two_senders(run: Run) -> str:
    """Two sending workers on the same datasets, with slow answers."""
    run.servers.sandbox("POST", "latency", {"seconds": 0.3})
    return _twice(run, "sending")


@scenario("paused-backlog")
def paused_backlog(run: Run) -> str:
    """A paused dataset with 20,000 waiting events: the other one's times, with and without."""
    return _other_slowed(run, _paused_flood, "a paused dataset's 20,000")


@scenario("hanging-dataset", environ={"SENDING_LEASE_SECONDS": "40"})
def hanging_dataset(run: Run) -> str:
    """One dataset's requests hang: the other one's times, with and without."""
    return _other_slowed(run, _hanging, "a dataset that hangs")


def _twice(run: Run, name: str) -> str:
    run.start()
    run.start_twin(name)
    with run.loaded():
        time.sleep(9)
    run.drain()
    assert not run.keeper.restarts, f"processes ended: {dict(run.keeper.restarts)}"
    return f"two of {name}"


def _other_slowed(run: Run, disturb: object, what: str) -> str:
    """Measures the second dataset alone, then beside the disturbance; says the ratio of the times."""
    run.start()
    with run.loaded(rate=20, purchases=0):
        time.sleep(10)
        middle = time.time()
        assert callable(disturb)
        disturb(run)
        time.sleep(12)
    over = time.time()
    run.servers.sandbox("DELETE", "faults")
    # What a pause holds back goes on waiting: sending 20,000 would prove nothing more.
    run.drain(150, until=lambda: _rest_waits(run))
    before, after = _waits(run, 0.0, middle), _waits(run, middle + 1, over)
    run.require(len(before) > 20 and len(after) > 20, "too few events to compare")
    return (
        f"beside {what}: median {_percentile(after, 50):.2f} s instead of {_percentile(before, 50):.2f},"
        f" p99 {_percentile(after, 99):.2f} instead of {_percentile(before, 99):.2f}"
        f" ({_percentile(after, 99) / _percentile(before, 99):.1f} ×)"
    )


def _paused_flood(run: Run) -> None:
    run.execute(
        "update datasets set pause_reason = 'by_hand', paused_at = now(), paused_until = '9999-12-31' where id = 1"
    )
    run.buy(_FLOOD)


def _hanging(run: Run) -> None:
    run.fault("hang_before_reading", dataset=run.servers.targets[0].meta_id, delay=60)


def _rest_waits(run: Run) -> bool:
    """Whether all is done but what a paused dataset holds back, which is expected from now on."""
    run.expected = Expected(pending=run.names("s.pause_reason = 'by_hand' and d.state = 'pending'"))
    return run.is_idle()


def _waits(run: Run, start: float, end: float) -> list[float]:
    """From acknowledgement to Meta, for the second dataset's events acknowledged between these times."""
    assert run.load is not None
    at = {row["event"]["user_data"]["ctwa_clid"]: row["received_at"] for row in run.received()}
    return [
        seconds_of(at[post.click_id]) - post.acknowledged_at
        for post in run.load.ledger.acknowledged
        if post.target.name == "second"
        and post.click_id in at
        and post.acknowledged_at
        and start <= post.acknowledged_at < end
    ]


def _percentile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]
