"""Stores reported items: conversions together, what is said of contacts one by one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import DataError, IntegrityError

from shared.db.channels import IntakeChannel
from shared.db.contact_changes import ContactChange
from shared.db.touchpoints import ImportedTouchpoint, insert_imported, set_first_touches
from shared.domain.submissions import (
    SubmittedConsent,
    SubmittedConversion,
    SubmittedStage,
    SubmittedTags,
    SubmittedTouchpoint,
)
from workers.contact_changes import Happened, change_contact
from workers.conversions import store_conversions
from workers.reattribution import reattribute
from workers.reported import Reported
from workers.submitted import End, Entry, Matched

#: Told of every change of a contact that took effect, in the transaction that made it; how many deliveries of what it
#: made of it can be sent now.
Offer = Callable[[psycopg.Connection[Any], Happened], int]


def batches(matched: Sequence[Matched]) -> Iterator[list[Matched]]:
    """What can be stored together, in order: conversions of one workspace that come one after the other, else one."""
    for are_conversions, run in groupby(matched, key=lambda one: isinstance(one.entry.item, SubmittedConversion)):
        if are_conversions:
            by_workspace: dict[str, list[Matched]] = {}
            for one in run:
                by_workspace.setdefault(one.entry.workspace, []).append(one)
            yield from by_workspace.values()
        else:
            yield from ([one] for one in run)


def settle(
    conn: psycopg.Connection[Any],
    batch: Sequence[Matched],
    channels: Mapping[int, IntakeChannel],
    *,
    now: datetime,
    offer: Offer,
    guarded: bool,
) -> dict[UUID, End]:
    """Stores a batch; where it is guarded and the database refuses it, half of it and then the other half, down to the
    item that is to blame."""
    if not guarded:
        return _store(conn, batch, channels, now=now, offer=offer)
    try:
        with conn.transaction():
            return _store(conn, batch, channels, now=now, offer=offer)
    except (DataError, IntegrityError, ValueError, LookupError) as error:
        if len(batch) == 1:
            return {batch[0].entry.id: End(state="refused", reason="cannot_be_stored", detail=type(error).__name__)}
    half = len(batch) // 2
    ends: dict[UUID, End] = {}
    for part in (batch[:half], batch[half:]):
        ends |= settle(conn, part, channels, now=now, offer=offer, guarded=guarded)
    return ends


def _store(
    conn: psycopg.Connection[Any],
    batch: Sequence[Matched],
    channels: Mapping[int, IntakeChannel],
    *,
    now: datetime,
    offer: Offer,
) -> dict[UUID, End]:
    entry, contact_id = batch[0].entry, batch[0].contact_id
    match entry.item:
        case SubmittedConversion():
            return _store_conversions(conn, batch, channels, now=now)
        case SubmittedTouchpoint() as touchpoint:
            return {entry.id: _store_touchpoint(conn, entry, touchpoint, contact_id, channels, now=now)}
        case SubmittedStage() | SubmittedTags() | SubmittedConsent() as said:
            return {entry.id: _store_change(conn, entry, said, contact_id, offer=offer)}


def _store_conversions(
    conn: psycopg.Connection[Any],
    batch: Sequence[Matched],
    channels: Mapping[int, IntakeChannel],
    *,
    now: datetime,
) -> dict[UUID, End]:
    stored = store_conversions(conn, [_reported(one) for one in batch], channels=channels, now=now)
    return {
        one.entry.id: End(
            state=end.state,
            reason=end.reason,
            detail=end.detail,
            contact_id=one.contact_id,
            conversion_id=end.conversion_id,
            ready=end.ready,
        )
        for one, end in zip(batch, stored, strict=True)
    }


def _reported(one: Matched) -> Reported:
    assert isinstance(one.entry.item, SubmittedConversion)
    return Reported(
        id=one.entry.id,
        workspace=one.entry.workspace,
        source="csv" if one.entry.submitted.origin == "csv" else "api",
        contact_id=one.contact_id,
        item=one.entry.item,
        given_click_hash=one.click_hash,
        may_send=one.entry.submitted.may_send,
        is_test=one.entry.is_test,
        submission_id=one.entry.id,
    )


def _store_change(
    conn: psycopg.Connection[Any],
    entry: Entry,
    item: SubmittedStage | SubmittedTags | SubmittedConsent,
    contact_id: int,
    *,
    offer: Offer,
) -> End:
    changed = change_contact(conn, _changes(entry, item, contact_id))
    ready = changed.ready + sum(offer(conn, happened) for happened in changed.happened)
    state = "stored" if changed.new else "duplicate"
    return End(state=state, reason=None if changed.new else "same_change", contact_id=contact_id, ready=ready)


def _store_touchpoint(
    conn: psycopg.Connection[Any],
    entry: Entry,
    item: SubmittedTouchpoint,
    contact_id: int,
    channels: Mapping[int, IntakeChannel],
    *,
    now: datetime,
) -> End:
    channel = next((one for one in channels.values() if one.name == item.channel), None)
    if channel is None:
        return End(state="refused", reason="channel_unknown", detail=item.channel, contact_id=contact_id)
    touchpoint_id = insert_imported(
        conn,
        ImportedTouchpoint(
            contact_id=contact_id,
            channel_id=channel.id,
            external_id=item.external_id,
            occurred_at=item.occurred_at,
            ad_id=item.ad_id,
            source_url=item.source_url,
            headline=item.headline,
            source_app=item.source_app,
            is_test=entry.is_test or channel.is_test,
        ),
    )
    if touchpoint_id is None:
        return End(state="duplicate", reason="same_touchpoint", contact_id=contact_id)
    set_first_touches(conn, [touchpoint_id])
    ready = reattribute(conn, [contact_id], now=now)
    return End(state="stored", contact_id=contact_id, ready=ready)


def _changes(
    entry: Entry, item: SubmittedStage | SubmittedTags | SubmittedConsent, contact_id: int
) -> list[ContactChange]:
    def change(kind: str, value: str | None) -> ContactChange:
        return ContactChange(
            contact_id=contact_id,
            kind=kind,
            value=value,
            occurred_at=item.occurred_at,
            source=entry.submitted.origin,
            actor=entry.submitted.actor,
            submission_id=entry.id,
        )

    match item:
        case SubmittedStage():
            return [change("stage", item.stage)]
        case SubmittedTags():
            return [change("tag_removed", tag) for tag in item.remove] + [change("tag_added", tag) for tag in item.add]
        case SubmittedConsent():
            return [change("consent_given" if item.given else "consent_withdrawn", item.origin)]
