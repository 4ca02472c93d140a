"""`python -m console.web`: the console under granian."""

import atexit
import gc
import os
import signal
import socket
import sys

import click
from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces

from console.web.app import create_app
from console.web.runtime import NEEDS, Runtime
from shared.crypto import KeyRingError
from shared.local.privileges import die_with_parent
from shared.logs import configure_logs
from shared.settings import Settings, SettingsError, load_settings

_STOP_SECONDS = 10
#: Threads of one process that wait for Postgres or work out a password; the pool has as many connections.
THREADS = 8
#: granian's own lines go where ours go, in the same form.
_GRANIAN_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"level": "INFO", "propagate": True}},
}


def load() -> Flask:
    """The WSGI application of one worker process; the server calls it after the fork."""
    # A worker whose master was killed would go on holding the port.
    die_with_parent(signal.SIGTERM, os.getppid())
    settings = load_settings(os.environ, needs=NEEDS)
    configure_logs("console", log_format=settings.log_format, level=settings.log_level)
    runtime = Runtime(settings, connections=THREADS)
    atexit.register(runtime.close)
    return create_app(runtime)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, help="Processes; one for each core at most.")
def main(host: str, port: int, workers: int) -> None:
    """Serve the console: pages for people, and the API."""
    try:
        settings = load_settings(os.environ, needs=NEEDS)
        _check(settings, host, port)
    except (SettingsError, KeyRingError) as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"the console cannot start: {error}")
    configure_logs("console", log_format=settings.log_format, level=settings.log_level)
    # What was imported is for good: left out of collections, its pages stay those that the worker processes share.
    gc.collect()
    gc.freeze()
    Granian(
        "console.web.server:load",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        http=HTTPModes.http1,
        websockets=False,
        workers_kill_timeout=_STOP_SECONDS,
        respawn_failed_workers=True,
        log_dictconfig=_GRANIAN_LOGGING,
    ).serve()


def _check(settings: Settings, host: str, port: int) -> None:
    """What would end every worker, found before there are any. Raises KeyRingError or OSError."""
    Runtime(settings, connections=1).close()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()
