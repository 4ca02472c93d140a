"""Reads requests of the API and parts of imported files back from their stored bytes."""

from shared.crypto import KeyRing
from shared.db.submissions import Reporter
from shared.db.webhooks import ClaimedWebhook
from shared.domain.submission_forms import Malformed, UnreadableBody, check_key, parse_items
from shared.domain.submissions import ACTOR, KINDS, ORIGIN
from workers.submitted import Refusal, Submitted


class UnreadableRequest(Exception):
    """Nothing can be made of the whole request; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_request(webhook: ClaimedWebhook, reporter: Reporter, ring: KeyRing) -> Submitted:
    """The items of one request, read as its door checked them. Raises UnreadableRequest and CannotDecrypt."""
    if webhook.path not in KINDS:
        raise UnreadableRequest("unreadable_request")
    given = webhook.headers.get("idempotency-key")
    try:
        items = parse_items(
            webhook.path,
            ring.open(webhook.body),
            received_at=webhook.received_at,
            idempotency_key=check_key(given) if given else None,
        )
    except (UnreadableBody, ValueError) as error:
        raise UnreadableRequest("unreadable_request") from error
    is_import = webhook.source == "import"
    return Submitted(
        webhook_id=webhook.id,
        received_at=webhook.received_at,
        reporter=reporter,
        path=webhook.path,
        items=[Refusal("malformed", str(item)) if isinstance(item, Malformed) else item for item in items],
        origin=webhook.headers.get(ORIGIN, "csv") if is_import else "api",
        actor=webhook.headers.get(ACTOR) if is_import else f"key:{reporter.source_id}",
    )
