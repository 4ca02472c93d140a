"""What the workers count, for /metrics."""

from prometheus_client import Counter, Gauge, Histogram

WEBHOOKS = Counter("ctwa_webhooks_read_total", "Webhooks that intake finished.", ["provider", "state"])
MESSAGES = Counter("ctwa_messages_total", "Live inbound messages stored, by class.", ["message_class"])
CLAIMED_WEBHOOKS = Histogram("ctwa_webhooks_claimed", "Webhooks in one claim.", buckets=(1, 5, 25, 100, 200))
REQUESTS = Counter("ctwa_capi_requests_total", "Requests made to Meta, by verdict.", ["verdict"])
REQUEST_SECONDS = Histogram("ctwa_capi_request_seconds", "Time until Meta answered.")
DELIVERIES = Counter("ctwa_deliveries_settled_total", "Deliveries settled, by state.", ["state"])
RECOVERED = Counter("ctwa_leases_recovered_total", "Leases that ran out and were taken back.", ["table"])
RULES = Counter(
    "ctwa_rules_total", "What became of rules that looked at something: fired, repeated, failed.", ["outcome"]
)
BACKLOG = Gauge("ctwa_backlog", "Pieces of work that wait; large numbers are cut.", ["work"])
OLDEST_SECONDS = Gauge("ctwa_backlog_oldest_seconds", "How long the oldest piece of work has waited.", ["work"])
