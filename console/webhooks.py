"""One webhook, opened: what came, and what was made of it."""

import json
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import psycopg

from console.errors import NotFoundError
from console.privacy import strip_payload
from shared.crypto import KeyRing
from shared.db import audit
from shared.db.results import WebhookRow, webhook_body, webhook_by_id
from shared.domain.reasons import explain
from shared.providers.reasons import IGNORED


def webhook_with(conn: psycopg.Connection[Any], reference: str) -> WebhookRow:
    """The webhook of this id. Raises NotFoundError; a body that was deleted takes its row along."""
    try:
        webhook = webhook_by_id(conn, UUID(reference))
    except ValueError as error:
        raise NotFoundError("A webhook's id is a UUID; `ctwa webhooks` lists them.") from error
    if webhook is None:
        raise NotFoundError("There is no such webhook, or it was deleted when its time was over.")
    return webhook


def describe_webhook(webhook: WebhookRow) -> dict[str, Any]:
    """A webhook as JSON-ready values, its reason in plain words."""
    reason = explain(webhook.reason) if webhook.reason else None
    return {
        "id": webhook.id,
        "received_at": webhook.received_at,
        "channel": webhook.channel,
        "provider": webhook.provider,
        "method": webhook.method,
        "path": webhook.path,
        "query": webhook.query,
        "headers": webhook.headers,
        "body_bytes": webhook.body_bytes,
        "state": webhook.state,
        "reason": webhook.reason,
        "words": reason and reason.words,
        "next_step": reason and reason.next_step,
        "crashes": webhook.crashes,
        "messages": webhook.messages,
        "automatic_events": webhook.automatic_events,
        "duplicates": webhook.duplicates,
        "ignored": [
            {"reason": code, "count": count, "words": IGNORED.get(code, "")}
            for code, count in sorted((webhook.ignored or {}).items())
        ],
        "finished_at": webhook.finished_at,
        "erased_at": webhook.erased_at,
    }


def open_body(
    conn: psycopg.Connection[Any], ring: KeyRing, webhook: WebhookRow, *, actor: str, workspace: str | None = None
) -> Any:
    """A webhook's body without secrets and pictures: parsed if it can be, else as text. The audit log keeps who asked.

    Raises CannotDecrypt, and NotFoundError when the body was deleted.
    """
    if webhook.erased_at is not None:
        raise NotFoundError("Its body was deleted, since somebody in it was erased at their request.")
    audit.record(conn, actor=actor, action="webhook.body", subject=f"webhook:{webhook.id}", workspace=workspace)
    return readable_body(ring.open(webhook_body(conn, webhook)), webhook.headers.get("content-type", ""))


def readable_body(body: bytes, content_type: str) -> Any:
    """A body as JSON values, form fields or text, in this order; secrets and pictures taken out."""
    try:
        return strip_payload(json.loads(body))
    except (ValueError, RecursionError):
        pass
    text = body.decode("utf-8", "replace")
    if "form-urlencoded" in content_type:
        return strip_payload(dict(parse_qsl(text, keep_blank_values=True)))
    return strip_payload(text)
