"""What beat rings for, and how often: a sign of life through the broker, and tidying up. Rings do the rest."""

from typing import Any

from shared.queue import TASKS, Work

TICK_SECONDS = 20
PRUNE_SECONDS = 600
PROBE_SECONDS = 60
#: Nobody rings for it: only beat asks for probes.
PROBE_TASK = "upkeep.probe"
#: Looks for ad accounts that are due: each once an hour, or when somebody asks.
SPEND_SECONDS = 20
SPEND_TASK = "upkeep.spend"


def _every(seconds: int, task: str, work: Work) -> dict[str, Any]:
    """One entry. A tick that nobody took before the next one is dropped."""
    return {"task": task, "schedule": seconds, "options": {"queue": work.queue, "expires": seconds}}


CALENDAR = {
    "intake": _every(TICK_SECONDS, TASKS[Work.INTAKE], Work.INTAKE),
    "sending": _every(TICK_SECONDS, TASKS[Work.SENDING], Work.SENDING),
    "probe": _every(PROBE_SECONDS, PROBE_TASK, Work.UPKEEP),
    "spend": _every(SPEND_SECONDS, SPEND_TASK, Work.UPKEEP),
    "prune": _every(PRUNE_SECONDS, TASKS[Work.UPKEEP], Work.UPKEEP),
}
