"""`python -m receiver`: the receiver under granian. docs/receiver.md says how to run it under another server."""

import os
import resource
import signal
import sys

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from receiver.app import create_app
from receiver.asgi import Front
from receiver.runtime import NEEDS, Runtime
from shared.local.privileges import die_with_parent
from shared.logs import configure_logs, get_logger
from shared.metrics import serve_metrics
from shared.settings import SettingsError, load_settings

log = get_logger(__name__)

#: Connections one worker keeps open. Each costs a few kB; half-sent requests and idle ones count.
CONNECTIONS = 8192
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
    """The ASGI application of one worker process; granian calls it after the fork."""
    # A worker whose master was killed would go on holding the port.
    die_with_parent(signal.SIGTERM, os.getppid())
    settings = load_settings(os.environ, needs=NEEDS)
    configure_logs("receiver", log_format=settings.log_format, level=settings.log_level)
    serve_metrics(settings)
    runtime = Runtime(settings)
    app = create_app(runtime.door, runtime.readiness)
    return Front(app, runtime.door, start=runtime.start, stop=runtime.stop)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, help="Processes; one for each core at most.")
def main(host: str, port: int, workers: int) -> None:
    """Take in webhooks."""
    try:
        settings = load_settings(os.environ, needs=NEEDS)
    except SettingsError as error:
        sys.exit(str(error))
    configure_logs("receiver", log_format=settings.log_format, level=settings.log_level)
    _allow_connections()
    Granian(
        "receiver.server:load",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=HEADER_BUFFER_BYTES),
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
        log_dictconfig=_GRANIAN_LOGGING,
    ).serve()


def _allow_connections() -> None:
    """Raises the number of files this process may open, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1024
    if soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        log.info("open files allowed", limit=wanted)
