"""From stored ad messages to touchpoints, automatic Leads and their deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from shared.db.channels import IntakeChannel
from shared.db.contact_changes import consents
from shared.db.contacts import lock_contacts
from shared.db.conversions import NewConversion, complete_with_clicks, insert_conversions, lock_clicks
from shared.db.deliveries import NewDelivery, insert_deliveries
from shared.db.messages import NewTouchpoint, insert_touchpoints
from shared.db.touchpoints import set_first_touches
from shared.domain.attribution import LEAD, AutomaticLead, automatic_lead, hash_click_id
from shared.domain.deliveries import State
from shared.domain.messages import Message
from shared.ids import uuid7
from workers.births import new_delivery
from workers.reattribution import clicks_came


@dataclass(frozen=True, kw_only=True)
class AdMessage:
    """A message that names an ad or post, as stored. `row_id` is the message's row."""

    row_id: int
    contact_id: int
    channel: IntakeChannel
    message: Message
    occurred_at: datetime


def store_leads(conn: psycopg.Connection[Any], ad_messages: Sequence[AdMessage], *, now: datetime) -> int:
    """Writes touchpoints, and the conversion and delivery of each new click; how many deliveries are ready to send.

    Sales that were reported before their click's message came may find their click in it.
    """
    if not ad_messages:
        return 0
    clicks = [
        (one.channel.workspace, hash_click_id(one.message.referral.click_id))
        for one in ad_messages
        if one.message.referral is not None and one.message.referral.click_id is not None
    ]
    # A sale that is being stored at this moment must either see these clicks or be seen.
    lock_clicks(conn, clicks)
    lock_contacts(conn, [one.contact_id for one in ad_messages])
    touchpoints = insert_touchpoints(conn, [_touchpoint(one) for one in ad_messages])
    set_first_touches(conn, list(touchpoints.values()))
    stored = [one for one in ad_messages if one.row_id in touchpoints]
    completed = complete_with_clicks(
        conn,
        {
            touchpoints[one.row_id]: hash_click_id(one.message.referral.click_id)
            for one in stored
            if one.message.referral is not None and one.message.referral.click_id is not None
        },
    )
    born: dict[UUID, tuple[NewConversion, AdMessage]] = {}
    for one in stored:
        lead = _lead(one)
        if lead is not None and touchpoints[one.row_id] not in completed:
            conversion = _conversion(one, lead, touchpoints[one.row_id])
            born[conversion.id] = (conversion, one)
    new = insert_conversions(conn, [conversion for conversion, _ in born.values()])
    agreed = consents(conn, [born[conversion_id][0].contact_id for conversion_id in new])
    deliveries = [
        _delivery(*born[conversion_id], consent=agreed.get(born[conversion_id][0].contact_id), now=now)
        for conversion_id in born
        if conversion_id in new and born[conversion_id][1].channel.dataset_id is not None
    ]
    insert_deliveries(conn, deliveries)
    late = clicks_came(conn, clicks, [one.contact_id for one in stored], now=now)
    return len(completed) + late + sum(delivery.state == State.PENDING for delivery in deliveries)


def _lead(one: AdMessage) -> AutomaticLead | None:
    return automatic_lead(
        one.message.message_class,
        one.message.referral,
        contact_id=one.contact_id,
        occurred_at=one.occurred_at,
        post_policy=one.channel.post_policy,
    )


def _touchpoint(one: AdMessage) -> NewTouchpoint:
    referral = one.message.referral
    assert referral is not None
    return NewTouchpoint(
        message_id=one.row_id,
        contact_id=one.contact_id,
        channel_id=one.channel.id,
        message_class=one.message.message_class.value,
        click_id=referral.click_id,
        click_hash=hash_click_id(referral.click_id) if referral.click_id else None,
        ad_id=referral.source_id,
        source_type=referral.source_type,
        source_url=referral.source_url,
        source_app=referral.source_app,
        headline=referral.headline,
        body=referral.body,
        media_type=referral.media_type,
        media_url=referral.media_url,
        conversion_token=referral.conversion_data,
        flags=list(referral.flags),
        occurred_at=one.occurred_at,
        is_test=one.channel.is_test,
    )


def _conversion(one: AdMessage, lead: AutomaticLead, touchpoint_id: int) -> NewConversion:
    return NewConversion(
        id=uuid7(),
        workspace=one.channel.workspace,
        contact_id=one.contact_id,
        channel_id=one.channel.id,
        event_name=LEAD,
        occurred_at=one.occurred_at,
        value=None,
        currency=None,
        order_id=None,
        source="message",
        touchpoint_id=touchpoint_id,
        attribution=lead.attribution,
        business_key=lead.business_key,
        click_hash=lead.click_hash,
        is_test=one.channel.is_test,
    )


def _delivery(conversion: NewConversion, one: AdMessage, *, consent: bool | None, now: datetime) -> NewDelivery:
    assert one.message.referral is not None
    has_click_id = conversion.click_hash is not None
    return new_delivery(
        conversion,
        one.channel,
        now=now,
        has_click_id=has_click_id,
        consent=consent,
        conversion_token=one.message.referral.conversion_data,
        automatic_lead=has_click_id,
    )
