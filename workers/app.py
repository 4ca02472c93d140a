"""The Celery app of the workers: `python -m workers worker --queues intake`. Beat and Flower: taskless.py."""

import gc
import os
import threading
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_process_init, worker_shutting_down

from shared.logs import configure_logs
from shared.metrics import serve_metrics
from shared.queue import make_celery
from shared.settings import Settings, load_settings
from workers.calendar import CALENDAR
from workers.runtime import NEEDS, Runtime, build_runtime


class _Process:
    """The runtime of this process, built by the first task after the fork."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None
        self._pid = 0

    def runtime(self) -> Runtime:
        with self._lock:
            if self._runtime is None or self._pid != os.getpid():
                self._runtime = build_runtime(self.settings, process="worker", connections=12, stopping=self.stopping)
                self._pid = os.getpid()
            return self._runtime


process = _Process(load_settings(os.environ, needs=NEEDS))


def make_app(settings: Settings) -> Celery:
    """The app with its tasks, and with beat's calendar for whoever runs beat from it."""
    celery = make_celery(settings.redis_url)
    celery.conf.update(imports=("workers.tasks",), beat_schedule=CALENDAR)
    return celery


app = make_app(process.settings)


@setup_logging.connect
def _configure_logs(**_: Any) -> None:
    configure_logs("worker", log_format=process.settings.log_format, level=process.settings.log_level)


@worker_init.connect
def _serve_metrics(**_: Any) -> None:
    # Celery sets up logging after this; its first line should have our form already.
    _configure_logs()
    serve_metrics(process.settings)
    # What was imported is for good: left out of collections, its pages stay those that a pool's children share.
    gc.collect()
    gc.freeze()


@worker_process_init.connect
def _forget_parent(**_: Any) -> None:
    # A child of a prefork pool starts with nothing open; its handles are built by its first task.
    process.stopping.clear()


@worker_shutting_down.connect
def _stop_claiming(**_: Any) -> None:
    process.stopping.set()
