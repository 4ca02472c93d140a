"""Faults inside a process: death at a named point of the work, and clocks that are wrong."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.run import Run
from tests.faults.saboteur import crashes, give_clock, give_crash
from tests.faults.table import scenario

_DAY = 24 * 3600


@dataclass(frozen=True)
class Point:
    """A point of the work: the call before or after which the process kills itself, at one of its first `calls`."""

    name: str
    says: str
    process: str
    target: str
    before: bool = False
    calls: int = 8


_POINTS = (
    Point("intake-claimed", "between claim and parsing", "intake", "workers.intake:intake_channels"),
    Point("intake-writing", "in the transaction, all written", "intake", "workers.intake:finish_webhooks"),
    Point("intake-done", "after the commit", "intake", "workers.intake:_store"),
    Point("sending-claimed", "between claim and request", "sending", "workers.sending:leased_deliveries"),
    Point("sending-request", "in the request's transaction", "sending", "workers.sending:count_attempts"),
    Point(
        "sending-before-post",
        "request committed, nothing sent",
        "sending",
        "workers.capi.client:GraphClient.post_events",
        before=True,
    ),
    Point(
        "sending-after-post",
        "answered, and the answer not written",
        "sending",
        "workers.capi.client:GraphClient.post_events",
    ),
    Point(
        "sending-settling",
        "in the outcome's transaction",
        "sending",
        "workers.sending:write_answer",
    ),
    Point("sending-settled", "after the outcome's commit", "sending", "workers.sending:_write"),
    Point("sweeper-recovering", "in the middle of a sweep", "sweeper", "shared.db.claims:recover_deliveries"),
)


def _play(point: Point) -> Callable[[Run], str]:
    def play(run: Run) -> str:
        give_crash(run, point.process, point=point.name, target=point.target, before=point.before, calls=point.calls)
        run.start()
        with run.loaded():
            time.sleep(12)
        died = crashes(run)
        run.require(died, "the process never died there")
        # It goes on dying while the rest is drained: what is left gets done between two deaths.
        run.drain(90)
        return f"{crashes(run)} deaths there"

    play.__doc__ = f"kill -9 of {point.process} {point.says}."
    return play


for _point in _POINTS:
    scenario(f"crash-{_point.name}")(_play(_point))


def _clock(name: str, processes: tuple[str, ...], seconds: int) -> None:
    def play(run: Run) -> str:
        for process in processes:
            give_clock(run, process, seconds=seconds)
        run.start()
        with run.loaded():
            time.sleep(9)
        run.drain()
        return f"{', '.join(processes)} {abs(seconds) // 3600} h {'ahead' if seconds > 0 else 'behind'}"

    where = "ahead" if seconds > 0 else "behind"
    play.__doc__ = f"The clock of {' and '.join(processes)} is a day {where}."
    scenario(name)(play)


_clock("clock-receiver-ahead", ("receiver",), _DAY)
_clock("clock-receiver-behind", ("receiver",), -_DAY)
_clock("clock-workers-ahead", ("intake", "sending", "sweeper"), _DAY)
_clock("clock-workers-behind", ("intake", "sending", "sweeper"), -_DAY)
