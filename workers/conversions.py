"""Stores conversions that somebody reported or a rule made: to which click each belongs, whether it is a new one, what
it changes of others, and its delivery.

Everything happens in the caller's transaction, one conversion after the other, so that a later item of the same request
sees the earlier ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import psycopg

from shared.capi.event_names import NEEDS_CURRENCY, NEEDS_VALUE
from shared.db.channels import IntakeChannel
from shared.db.contact_changes import consents
from shared.db.contacts import family_of, last_channel_of
from shared.db.conversion_changes import NewChange, insert_change
from shared.db.conversions import (
    NewConversion,
    StoredConversion,
    conversions_of_order,
    find_conversion,
    has_twin,
    insert_conversions,
    lock_clicks,
    lock_order,
)
from shared.db.deliveries import insert_deliveries
from shared.db.touchpoints import TouchRow, touches_of
from shared.domain.attribution import Attribution, attribute
from shared.domain.business_keys import CORRECTIONS, BusinessKey, Once, belongs_to_order, business_key, order_key
from shared.domain.deliveries import State
from shared.domain.submissions import SubmittedConversion
from workers.births import new_delivery
from workers.reattribution import reattribute
from workers.values import amend

_PURCHASE = "Purchase"


@dataclass(frozen=True, kw_only=True, repr=False)
class Reported:
    """One conversion as it came: what was said of it, by whom, and the contact it was found to be about.

    `given_click_hash` is the click id that the report named. A rule says `once`, the message it fired on (our row's id,
    and the provider's), and a delay in `due_after`.
    """

    id: UUID
    workspace: str
    source: Literal["api", "csv", "rule"]
    contact_id: int
    item: SubmittedConversion
    given_click_hash: str | None = None
    channel_id: int | None = None
    may_send: bool = True
    is_test: bool = False
    submission_id: UUID | None = None
    once: Once = Once.REPORTED
    rule_id: int | None = None
    rule_version: int | None = None
    message_id: int | None = None
    provider_message_id: str | None = None
    due_after: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What became of it: `state` and `reason` as in `submissions`, the conversion it is, changes or repeats, and how
    many deliveries can be sent now."""

    state: Literal["stored", "duplicate", "changed", "refused"]
    reason: str | None = None
    detail: str | None = None
    conversion_id: UUID | None = None
    ready: int = 0


def store_conversion(
    conn: psycopg.Connection[Any], reported: Reported, *, channels: Mapping[int, IntakeChannel], now: datetime
) -> Stored:
    """Stores it, or finds what it repeats or changes. `channels` are the workspace's, by id."""
    item = reported.item
    order = order_key(item.order_source, item.order_id) if item.order_id else None
    if order:
        lock_order(conn, reported.workspace, order)
    if reported.given_click_hash:
        lock_clicks(conn, [(reported.workspace, reported.given_click_hash)])
    named = _named_channel(reported, channels)
    if named is None and (item.channel or reported.channel_id):
        return Stored(state="refused", reason="channel_unknown", detail=item.channel)
    contacts = family_of(conn, reported.contact_id)
    touches = {
        row.id: row for row in touches_of(conn, reported.workspace, contacts[0], click_hash=reported.given_click_hash)
    }
    siblings = conversions_of_order(conn, reported.workspace, item.order_id) if item.order_id else []
    siblings = [one for one in siblings if belongs_to_order(one.business_key, item.order_source, item.order_id or "")]
    attribution = _attribution(reported, touches, siblings)
    touch = touches.get(attribution.touchpoint_id or 0)
    channel = named or channels.get(touch.channel_id if touch else 0) or _usual_channel(conn, contacts, channels)
    key = business_key(
        item,
        contact_ids=contacts,
        click_hash=touch.click_hash if touch else reported.given_click_hash,
        message_id=f"{reported.channel_id}:{reported.provider_message_id}",
        once=reported.once,
    )
    target = _target(touch, channel, channels)
    refused, money = _money(item, channel, target, siblings)
    if refused:
        return refused
    known = _find(conn, reported, key)
    if known is None:
        conversion = _conversion(reported, contacts[0], attribution, channel, key, money)
        if has_value_of_its_own(conversion) and has_twin(conn, conversion, contacts):
            conversion = replace(conversion, flags=(*conversion.flags, "maybe_twin"))
        if insert_conversions(conn, [conversion]):
            ready = _deliver(conn, conversion, touch, target, reported, now=now)
            _correct(conn, conversion, item, siblings, reported)
            if siblings and conversion.event_name == _PURCHASE:
                # What was reported of the order before it is of its click, too.
                ready += reattribute(conn, contacts[:1], now=now)
            return Stored(state="stored", conversion_id=conversion.id, ready=ready)
        # Somebody else stored the same at the same moment.
        known = _find(conn, reported, key)
        if known is None:
            raise LookupError("a conversion is known and can't be found")
    return _again(conn, known, reported, money, now=now)


def has_value_of_its_own(conversion: NewConversion) -> bool:
    """Whether two of these with the same amount look like one: an event that takes an order back is of that order."""
    return conversion.value is not None and conversion.event_name not in CORRECTIONS


@dataclass(frozen=True)
class _Money:
    value: Decimal | None
    currency: str | None
    flags: tuple[str, ...] = ()


def _money(
    item: SubmittedConversion,
    channel: IntakeChannel | None,
    target: IntakeChannel | None,
    siblings: Sequence[StoredConversion],
) -> tuple[Stored | None, _Money]:
    """The value and its currency, where need be that of the order or the channel; or why it is refused."""
    nothing = _Money(None, None)
    purchase = next((one for one in siblings if one.event_name == _PURCHASE), None)
    if item.value == 0 and item.event_name in NEEDS_VALUE and not (target and target.dataset_allow_zero_value):
        return Stored(state="refused", reason="zero_value"), nothing
    if item.event_name in CORRECTIONS and purchase and item.currency and purchase.currency not in (None, item.currency):
        return Stored(state="refused", reason="currency_differs", detail=purchase.currency), nothing
    if item.currency or (item.value is None and item.event_name not in NEEDS_CURRENCY - NEEDS_VALUE):
        return None, _Money(item.value, item.currency)
    if purchase and purchase.currency:
        return None, _Money(item.value, purchase.currency)
    if channel and channel.currency:
        flags = ("currency_from_channel",) if item.value is not None else ()
        return None, _Money(item.value, channel.currency, flags)
    if item.value is None:
        return None, nothing
    return Stored(state="refused", reason="currency_unknown"), nothing


def _named_channel(reported: Reported, channels: Mapping[int, IntakeChannel]) -> IntakeChannel | None:
    if reported.channel_id is not None:
        return channels.get(reported.channel_id)
    return next((one for one in channels.values() if one.name == reported.item.channel), None)


def _usual_channel(
    conn: psycopg.Connection[Any], contacts: Sequence[int], channels: Mapping[int, IntakeChannel]
) -> IntakeChannel | None:
    """The channel of the contact's last message, or the workspace's only one."""
    last = channels.get(last_channel_of(conn, contacts) or 0)
    if last is not None:
        return last
    return next(iter(channels.values())) if len(channels) == 1 else None


def _target(
    touch: TouchRow | None, channel: IntakeChannel | None, channels: Mapping[int, IntakeChannel]
) -> IntakeChannel | None:
    """The channel whose dataset is told: that of the click, for Meta knows it there; else that of the sale."""
    clicked = channels.get(touch.channel_id) if touch else None
    return next((one for one in (clicked, channel) if one is not None and one.dataset_id is not None), None)


def _attribution(
    reported: Reported, touches: Mapping[int, TouchRow], siblings: Sequence[StoredConversion]
) -> Attribution:
    """The click of the order's purchase, if it has one: what becomes of an order is no later click's doing."""
    item = reported.item
    purchase = next((one for one in siblings if one.event_name == _PURCHASE), None)
    if item.event_name != _PURCHASE and purchase and purchase.touchpoint_id in touches:
        return Attribution(touchpoint_id=purchase.touchpoint_id, reason="order")
    return attribute(
        [row.touch(named=reported.given_click_hash) for row in touches.values()],
        occurred_at=item.occurred_at,
        click_named=reported.given_click_hash is not None,
    )


def _find(conn: psycopg.Connection[Any], reported: Reported, key: BusinessKey) -> StoredConversion | None:
    keys = [key.key, *key.known_as]
    return find_conversion(conn, reported.workspace, reported.item.event_name, keys, click_hash=key.click_hash)


def _conversion(
    reported: Reported,
    contact_id: int,
    attribution: Attribution,
    channel: IntakeChannel | None,
    key: BusinessKey,
    money: _Money,
) -> NewConversion:
    item = reported.item
    return NewConversion(
        id=reported.id,
        workspace=reported.workspace,
        contact_id=contact_id,
        channel_id=channel.id if channel else None,
        event_name=item.event_name,
        occurred_at=item.occurred_at,
        value=money.value,
        currency=money.currency,
        order_id=item.order_id,
        source=reported.source,
        touchpoint_id=attribution.touchpoint_id,
        attribution=attribution.reason,
        business_key=key.key,
        click_hash=key.click_hash,
        is_test=reported.is_test or bool(channel and channel.is_test),
        contents=item.contents,
        custom_data=item.custom_data,
        cost=item.cost if money.currency else None,
        flags=(*attribution.flags, *money.flags),
        given_click_hash=reported.given_click_hash,
        submission_id=reported.submission_id,
        rule_id=reported.rule_id,
        rule_version=reported.rule_version,
        message_id=reported.message_id,
        due_after=reported.due_after,
    )


def _deliver(
    conn: psycopg.Connection[Any],
    conversion: NewConversion,
    touch: TouchRow | None,
    target: IntakeChannel | None,
    reported: Reported,
    *,
    now: datetime,
) -> int:
    if target is None:
        return 0
    delivery = new_delivery(
        conversion,
        target,
        now=now,
        has_click_id=touch is not None and touch.has_click_id,
        attributed=touch is not None,
        consent=consents(conn, [conversion.contact_id]).get(conversion.contact_id),
        may_send=reported.may_send,
    )
    insert_deliveries(conn, [delivery])
    return int(delivery.state == State.PENDING)


def _again(
    conn: psycopg.Connection[Any],
    known: StoredConversion,
    reported: Reported,
    money: _Money,
    *,
    now: datetime,
) -> Stored:
    """What another report of a known conversion says of it: nothing new, its first value, or another one."""
    if known.id == reported.id:
        return Stored(state="stored", conversion_id=known.id)
    item = reported.item
    if money.value is None:
        return Stored(state="duplicate", reason=_why_known(known), conversion_id=known.id)
    if known.value is not None and item.currency not in (None, known.currency):
        return Stored(state="refused", reason="currency_differs", detail=known.currency, conversion_id=known.id)
    change = NewChange(
        conversion_id=known.id,
        kind="value" if known.value is None else "amendment",
        value=money.value,
        currency=item.currency or known.currency or money.currency,
        occurred_at=item.occurred_at,
        source=reported.source,
        business_key=(item.order_id and item.idempotency_key) or f"{item.occurred_at.isoformat()}={money.value:f}",
        submission_id=reported.submission_id,
        is_test=reported.is_test,
        detail={"before": None if known.value is None else f"{known.value:f}"},
    )
    if known.value is not None and (known.value == money.value or not item.amends):
        same = known.value == money.value
        return Stored(
            state="duplicate",
            reason=_why_known(known) if same else "duplicate_other_value",
            conversion_id=known.id,
        )
    if not insert_change(conn, change):
        return Stored(state="duplicate", reason=_why_known(known), conversion_id=known.id)
    ready = amend(conn, known, change, flags=money.flags if change.currency == money.currency else (), now=now)
    return Stored(state="changed", reason=change.kind, conversion_id=known.id, ready=ready)


_SAME = {
    "order": "same_order",
    "idem": "same_key",
    "event": "same_key",
    "click": "same_click",
    "msg": "same_message",
    "contact": "same_contact",
}


def _why_known(known: StoredConversion) -> str:
    return _SAME.get(known.business_key.partition(":")[0], "same_conversion")


def _correct(
    conn: psycopg.Connection[Any],
    conversion: NewConversion,
    item: SubmittedConversion,
    siblings: Sequence[StoredConversion],
    reported: Reported,
) -> None:
    """Applies what takes an order back to its purchase, whichever of the two was reported first."""
    if conversion.event_name == _PURCHASE:
        for one in siblings:
            if one.event_name in CORRECTIONS:
                _take_back(conn, conversion.id, conversion.currency, one, source=reported.source, of=reported)
    elif conversion.event_name in CORRECTIONS:
        purchase = next((one for one in siblings if one.event_name == _PURCHASE), None)
        if purchase:
            correction = StoredConversion(
                id=conversion.id,
                contact_id=conversion.contact_id,
                channel_id=conversion.channel_id,
                event_name=conversion.event_name,
                occurred_at=item.occurred_at,
                value=conversion.value,
                currency=conversion.currency,
                touchpoint_id=None,
                attribution=conversion.attribution,
                business_key=conversion.business_key,
                flags=[],
                due_after=None,
            )
            _take_back(conn, purchase.id, purchase.currency, correction, source=reported.source, of=reported)


def _take_back(
    conn: psycopg.Connection[Any],
    purchase_id: UUID,
    purchase_currency: str | None,
    correction: StoredConversion,
    *,
    source: str,
    of: Reported,
) -> None:
    in_other_currency = correction.value is not None and purchase_currency not in (None, correction.currency)
    insert_change(
        conn,
        NewChange(
            conversion_id=purchase_id,
            kind=CORRECTIONS[correction.event_name],
            value=correction.value,
            currency=correction.currency if correction.value is not None else None,
            occurred_at=correction.occurred_at,
            source=source,
            business_key=correction.business_key,
            submission_id=of.submission_id,
            is_test=of.is_test,
            detail={"conversion": str(correction.id)} | ({"other_currency": True} if in_other_currency else {}),
        ),
    )
