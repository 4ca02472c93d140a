"""The whole way of one message, in plain words: what was received, made of it, sent, and answered."""

from collections.abc import Mapping
from typing import Any

import psycopg

from console.errors import NotFoundError
from console.privacy import named, shorten_click_id
from console.sales import conversion_story
from console.setup.datasets import explained_pause
from shared.crypto import KeyRing
from shared.db import audit
from shared.db.datasets import dataset_by_name
from shared.db.results import DeliveryRow, day_dropped_at, webhook_by_id
from shared.db.traces import AttemptRow, Identity, MessageRow, TouchpointRow, Trace, find_trace
from shared.domain.reasons import Reason, explain
from shared.domain.sentences import sentence
from shared.logs import redact_text

_NOTHING = sentence("Nothing: this is as it should be.")
_STATES: Mapping[str, Reason] = {
    "accepted": Reason(words=sentence("Meta has accepted the event."), next_step=sentence("Nothing: it is done.")),
    "pending": Reason(
        words=sentence("The event waits to be sent."), next_step=sentence("Nothing: it is sent when it is due.")
    ),
    "sending": Reason(
        words=sentence("The event is being sent right now."), next_step=sentence("Nothing: look again in a minute.")
    ),
}
_MESSAGES: Mapping[str, Reason] = {
    "organic": Reason(
        words=sentence("The contact wrote on their own: the message names no ad. Such messages are never reported."),
        next_step=_NOTHING,
    ),
    "post": Reason(
        words=sentence("The message came from the button of an organic post, which is not an ad."),
        next_step=sentence("Nothing, unless these should be reported: ctwa channels set NAME --posts send"),
    ),
}
_NO_DATASET = Reason(
    words=sentence("The channel had no dataset when the message came, so there was nowhere to send the event."),
    next_step=sentence("Give it one: ctwa channels set NAME --dataset DATASET. It holds for messages to come."),
)
_NOT_YET = Reason(
    words=sentence("No conversion was made of this message."),
    next_step=sentence("Nothing, if the same click was reported by another message."),
)


def trace(
    conn: psycopg.Connection[Any],
    ring: KeyRing,
    reference: str,
    *,
    reveal: bool,
    actor: str,
    workspace: str | None = None,
) -> dict[str, Any]:
    """Everything known of a delivery, conversion, event or message id, JSON-ready; `docs/cli.md` has its form.

    Phones and click ids are shortened unless `reveal`, which the audit log keeps under `workspace`. NotFoundError.
    """
    found = find_trace(conn, reference)
    if found is None:
        raise NotFoundError(
            "Nothing has that id. Give the id of a delivery (see `ctwa deliveries`), event, conversion or message."
        )
    if reveal:
        subject = f"delivery:{found.deliveries[0].id}" if found.deliveries else f"message:{_row_id(found)}"
        audit.record(conn, actor=actor, action="trace.reveal", subject=subject, workspace=workspace)
    summary = _summary(found)
    return {
        "words": summary.words if summary else None,
        "next_step": summary.next_step if summary else None,
        "webhook": _webhook(conn, found.message) if found.message else None,
        "message": _message(ring, found.message, found.identities, reveal=reveal) if found.message else None,
        "touchpoint": _touchpoint(found.touchpoint, reveal=reveal) if found.touchpoint else None,
        "conversion": _conversion(conn, found),
        "deliveries": [
            _delivery(conn, delivery, [one for one in found.attempts if one.delivery_id == delivery.id])
            for delivery in found.deliveries
        ],
    }


def explain_delivery(conn: psycopg.Connection[Any], delivery: DeliveryRow) -> Reason:
    """Why a delivery is where it is, and what to do; a pause of its dataset goes before its own reason."""
    if delivery.state == "pending":
        dataset = dataset_by_name(conn, delivery.dataset)
        pause = explained_pause(dataset) if dataset else None
        if pause:
            return Reason(
                words=sentence("The dataset is paused: {words}", words=pause["words"]), next_step=pause["next_step"]
            )
        if delivery.dry_run_at:
            return Reason(
                words=sentence("Dry run: the event was built and checked, and not sent."),
                next_step=sentence(
                    "Send it and all others: ctwa datasets set {name} --sending on", name=delivery.dataset
                ),
            )
    if delivery.reason and delivery.state != "accepted":
        return explain(delivery.reason)
    return _STATES.get(delivery.state) or explain(delivery.state)


