"""Conversions that Meta detected itself (its automatic events): kept beside ours, and reported only where that is said.

Meta counts what it detected. What of that reaches a dataset is the dataset's policy: `show` keeps it and sends
nothing; `instead` does too, and holds our own event of the same name and touchpoint back; `echo` reports it, marked as
Meta's own; `ignore` keeps nothing.
(https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/automatic_events)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from shared.capi.event_names import inside_name
from shared.db.channels import IntakeChannel
from shared.db.contact_changes import consents
from shared.db.conversions import NewConversion, complete_with_clicks, insert_conversions
from shared.db.deliveries import insert_deliveries, withhold_duplicates
from shared.db.messages import TouchpointOf, complete_touchpoint, touchpoint_of_message
from shared.domain.attribution import hash_click_id, message_time
from shared.domain.deliveries import State
from shared.domain.messages import AutomaticEvent
from shared.ids import uuid7
from workers.births import new_delivery


@dataclass(frozen=True, kw_only=True)
class Report:
    """One automatic event, and the channel and time it came by."""

    channel: IntakeChannel
    event: AutomaticEvent
    received_at: datetime


@dataclass(frozen=True)
class Stored:
    """How many deliveries are ready to be sent, and how many events were about messages that we don't have."""

    ready: int
    unknown: int


def store_automatic_events(conn: psycopg.Connection[Any], reports: Sequence[Report], *, now: datetime) -> Stored:
    """Writes the conversions of these events, and completes touchpoints with the click ids they bring."""
    ready = unknown = 0
    for report in reports:
        occurred_at = message_time(report.event.at, report.received_at)
        click_hash = hash_click_id(report.event.click_id) if report.event.click_id else None
        key = (report.channel.id, report.event.message_id)
        found = touchpoint_of_message(conn, key, click_hash=click_hash, before=occurred_at)
        if found is None:
            unknown += 1
            continue
        if click_hash is not None and found.touchpoint_id is not None and found.click_hash is None:
            complete_touchpoint(conn, found.touchpoint_id, str(report.event.click_id), click_hash)
            ready += len(complete_with_clicks(conn, {found.touchpoint_id: click_hash}))
        ready += _store(conn, report, found, click_hash or found.click_hash, occurred_at, now=now)
    return Stored(ready, unknown)


def _store(
    conn: psycopg.Connection[Any],
    report: Report,
    found: TouchpointOf,
    click_hash: str | None,
    occurred_at: datetime,
    *,
    now: datetime,
) -> int:
    channel, event = report.channel, report.event
    event_name = inside_name(event.event_name)
    if event_name is None or channel.dataset_automatic_policy == "ignore":
        return 0
    conversion = NewConversion(
        id=uuid7(),
        workspace=channel.workspace,
        contact_id=found.contact_id,
        channel_id=channel.id,
        event_name=event_name,
        occurred_at=occurred_at,
        value=event.value if event.currency else None,
        currency=event.currency if event.value is not None else None,
        order_id=None,
        source="meta_automatic",
        touchpoint_id=found.touchpoint_id,
        attribution="detected_by_meta",
        business_key=f"meta:{channel.id}:{event.message_id}",
        # Once per click is the rule for our own events; Meta's stand beside them.
        click_hash=None,
        is_test=channel.is_test,
    )
    if not insert_conversions(conn, [conversion]) or channel.dataset_id is None:
        return 0
    if channel.dataset_automatic_policy == "instead" and found.touchpoint_id is not None:
        withhold_duplicates(conn, found.touchpoint_id, event_name)
    delivery = new_delivery(
        conversion,
        channel,
        now=now,
        has_click_id=click_hash is not None,
        attributed=conversion.touchpoint_id is not None,
        consent=consents(conn, [found.contact_id]).get(found.contact_id),
        counted_by_meta=channel.dataset_automatic_policy != "echo",
    )
    insert_deliveries(conn, [delivery])
    return int(delivery.state == State.PENDING)
