"""What is or would be sent to Meta for one delivery, and what our own checks say of it."""

from datetime import UTC, datetime
from typing import Any

import psycopg

from console.errors import ConflictError, NotFoundError
from console.setup.datasets import dataset_named
from console.trace import explain_delivery
from shared.capi.payload import (
    OutgoingEvent,
    build_body,
    build_event,
    dataset_problem,
    redact_body,
    validate_event,
)
from shared.db.datasets import Dataset, profile_of
from shared.db.results import DeliveryRow, deliveries_named
from shared.db.traces import AttemptRow, Trace, find_trace
from shared.domain.deliveries import State, is_aged
from shared.domain.reasons import explain
from shared.domain.sentences import sentence

#: For these, what went out is the answer; the others would be built anew.
_WENT_OUT = (State.ACCEPTED, State.REJECTED, State.UNKNOWN, State.SENDING)
_SOME_HASH = "0" * 64
_FINE = sentence("It passes every check that is made before sending.")


def preview(conn: psycopg.Connection[Any], reference: str) -> dict[str, Any]:
    """The body for a delivery, given its id or event id: JSON-ready, the click id shortened; docs/cli.md has its form.

    Raises NotFoundError, and ConflictError for an event that goes to several datasets.
    """
    deliveries = deliveries_named(conn, reference)
    if not deliveries:
        raise NotFoundError("No delivery has that id. `ctwa deliveries` lists them.")
    if len(deliveries) > 1:
        ids = ", ".join(str(delivery.id) for delivery in deliveries)
        raise ConflictError(f"That event goes to several datasets. Give a delivery's id: {ids}.")
    [delivery] = deliveries
    trace = find_trace(conn, str(delivery.id))
    assert trace is not None
    dataset = dataset_named(conn, delivery.dataset)
    attempt = trace.attempts[-1] if trace.attempts and delivery.state in _WENT_OUT else None
    event = _event(delivery, trace, dataset)
    body = _sent(attempt, delivery.event_id) if attempt else _built(event, dataset)
    code = _verdict(event, dataset, now=attempt.started_at if attempt else datetime.now(UTC))
    if body is None and code is None:
        code = "event_cannot_be_built"
    why = explain_delivery(conn, delivery)
    return {
        "id": delivery.id,
        "dataset": delivery.dataset,
        "state": delivery.state,
        "state_words": why.words,
        "sent_at": attempt and attempt.started_at,
        "body": body,
        "verdict": code or "ok",
        "words": explain(code).words if code else _FINE,
        "next_step": explain(code).next_step if code else why.next_step,
    }


def _event(delivery: DeliveryRow, trace: Trace, dataset: Dataset) -> OutgoingEvent:
    """The same that sending builds, from the same columns. Hashes are shown by their place only, so any will do."""
    sealed = {identity.kind for identity in trace.identities if identity.ciphertext is not None}
    return OutgoingEvent(
        event_name=delivery.event_name,
        event_id=delivery.event_id,
        event_time=delivery.event_time,
        click_id=trace.touchpoint.click_id if trace.touchpoint else None,
        value=delivery.value,
        currency=delivery.currency,
        order_id=trace.conversion.order_id if trace.conversion else None,
        phone_hashes=(_SOME_HASH,) if dataset.send_phone and "phone" in sealed else (),
        email_hashes=(_SOME_HASH,) if dataset.send_email and "email" in sealed else (),
    )


def _verdict(event: OutgoingEvent, dataset: Dataset, *, now: datetime) -> str | None:
    """The reason code of the first of our own checks that fails, in the order in which sending makes them."""
    profile = profile_of(dataset)
    problem = dataset_problem(profile)
    if problem is None and is_aged(event.event_time, now):
        return "expired"
    return problem or validate_event(event, profile, now=now)


def _sent(attempt: AttemptRow, event_id: str) -> dict[str, Any]:
    """The body as it was sent, without the other events in it; it is kept redacted."""
    own = [event for event in attempt.body.get("data", []) if event.get("event_id") == event_id]
    return {**attempt.body, "data": own}


def _built(event: OutgoingEvent, dataset: Dataset) -> dict[str, Any] | None:
    """The body as it would be sent now; None when it can't be built, which the verdict explains."""
    try:
        body = build_body(
            [build_event(event, profile_of(dataset))], dataset.test_event_code if dataset.test_mode else None
        )
    except ValueError:
        return None
    return redact_body(body)
