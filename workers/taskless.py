"""The Celery app of the processes that run no task: `python -m workers beat` and `flower`.

They hold no key and no database, and start in half the time of a worker. Beat's calendar is theirs alone to know.
"""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging
from kombu import Queue

from shared.logs import configure_logs
from shared.metrics import serve_metrics
from shared.queue import Work, make_celery
from shared.settings import load_settings
from workers.calendar import CALENDAR

settings = load_settings(os.environ, needs={"REDIS_URL"})


def make_taskless_app(redis_url: str) -> Celery:
    """The app with beat's calendar, and with the queues by name, since Flower can't ask workers for them."""
    celery = make_celery(redis_url)
    celery.conf.update(
        beat_schedule=CALENDAR,
        task_queues=[Queue(name) for name in sorted({work.queue for work in Work})],
        # Flower asks in seven threads at once, each with two connections of the pool: with four, it waits for ever.
        broker_pool_limit=20,
    )
    return celery


app = make_taskless_app(settings.redis_url)


@setup_logging.connect
def _configure_logs(**_: Any) -> None:
    configure_logs("beat", log_format=settings.log_format, level=settings.log_level)


@beat_init.connect
def _serve_metrics(**_: Any) -> None:
    serve_metrics(settings)
