"""Reading the whole way of one message: webhook, message, touchpoint, conversion, deliveries, attempts."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from shared.db.results import DeliveryRow, deliveries_named, deliveries_of

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True, repr=False)
class MessageRow:
    """One message; `author_id` is the contact it came from, `contact_id` the one that was merged into."""

    id: int
    message_id: str
    channel: str
    workspace: str
    author_id: int
    contact_id: int
    message_class: str
    kind: str | None
    sent_at: datetime | None
    received_at: datetime
    webhook_id: UUID
    webhook_received_at: datetime
    is_test: bool


@dataclass(frozen=True, kw_only=True, repr=False)
class TouchpointRow:
    """One ad message, with its click id in clear."""

    id: int
    message_class: str
    click_id: str | None
    click_hash: str | None
    ad_id: str | None
    source_type: str | None
    source_url: str | None
    source_app: str | None
    headline: str | None
    body: str | None
    media_type: str | None
    media_url: str | None
    conversion_token: str | None
    flags: list[str]
    occurred_at: datetime
    click_purged_at: datetime | None


@dataclass(frozen=True, kw_only=True, repr=False)
class ConversionRow:
    """One conversion."""

    id: UUID
    channel: str | None
    event_name: str
    occurred_at: datetime
    value: Decimal | None
    currency: str | None
    order_id: str | None
    source: str
    touchpoint_id: int | None
    attribution: str
    created_at: datetime
    is_test: bool


@dataclass(frozen=True, kw_only=True, repr=False)
class AttemptRow:
    """One try of one delivery, with the request it was part of and what Meta answered. `body` is redacted."""

    delivery_id: int
    number: int
    request_id: UUID
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    graph_version: str
    events: int
    body: dict[str, Any]
    verdict: str | None
    http_status: int | None
    code: int | None
    subcode: int | None
    events_received: int | None
    trace_id: str | None
    title: str | None
    message: str | None
    milliseconds: int | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Identity:
    """One name of a contact, sealed under SECRET_KEYS."""

    kind: str
    ciphertext: bytes | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Trace:
    """The way of one message or conversion, as far as it went."""

    message: MessageRow | None
    identities: list[Identity]
    touchpoint: TouchpointRow | None
    conversion: ConversionRow | None
    deliveries: list[DeliveryRow]
    attempts: list[AttemptRow]


def find_trace(conn: psycopg.Connection[Any], reference: str) -> Trace | None:
    """The trace of a delivery id, a conversion id, an event id or a provider's message id, looked for in this order.

    A delivery or event id gives that delivery alone; the others give all there are. None: nothing has that id.
    """
    deliveries = deliveries_named(conn, reference)
    if deliveries:
        return _of_conversion(conn, deliveries[0].conversion_id, deliveries)
    if conversion_id := _uuid(reference):
        return _of_conversion(conn, conversion_id, None)
    return _of_message(conn, reference)


def _of_conversion(
    conn: psycopg.Connection[Any], conversion_id: UUID, deliveries: list[DeliveryRow] | None
) -> Trace | None:
    conversion = _one(conn, ConversionRow, f"{_CONVERSION} where c.id = %s", conversion_id)
    if conversion is None:
        return None
    touchpoint = _one(conn, TouchpointRow, f"{_TOUCHPOINT} where t.id = %s", conversion.touchpoint_id)
    message = _one(
        conn,
        MessageRow,
        f"{_MESSAGE} join touchpoints t on t.message_id = m.id where t.id = %s",
        conversion.touchpoint_id,
    )
    return _complete(conn, message, touchpoint, conversion, deliveries)


def _of_message(conn: psycopg.Connection[Any], message_id: str) -> Trace | None:
    message = _one(conn, MessageRow, f"{_MESSAGE} where m.message_id = %s order by m.id desc limit 1", message_id)
    if message is None:
        return None
    touchpoint = _one(conn, TouchpointRow, f"{_TOUCHPOINT} where t.message_id = %s", message.id)
    conversion = None
    if touchpoint is not None:
        own = f"{_CONVERSION} where c.touchpoint_id = %s order by c.created_at limit 1"
        # A click is one Lead, whichever of its messages came first.
        same_click = (
            f"{_CONVERSION} where c.workspace = %s and c.click_hash = %s and c.order_id is null"
            " order by c.created_at limit 1"
        )
        conversion = _one(conn, ConversionRow, own, touchpoint.id) or _one(
            conn, ConversionRow, same_click, message.workspace, touchpoint.click_hash
        )
    if conversion is None:
        made = f"{_CONVERSION} where c.contact_id = any(%s) and c.message_id = %s order by c.created_at limit 1"
        conversion = _one(conn, ConversionRow, made, [message.author_id, message.contact_id], message.id)
    return _complete(conn, message, touchpoint, conversion, None)


def _complete(
    conn: psycopg.Connection[Any],
    message: MessageRow | None,
    touchpoint: TouchpointRow | None,
    conversion: ConversionRow | None,
    deliveries: list[DeliveryRow] | None,
) -> Trace:
    if deliveries is None:
        deliveries = deliveries_of(conn, conversion.id) if conversion else []
    with conn.cursor(row_factory=class_row(AttemptRow)) as cursor:
        attempts = cursor.execute(_ATTEMPTS, [[delivery.id for delivery in deliveries]]).fetchall()
    with conn.cursor(row_factory=class_row(Identity)) as cursor:
        identities = cursor.execute(
            "select kind, ciphertext from contact_identities where contact_id = any(%s) order by kind, id",
            [[message.author_id, message.contact_id] if message else []],
        ).fetchall()
    return Trace(
        message=message,
        identities=identities,
        touchpoint=touchpoint,
        conversion=conversion,
        deliveries=deliveries,
        attempts=attempts,
    )


_MESSAGE = """
select m.id, m.message_id, ch.name as channel, ch.workspace, co.id as author_id,
       coalesce(co.merged_into, co.id) as contact_id, m.class as message_class, m.kind, m.sent_at, m.received_at,
       m.webhook_id, m.webhook_received_at, m.is_test
from messages m join channels ch on ch.id = m.channel_id join contacts co on co.id = m.contact_id
"""
_TOUCHPOINT = """
select t.id, t.class as message_class, t.click_id, t.click_hash, t.ad_id, t.source_type, t.source_url, t.source_app,
       t.headline, t.body, t.media_type, t.media_url, t.conversion_token, t.flags, t.occurred_at, t.click_purged_at
from touchpoints t
"""
_CONVERSION = """
select c.id, ch.name as channel, c.event_name, c.occurred_at, c.value, c.currency, c.order_id, c.source,
       c.touchpoint_id, c.attribution, c.created_at, c.is_test
from conversions c left join channels ch on ch.id = c.channel_id
"""
_ATTEMPTS = """
select a.delivery_id, a.number, a.request_id, a.started_at, a.finished_at, a.outcome, r.graph_version, r.events,
       r.body, r.verdict, r.http_status, r.code, r.subcode, r.events_received, r.trace_id, r.title, r.message,
       r.milliseconds
from attempts a join capi_requests r on r.id = a.request_id
where a.delivery_id = any(%s) order by a.delivery_id, a.number
"""


def _one(conn: psycopg.Connection[Any], row: type[Row], query: str, *parameters: Any) -> Row | None:
    with conn.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(query, parameters).fetchone()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