def _summary(found: Trace) -> Reason | None:
    """Why there is no delivery; None when there is one, which explains itself."""
    if found.deliveries:
        return None
    if found.conversion:
        return _NO_DATASET
    return _MESSAGES.get(found.message.message_class if found.message else "", _NOT_YET)


def _row_id(found: Trace) -> object:
    return found.message.id if found.message else found.conversion.id if found.conversion else None


def _webhook(conn: psycopg.Connection[Any], message: MessageRow) -> dict[str, Any]:
    webhook = webhook_by_id(conn, message.webhook_id)
    erased_at = webhook.erased_at if webhook else None
    return {
        "id": message.webhook_id,
        "received_at": message.webhook_received_at,
        "state": webhook.state if webhook else None,
        "body": "erased" if erased_at else "kept" if webhook else "deleted",
        "body_deleted_at": erased_at if webhook else day_dropped_at(conn, message.webhook_received_at),
    }


def _message(ring: KeyRing, message: MessageRow, identities: list[Identity], *, reveal: bool) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "channel": message.channel,
        "class": message.message_class,
        "kind": message.kind,
        "sent_at": message.sent_at,
        "received_at": message.received_at,
        "contact": {
            "id": message.contact_id,
            "identities": [named(ring, one.kind, one.ciphertext, reveal=reveal) for one in identities],
        },
        "test": message.is_test,
    }


def _touchpoint(touchpoint: TouchpointRow, *, reveal: bool) -> dict[str, Any]:
    return {
        "class": touchpoint.message_class,
        "click_id": _shown(touchpoint.click_id, reveal=reveal),
        "click_id_purged_at": touchpoint.click_purged_at,
        "ad_id": touchpoint.ad_id,
        "source_type": touchpoint.source_type,
        "source_url": touchpoint.source_url,
        "source_app": touchpoint.source_app,
        "headline": touchpoint.headline,
        "body": touchpoint.body,
        "media_type": touchpoint.media_type,
        "media_url": touchpoint.media_url,
        "conversion_data": _shown(touchpoint.conversion_token, reveal=reveal),
        "flags": touchpoint.flags,
        "occurred_at": touchpoint.occurred_at,
    }


def _shown(value: str | None, *, reveal: bool) -> str | None:
    return value if value is None or reveal else shorten_click_id(value)


def _conversion(conn: psycopg.Connection[Any], found: Trace) -> dict[str, Any] | None:
    conversion = found.conversion
    if conversion is None:
        return None
    return {
        "id": conversion.id,
        "event_name": conversion.event_name,
        "occurred_at": conversion.occurred_at,
        "value": conversion.value,
        "currency": conversion.currency,
        "order_id": conversion.order_id,
        "source": conversion.source,
        "attribution": conversion.attribution,
        "other_message": bool(found.touchpoint)
        and conversion.touchpoint_id != (found.touchpoint and found.touchpoint.id),
        "created_at": conversion.created_at,
        "test": conversion.is_test,
        **conversion_story(conn, conversion.id),
    }


def _delivery(conn: psycopg.Connection[Any], delivery: DeliveryRow, attempts: list[AttemptRow]) -> dict[str, Any]:
    why = explain_delivery(conn, delivery)
    return {
        "id": delivery.id,
        "dataset": delivery.dataset,
        "state": delivery.state,
        "reason": delivery.reason,
        "words": why.words,
        "next_step": why.next_step,
        "event_name": delivery.event_name,
        "event_id": delivery.event_id,
        "event_time": delivery.event_time,
        "created_at": delivery.created_at,
        "next_attempt_at": delivery.next_attempt_at,
        "dry_run_at": delivery.dry_run_at,
        "accepted_at": delivery.accepted_at,
        "finished_at": delivery.finished_at,
        "test": delivery.is_test,
        "attempts": [_attempt(attempt, delivery.event_id) for attempt in attempts],
    }


def _attempt(attempt: AttemptRow, event_id: str) -> dict[str, Any]:
    sent = [event for event in attempt.body.get("data", []) if event.get("event_id") == event_id]
    return {
        "number": attempt.number,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
        "outcome": attempt.outcome,
        "verdict": attempt.verdict,
        "http_status": attempt.http_status,
        "code": attempt.code,
        "subcode": attempt.subcode,
        "events": attempt.events,
        "events_received": attempt.events_received,
        "trace_id": attempt.trace_id,
        "title": attempt.title and redact_text(attempt.title),
        "message": attempt.message and redact_text(attempt.message),
        "milliseconds": attempt.milliseconds,
        "graph_version": attempt.graph_version,
        "request_id": attempt.request_id,
        "event": sent[0] if sent else None,
    }
