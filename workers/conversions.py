"""Stores conversions that somebody reported or a rule made: to which click each belongs, whether it is a new one, what
it changes of others, and its delivery.

Everything happens in the caller's transaction, in rounds: a round stores together what does not bear upon one another,
the next one what does, so that a later item of the same request sees the earlier ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from shared.db.channels import IntakeChannel
from shared.db.contact_changes import consents
from shared.db.conversion_changes import insert_changes
from shared.db.conversions import NewConversion, find_conversions, insert_conversions, twins_among
from shared.db.deliveries import NewDelivery, insert_deliveries
from shared.domain.business_keys import CORRECTIONS, PURCHASE
from shared.domain.deliveries import State
from workers.births import new_delivery
from workers.corrections import corrections_of
from workers.reattribution import reattribute
from workers.repeats import store_repeat
from workers.reported import Reported, Stored
from workers.sightings import Sighting, look_at, named_channel, part
from workers.worth import Worth, worth_of

#: A round looks at no more than this, whatever a batch of requests holds.
LARGEST_ROUND = 500
#: After so many rounds the rest goes one by one: everything that is said of one order, say.
MOST_ROUNDS = 4


@dataclass(frozen=True, kw_only=True, repr=False)
class _Birth:
    """A conversion that is not known yet, and what it was made of."""

    conversion: NewConversion
    sighting: Sighting
    worth: Worth


def store_conversions(
    conn: psycopg.Connection[Any],
    reported: Sequence[Reported],
    *,
    channels: Mapping[int, IntakeChannel],
    now: datetime,
) -> list[Stored]:
    """Stores each of these, or finds what it repeats or changes; in order, as if one was stored after the other.

    All are of one workspace; `channels` are its, by id.
    """
    ends: dict[UUID, Stored] = {}
    for start in range(0, len(reported), LARGEST_ROUND):
        waiting = list(reported[start : start + LARGEST_ROUND])
        rounds = 0
        while waiting:
            size = len(waiting) if rounds < MOST_ROUNDS else 1
            ended, later = _store_round(conn, waiting[:size], channels, now=now)
            ends |= ended
            waiting = later + waiting[size:]
            rounds += 1
    return [ends[one.id] for one in reported]


def _store_round(
    conn: psycopg.Connection[Any], reported: Sequence[Reported], channels: Mapping[int, IntakeChannel], *, now: datetime
) -> tuple[dict[UUID, Stored], list[Reported]]:
    """What became of those that could be stored together, and those that wait for them."""
    ends: dict[UUID, Stored] = {}
    readable = []
    for one in reported:
        if (one.item.channel or one.channel_id) and named_channel(one, channels) is None:
            ends[one.id] = Stored(state="refused", reason="channel_unknown", detail=one.item.channel)
        else:
            readable.append(one)
    if not readable:
        return ends, []
    births = []
    sightings, later = part(look_at(conn, readable[0].workspace, readable, channels))
    for sighting in sightings:
        own = sighting.reported
        worth = worth_of(own.item, channel=sighting.channel, target=sighting.target, siblings=sighting.siblings)
        if isinstance(worth, Stored):
            ends[own.id] = worth
        elif sighting.known:
            ends[own.id] = store_repeat(conn, sighting.known, own, worth, now=now)
        else:
            births.append(_Birth(conversion=_conversion(sighting, worth), sighting=sighting, worth=worth))
    return ends | _bear(conn, births, now=now), later


def _bear(conn: psycopg.Connection[Any], births: Sequence[_Birth], *, now: datetime) -> dict[UUID, Stored]:
    """Stores conversions that are new, with what they change and their deliveries."""
    births = _flag_twins(conn, births)
    new = insert_conversions(conn, [birth.conversion for birth in births])
    born = [birth for birth in births if birth.conversion.id in new]
    ready = _deliver(conn, born, now=now)
    insert_changes(
        conn,
        [
            change
            for birth in born
            for change in corrections_of(birth.conversion, birth.sighting.siblings, birth.sighting.reported)
        ],
    )
    ends = {}
    for birth in born:
        own, also_ready = birth.conversion, 0
        if birth.sighting.siblings and own.event_name == PURCHASE:
            # What was reported of the order before it is of its click, too.
            also_ready = reattribute(conn, [own.contact_id], now=now)
        ends[own.id] = Stored(state="stored", conversion_id=own.id, ready=ready.get(own.id, 0) + also_ready)
    return ends | _repeat(conn, [birth for birth in births if birth.conversion.id not in new], now=now)


def _repeat(conn: psycopg.Connection[Any], births: Sequence[_Birth], *, now: datetime) -> dict[UUID, Stored]:
    """What somebody else stored at the same moment."""
    if not births:
        return {}
    workspace = births[0].conversion.workspace
    found = find_conversions(conn, workspace, [birth.sighting.known_by for birth in births])
    ends = {}
    for birth, known in zip(births, found, strict=True):
        if known is None:
            raise LookupError("a conversion is known and can't be found")
        reported = birth.sighting.reported
        ends[reported.id] = store_repeat(conn, known, reported, birth.worth, now=now)
    return ends


def _flag_twins(conn: psycopg.Connection[Any], births: Sequence[_Birth]) -> list[_Birth]:
    """Two with the same amount look like one, but for an event that takes an order back: it is of that order."""
    twins = twins_among(
        conn,
        [
            (birth.conversion, birth.sighting.family)
            for birth in births
            if birth.conversion.value is not None and birth.conversion.event_name not in CORRECTIONS
        ],
    )
    return [
        replace(birth, conversion=replace(birth.conversion, flags=(*birth.conversion.flags, "maybe_twin")))
        if birth.conversion.id in twins
        else birth
        for birth in births
    ]


def _deliver(conn: psycopg.Connection[Any], births: Sequence[_Birth], *, now: datetime) -> dict[UUID, int]:
    """Stores the deliveries of those that a dataset is told of; how many of each can be sent now."""
    told = [birth for birth in births if birth.sighting.target is not None]
    if not told:
        return {}
    agreed = consents(conn, [birth.conversion.contact_id for birth in told])
    deliveries = [_delivery(birth, consent=agreed.get(birth.conversion.contact_id), now=now) for birth in told]
    insert_deliveries(conn, deliveries)
    return {one.conversion_id: int(one.state == State.PENDING) for one in deliveries}


def _delivery(birth: _Birth, *, consent: bool | None, now: datetime) -> NewDelivery:
    touch, target = birth.sighting.touch, birth.sighting.target
    assert target is not None
    return new_delivery(
        birth.conversion,
        target,
        now=now,
        has_click_id=touch is not None and touch.has_click_id,
        attributed=touch is not None,
        consent=consent,
        may_send=birth.sighting.reported.may_send,
    )


def _conversion(sighting: Sighting, worth: Worth) -> NewConversion:
    reported, channel = sighting.reported, sighting.channel
    item = reported.item
    return NewConversion(
        id=reported.id,
        workspace=reported.workspace,
        contact_id=sighting.family[0],
        channel_id=channel.id if channel else None,
        event_name=item.event_name,
        occurred_at=item.occurred_at,
        value=worth.value,
        currency=worth.currency,
        order_id=item.order_id,
        source=reported.source,
        touchpoint_id=sighting.attribution.touchpoint_id,
        attribution=sighting.attribution.reason,
        business_key=sighting.key.key,
        click_hash=sighting.key.click_hash,
        is_test=reported.is_test or bool(channel and channel.is_test),
        contents=item.contents,
        custom_data=item.custom_data,
        cost=item.cost if worth.currency else None,
        flags=(*sighting.attribution.flags, *worth.flags),
        given_click_hash=reported.given_click_hash,
        submission_id=reported.submission_id,
        rule_id=reported.rule_id,
        rule_version=reported.rule_version,
        message_id=reported.message_id,
        due_after=reported.due_after,
    )
