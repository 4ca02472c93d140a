"""What is known of reported conversions: of which click, channel and order each is, and whether it is there already.

All of a round are looked up together, so that fifty cost as many statements as one.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from shared.db.channels import IntakeChannel
from shared.db.contacts import families_of, last_channels_of
from shared.db.conversions import (
    KnownBy,
    StoredConversion,
    conversions_of_orders,
    find_conversions,
    lock_clicks,
    lock_orders,
)
from shared.db.touchpoints import TouchRow, touches_of
from shared.domain.attribution import Attribution, attribute
from shared.domain.business_keys import PURCHASE, BusinessKey, belongs_to_order, business_key, order_key, purchase_among
from workers.reported import Reported


@dataclass(frozen=True, kw_only=True, repr=False)
class Sighting:
    """A reported conversion and what is known of it.

    `family` is its contact and those merged into it, `siblings` what was reported of its order, `touch` the touchpoint
    that it belongs to. `channel` is that of the sale; `target` the one whose dataset is told.
    """

    reported: Reported
    family: tuple[int, ...]
    siblings: Sequence[StoredConversion]
    attribution: Attribution
    touch: TouchRow | None
    channel: IntakeChannel | None
    target: IntakeChannel | None
    key: BusinessKey
    known: StoredConversion | None = None

    @property
    def known_by(self) -> KnownBy:
        return KnownBy(
            event_name=self.reported.item.event_name,
            keys=(self.key.key, *self.key.known_as),
            click_hash=self.key.click_hash,
        )


def named_channel(reported: Reported, channels: Mapping[int, IntakeChannel]) -> IntakeChannel | None:
    """The channel that the report names; None, too, where there is none like it."""
    if reported.channel_id is not None:
        return channels.get(reported.channel_id)
    return next((one for one in channels.values() if one.name == reported.item.channel), None)


def look_at(
    conn: psycopg.Connection[Any], workspace: str, reported: Sequence[Reported], channels: Mapping[int, IntakeChannel]
) -> list[Sighting]:
    """Looks at reported conversions of one workspace, in order, as the tables are now. `channels` are its, by id.

    Locks their orders, clicks and contacts first, and then what is known already: whoever stores the same waits.
    """
    items = [one.item for one in reported]
    lock_orders(conn, workspace, [order_key(item.order_source, item.order_id) for item in items if item.order_id])
    clicks = [one.given_click_hash for one in reported if one.given_click_hash]
    lock_clicks(conn, [(workspace, click) for click in clicks])
    families = families_of(conn, [one.contact_id for one in reported])
    touches = _Touches(touches_of(conn, workspace, [family[0] for family in families.values()], click_hashes=clicks))
    siblings = _by_order(conversions_of_orders(conn, workspace, [item.order_id for item in items if item.order_id]))
    sightings = [
        _sighting(one, families[one.contact_id], touches, _siblings(one, siblings), channels) for one in reported
    ]
    sightings = _with_usual_channels(conn, sightings, channels)
    known = find_conversions(conn, workspace, [one.known_by for one in sightings])
    return [replace(one, known=found) for one, found in zip(sightings, known, strict=True)]


def part(sightings: Iterable[Sighting]) -> tuple[list[Sighting], list[Reported]]:
    """Those that no earlier one of them can bear upon, and the others: to be looked at again when those are stored."""
    met: set[Hashable] = set()
    sources: defaultdict[Hashable, set[str]] = defaultdict(set)
    first: list[Sighting] = []
    later: list[Reported] = []
    for one in sightings:
        marks = _marks(one)
        # The same amount of the same contact is worth a flag if two sources report it.
        item = one.reported.item
        of_amount = sources[one.family[0], item.event_name, item.value] if item.value is not None else set()
        if met & marks or of_amount - {one.reported.source}:
            later.append(one.reported)
        else:
            first.append(one)
        met |= marks
        of_amount.add(one.reported.source)
    return first, later


def _marks(one: Sighting) -> set[Hashable]:
    item = one.reported.item
    marks: set[Hashable] = {("key", item.event_name, key) for key in one.known_by.keys}
    if one.key.click_hash:
        marks.add(("click", item.event_name, one.key.click_hash))
    if item.order_id:
        marks.add(("order", item.order_id))
    if one.known:
        marks.add(one.known.id)
    return marks


class _Touches:
    """Touchpoints by whose they are, and by their click."""

    def __init__(self, rows: Iterable[TouchRow]) -> None:
        self._of_contact: defaultdict[int, list[TouchRow]] = defaultdict(list)
        self._of_click: defaultdict[str, list[TouchRow]] = defaultdict(list)
        for row in rows:
            self._of_contact[row.contact_id].append(row)
            if row.click_hash:
                self._of_click[row.click_hash].append(row)

    def of(self, contact_id: int, click_hash: str | None) -> dict[int, TouchRow]:
        """Those of a contact, and those of a click named besides; by id."""
        rows = [*self._of_contact.get(contact_id, ()), *self._of_click.get(click_hash or "", ())]
        return {row.id: row for row in rows}


def _by_order(stored: Iterable[StoredConversion]) -> dict[str, list[StoredConversion]]:
    found: defaultdict[str, list[StoredConversion]] = defaultdict(list)
    for one in stored:
        found[one.order_id or ""].append(one)
    return found


def _siblings(reported: Reported, by_order: Mapping[str, list[StoredConversion]]) -> list[StoredConversion]:
    item = reported.item
    if not item.order_id:
        return []
    of_any_shop = by_order.get(item.order_id, ())
    return [one for one in of_any_shop if belongs_to_order(one.business_key, item.order_source, item.order_id)]


def _sighting(
    reported: Reported,
    family: tuple[int, ...],
    touches: _Touches,
    siblings: Sequence[StoredConversion],
    channels: Mapping[int, IntakeChannel],
) -> Sighting:
    own = touches.of(family[0], reported.given_click_hash)
    attribution = _attribution(reported, own, siblings)
    touch = own.get(attribution.touchpoint_id or 0)
    channel = named_channel(reported, channels) or channels.get(touch.channel_id if touch else 0)
    key = business_key(
        reported.item,
        contact_ids=family,
        click_hash=touch.click_hash if touch else reported.given_click_hash,
        message_id=f"{reported.channel_id}:{reported.provider_message_id}",
        once=reported.once,
    )
    return Sighting(
        reported=reported,
        family=family,
        siblings=siblings,
        attribution=attribution,
        touch=touch,
        channel=channel,
        target=_target(touch, channel, channels),
        key=key,
    )


def _attribution(
    reported: Reported, touches: Mapping[int, TouchRow], siblings: Sequence[StoredConversion]
) -> Attribution:
    """The click of the order's purchase, if it has one: what becomes of an order is no later click's doing."""
    item = reported.item
    purchase = purchase_among(siblings)
    if item.event_name != PURCHASE and purchase and purchase.touchpoint_id in touches:
        return Attribution(touchpoint_id=purchase.touchpoint_id, reason="order")
    return attribute(
        [row.touch(named=reported.given_click_hash) for row in touches.values()],
        occurred_at=item.occurred_at,
        click_named=reported.given_click_hash is not None,
    )


def _target(
    touch: TouchRow | None, channel: IntakeChannel | None, channels: Mapping[int, IntakeChannel]
) -> IntakeChannel | None:
    """The channel whose dataset is told: that of the click, for Meta knows it there; else that of the sale."""
    clicked = channels.get(touch.channel_id) if touch else None
    return next((one for one in (clicked, channel) if one is not None and one.dataset_id is not None), None)


def _with_usual_channels(
    conn: psycopg.Connection[Any], sightings: Sequence[Sighting], channels: Mapping[int, IntakeChannel]
) -> list[Sighting]:
    """Gives those that neither name a channel nor have a click the contact's last one, or the workspace's only one."""
    last = last_channels_of(conn, [one.family for one in sightings if one.channel is None])
    only = next(iter(channels.values())) if len(channels) == 1 else None
    return [
        one if one.channel else _in_channel(one, channels.get(last.get(one.family[0], 0), only), channels)
        for one in sightings
    ]


def _in_channel(one: Sighting, channel: IntakeChannel | None, channels: Mapping[int, IntakeChannel]) -> Sighting:
    return replace(one, channel=channel, target=_target(one.touch, channel, channels))
