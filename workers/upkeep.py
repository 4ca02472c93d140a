"""Upkeep: days of webhooks made ahead and dropped, and what is kept for a time only taken out when that is over."""

from collections.abc import Callable
from functools import partial

from shared.db import audit
from shared.db.alert_notices import delete_old_notices
from shared.db.notifications import delete_old_notifications
from shared.db.retention import delete_old_heartbeats, purge_clicks, purge_requests, purge_texts
from shared.db.webhook_counts import delete_old_counts
from shared.db.webhooks import delete_empty, delete_stranded, drop_days, make_days
from shared.logs import get_logger
from workers.runtime import Runtime

log = get_logger(__name__)

KEEP_EMPTY_HOURS = 12
KEEP_HEARTBEAT_DAYS = 7
KEEP_NOTICES_DAYS = 90
#: Rows deleted in one transaction, so that no lock is held for long.
BATCH = 5000


def prune(runtime: Runtime) -> dict[str, int]:
    """Runs all of it once; what was made, dropped and deleted."""
    settings = runtime.settings
    with runtime.pool.connection() as conn:
        made = make_days(conn)
    with runtime.pool.connection() as conn:
        dropped = drop_days(conn, keep_days=settings.keep_webhook_days)
        for partition in dropped:
            audit.record(conn, actor="upkeep", action="webhooks.drop", subject=partition)
    result = {
        "days_made": made,
        "days_dropped": len(dropped),
        "stranded_webhooks_deleted": _in_batches(
            runtime, partial(delete_stranded, keep_days=settings.keep_webhook_days)
        ),
        "empty_webhooks_deleted": _in_batches(runtime, partial(delete_empty, older_than_hours=KEEP_EMPTY_HOURS)),
        "old_counts_deleted": _in_batches(runtime, delete_old_counts),
        "clicks_purged": _in_batches(runtime, partial(purge_clicks, keep_days=settings.keep_click_days)),
        "texts_purged": _in_batches(runtime, partial(purge_texts, keep_days=settings.keep_text_days)),
        "requests_purged": _in_batches(runtime, partial(purge_requests, keep_days=settings.keep_request_days)),
        "old_notifications_deleted": _in_batches(
            runtime, partial(delete_old_notifications, keep_days=settings.keep_notification_days)
        ),
        "old_heartbeats_deleted": _in_batches(runtime, partial(delete_old_heartbeats, keep_days=KEEP_HEARTBEAT_DAYS)),
        "old_notices_deleted": _in_batches(runtime, partial(delete_old_notices, keep_days=KEEP_NOTICES_DAYS)),
    }
    if any(result.values()):
        log.info("pruned", **result)
    return result


def _in_batches(runtime: Runtime, delete: Callable[..., int]) -> int:
    """Deletes a batch a transaction until there is no full one, or the process stops; how many rows."""
    deleted = 0
    while not runtime.stopping.is_set():
        with runtime.pool.connection() as conn:
            batch = delete(conn, limit=BATCH)
        deleted += batch
        if batch < BATCH:
            break
    return deleted
