"""Prometheus metrics: every kind of process serves its own /metrics on its own port."""

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from shared.logs import get_logger
from shared.settings import Settings

log = get_logger(__name__)


def serve_metrics(settings: Settings) -> None:
    """Starts the metrics server in a thread of this process; without a METRICS_PORT, does nothing.

    Where several processes are one service (a prefork pool, several receivers), PROMETHEUS_MULTIPROC_DIR names the
    folder they count in together, which whoever starts them makes and empties; the one with the port answers for all.
    """
    if settings.metrics_port is None:
        return
    registry: CollectorRegistry = REGISTRY
    if settings.metrics_dir is not None:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(settings.metrics_dir))  # type: ignore[no-untyped-call]
    try:
        start_http_server(settings.metrics_port, addr=settings.metrics_host, registry=registry)
    except OSError as error:
        log.warning("metrics are not served by this process", port=settings.metrics_port, error=error.strerror)
        return
    log.info("metrics are served", port=settings.metrics_port)
