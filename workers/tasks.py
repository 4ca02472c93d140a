"""The tasks: each answers a ring by calling one use-case. No payload, no result, no retry in the broker."""

from celery import shared_task

from shared.queue import TASKS, Work
from workers import erasing, intake, notifying, probes, sending, spend, upkeep
from workers.app import process
from workers.calendar import PROBE_TASK, SPEND_TASK
from workers.heartbeat import beat_at_most


@shared_task(name=TASKS[Work.INTAKE])
def drain_intake() -> None:
    """Reads the webhooks that wait."""
    runtime = process.runtime()
    intake.drain(runtime)
    beat_at_most(runtime, "intake")


@shared_task(name=TASKS[Work.SENDING])
def drain_sending() -> None:
    """Sends the deliveries that are due."""
    runtime = process.runtime()
    sending.drain(runtime)
    beat_at_most(runtime, "sending")


@shared_task(name=TASKS[Work.UPKEEP])
def prune() -> None:
    """Makes days ahead, drops old ones, and deletes what is kept for hours only."""
    upkeep.prune(process.runtime())


@shared_task(name=TASKS[Work.ERASING])
def drain_erasing() -> None:
    """Erases people, a step at a time."""
    erasing.drain(process.runtime())


@shared_task(name=TASKS[Work.NOTIFYING])
def drain_notifying() -> None:
    """Posts what endpoints are to be told."""
    notifying.drain(process.runtime())


@shared_task(name=PROBE_TASK)
def probe() -> None:
    """Asks Meta whether tokens still work, and until when, where that is due."""
    probes.probe_due(process.runtime())
    probes.inspect_due(process.runtime())


@shared_task(name=SPEND_TASK)
def pull_spend() -> None:
    """Pulls what ads cost, where that is due."""
    spend.sync_due(process.runtime())
