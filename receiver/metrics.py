"""What the receiver counts. Labels hold providers, sinks and reasons: never a person, a key or an address."""

from prometheus_client import Counter, Gauge, Histogram

ACKNOWLEDGED = Counter(
    "ctwa_webhooks_acknowledged_total", "Webhooks made durable before they were answered.", ["provider", "sink"]
)
REFUSED = Counter("ctwa_webhooks_refused_total", "Webhook requests that were refused.", ["reason"])
ACKNOWLEDGE_SECONDS = Histogram(
    "ctwa_webhook_acknowledge_seconds",
    "From the whole request read to its webhook durable.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BATCH_ROWS = Histogram(
    "ctwa_webhook_batch_rows", "Webhooks made durable by one commit.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
WRITER_FAILURES = Counter("ctwa_webhook_writer_failures_total", "Writes that failed, by what failed.", ["where"])
SPOOL_BYTES = Gauge("ctwa_spool_bytes", "Bytes in the spool of this host.", multiprocess_mode="max")
SPOOL_FILES = Gauge("ctwa_spool_files", "Files in the spool of this host.", multiprocess_mode="max")
BODIES_BEING_READ = Gauge(
    "ctwa_bodies_being_read", "Requests whose body has not come whole yet.", multiprocess_mode="livesum"
)
