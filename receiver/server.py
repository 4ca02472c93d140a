"""`python -m receiver`: the receiver under granian. docs/receiver.md says how to run it under another server."""

import atexit
import gc
import os
import resource
import signal
import socket
import sys

import click
from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from receiver.app import create_app
from receiver.asgi import Front
from receiver.runtime import NEEDS, Runtime
from receiver.spool import Spool
from shared.crypto import KeyRing, KeyRingError
from shared.local.privileges import die_with_parent
from shared.logs import configure_logs, get_logger
from shared.metrics import serve_metrics
from shared.settings import Settings, SettingsError, load_settings

log = get_logger(__name__)

#: Connections one worker keeps open. Each costs a few kB; half-sent requests and idle ones count.
CONNECTIONS = 8192
_OTHER_FILES = 256
#: Also how long an idle keep-alive connection is kept.
HEADER_SECONDS = 20
HEADER_BUFFER_BYTES = 32 * 1024
STOP_SECONDS = 10
#: granian's own lines go where ours go, in the same form.
_GRANIAN_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"level": "INFO", "propagate": True}},
}


def load() -> Front:
    """The ASGI application of one worker process; the server calls it after the fork."""
    # A worker whose master was killed would go on holding the port.
    die_with_parent(signal.SIGTERM, os.getppid())
    runtime = _make_runtime()
    app = create_app(runtime.door, runtime.call_door, runtime.readiness)
    return Front(app, runtime.door, runtime.call_door, start=runtime.start, stop=runtime.stop)


def load_wsgi() -> Flask:
    """The WSGI application of one worker process, for a server that has a buffering proxy in front."""
    runtime = _make_runtime()
    runtime.start()
    atexit.register(runtime.stop)
    return create_app(runtime.door, runtime.call_door, runtime.readiness)


def _make_runtime() -> Runtime:
    settings = load_settings(os.environ, needs=NEEDS)
    configure_logs("receiver", log_format=settings.log_format, level=settings.log_level)
    serve_metrics(settings)
    return Runtime(settings)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, help="Processes; one for each core at most.")
def main(host: str, port: int, workers: int) -> None:
    """Take in webhooks, and what businesses report."""
    try:
        settings = load_settings(os.environ, needs=NEEDS)
        _check(settings, host, port)
    except (SettingsError, KeyRingError) as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"the receiver cannot start: {error}")
    configure_logs("receiver", log_format=settings.log_format, level=settings.log_level)
    # What was imported is for good: left out of collections, its pages stay those that the worker processes share.
    gc.collect()
    gc.freeze()
    Granian(
        "receiver.server:load",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=_allowed_connections(),
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=HEADER_BUFFER_BYTES),
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
        log_dictconfig=_GRANIAN_LOGGING,
    ).serve()


def _check(settings: Settings, host: str, port: int) -> None:
    """What would end every worker, found before there are any. Raises KeyRingError or OSError."""
    ring = KeyRing(settings.secret_keys, name="SECRET_KEYS")
    Spool(settings.spool_dir, ring=ring, max_bytes=settings.spool_max_bytes).prepare()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()


def _allowed_connections() -> int:
    """CONNECTIONS, or as many as the system allows; raises the limit on open files as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + _OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(CONNECTIONS, soft - _OTHER_FILES))
