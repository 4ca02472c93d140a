"""Reads requests of the API and parts of imported files back from their stored bytes."""

from shared.crypto import KeyRing
from shared.db.submissions import Reporter
from shared.db.webhooks import ClaimedWebhook
from workers.submissions import Submitted


class UnreadableRequest(Exception):
    """Nothing can be made of the whole request; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_request(webhook: ClaimedWebhook, reporter: Reporter, ring: KeyRing) -> Submitted:
    """The items of one request. Raises UnreadableRequest and CannotDecrypt."""
    del reporter
    ring.open(webhook.body)
    raise UnreadableRequest("unreadable_request")
