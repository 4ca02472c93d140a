"""How many webhooks go into one statement. Pure."""

from collections.abc import Iterator, Sequence

from shared.db.webhooks import NewWebhook

MAX_ROWS = 256
MAX_BYTES = 8 * 1024 * 1024


def batch_length(webhooks: Sequence[NewWebhook]) -> int:
    """How many of the first webhooks fit into one batch; at least one if there is one."""
    size = 0
    for count, webhook in enumerate(webhooks[:MAX_ROWS]):
        size += len(webhook.body)
        if size > MAX_BYTES and count:
            return count
    return min(len(webhooks), MAX_ROWS)


def batches(webhooks: Sequence[NewWebhook]) -> Iterator[Sequence[NewWebhook]]:
    """All of them, in order, in batches."""
    start = 0
    while start < len(webhooks):
        length = batch_length(webhooks[start : start + MAX_ROWS])
        yield webhooks[start : start + length]
        start += length
