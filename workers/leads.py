"""From stored ad messages to touchpoints, automatic Leads and their deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from shared.db.channels import IntakeChannel
from shared.db.conversions import NewConversion, complete_with_clicks, insert_conversions
from shared.db.deliveries import NewDelivery, insert_deliveries
from shared.db.messages import NewTouchpoint, insert_touchpoints
from shared.domain.attribution import LEAD, AutomaticLead, automatic_lead, hash_click_id
from shared.domain.deliveries import HOLD_BATCH, LARGEST_BATCH, State, birth, event_id_for, unknown_policy
from shared.domain.messages import Message
from shared.ids import uuid7


@dataclass(frozen=True, kw_only=True)
class AdMessage:
    """A message that names an ad or post, as stored. `row_id` is the message's row."""

    row_id: int
    contact_id: int
    channel: IntakeChannel
    message: Message
    occurred_at: datetime


def store_leads(conn: psycopg.Connection[Any], ad_messages: Sequence[AdMessage], *, now: datetime) -> int:
    """Writes touchpoints, and the conversion and delivery of each new click; how many deliveries are ready to send."""
    touchpoints = insert_touchpoints(conn, [_touchpoint(one) for one in ad_messages])
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
    deliveries = [
        _delivery(*born[conversion_id], now=now)
        for conversion_id in born
        if conversion_id in new and born[conversion_id][1].channel.dataset_id is not None
    ]
    insert_deliveries(conn, deliveries)
    return len(completed) + sum(delivery.state == State.PENDING for delivery in deliveries)


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


def _delivery(conversion: NewConversion, one: AdMessage, *, now: datetime) -> NewDelivery:
    channel, referral = one.channel, one.message.referral
    assert channel.dataset_id is not None
    assert channel.dataset_meta_id is not None
    assert referral is not None
    state, reason = birth(
        event_time=conversion.occurred_at,
        now=now,
        has_click_id=conversion.click_hash is not None,
        attributed=True,
        needs_value=False,
        value=conversion.value,
        sending="off" if channel.dataset_sending == "off" else "on",
    )
    held = unknown_policy(conversion.event_name, False, channel.dataset_unknown_policy) == "hold"
    return NewDelivery(
        conversion_id=conversion.id,
        dataset_id=channel.dataset_id,
        event_name=conversion.event_name,
        business_key=conversion.business_key,
        event_id=event_id_for(
            channel.dataset_meta_id,
            conversion.event_name,
            conversion.business_key,
            referral.conversion_data,
            automatic_lead=conversion.click_hash is not None,
        ),
        event_time=conversion.occurred_at,
        has_value=conversion.value is not None,
        state=state.value,
        reason=reason,
        batch_cap=HOLD_BATCH if held else LARGEST_BATCH,
        is_test=conversion.is_test,
    )
