"""Prometheus metrics: every process serves its own /metrics on its own port."""

import socket

from prometheus_client import start_http_server

from shared.logs import get_logger

log = get_logger(__name__)


def serve_metrics(port: int | None, host: str = "127.0.0.1") -> None:
    """Starts the metrics server of this process in a thread; without a port, does nothing."""
    if port is None:
        return
    try:
        start_http_server(port, addr=host)
    except OSError as error:
        # Two processes of one kind on a host share a setting; the second one works all the same.
        log.warning("metrics port is taken, this process serves none", port=port, error=socket.error.__name__)
        return
    log.info("metrics are served", port=port)
