"""How deliveries come into being, whatever made the conversion: its dataset's policies decide whether it may go."""

from datetime import datetime

from shared.capi.event_names import NEEDS_VALUE
from shared.db.channels import IntakeChannel
from shared.db.conversions import NewConversion
from shared.db.deliveries import NewDelivery
from shared.domain.deliveries import HOLD_BATCH, LARGEST_BATCH, birth, event_id_for, unknown_policy


def consented(consent: bool | None, *, policy: str | None) -> bool:
    """Whether an event may go to a dataset of this policy with this word of the contact (None: never asked)."""
    return consent is True if policy == "required" else consent is not False


def batch_cap(channel: IntakeChannel, event_name: str, *, has_value: bool) -> int:
    """The most events in a request of this one: few, where an unknown outcome is left to a person."""
    held = unknown_policy(event_name, has_value, channel.dataset_unknown_policy) == "hold"
    return HOLD_BATCH if held else LARGEST_BATCH


def new_delivery(
    conversion: NewConversion,
    channel: IntakeChannel,
    *,
    now: datetime,
    has_click_id: bool,
    consent: bool | None,
    attributed: bool = True,
    may_send: bool = True,
    counted_by_meta: bool = False,
    conversion_token: str | None = None,
    automatic_lead: bool = False,
) -> NewDelivery:
    """The delivery of a conversion to the channel's dataset, which there has to be.

    `conversion_token` and `automatic_lead` make the event id, as `shared.domain.deliveries.event_id_for` says.
    """
    assert channel.dataset_id is not None
    assert channel.dataset_meta_id is not None
    state, reason = birth(
        event_time=conversion.occurred_at,
        now=now,
        has_click_id=has_click_id,
        attributed=attributed,
        needs_value=conversion.event_name in NEEDS_VALUE,
        value=conversion.value,
        sending="off" if channel.dataset_sending == "off" else "on",
        consented=consented(consent, policy=channel.dataset_consent_policy),
        may_send=may_send,
        counted_by_meta=counted_by_meta,
    )
    return NewDelivery(
        conversion_id=conversion.id,
        dataset_id=channel.dataset_id,
        event_name=conversion.event_name,
        business_key=conversion.business_key,
        event_id=event_id_for(
            channel.dataset_meta_id,
            conversion.event_name,
            conversion.business_key,
            conversion_token,
            automatic_lead=automatic_lead,
        ),
        event_time=conversion.occurred_at,
        has_value=conversion.value is not None,
        state=state.value,
        reason=reason,
        batch_cap=batch_cap(channel, conversion.event_name, has_value=conversion.value is not None),
        is_test=conversion.is_test,
        due_at=None if conversion.due_after is None else conversion.occurred_at + conversion.due_after,
    )
