"""What becomes of each item that a business reported: stored, a duplicate, a change of something known, or refused.

No item is lost: what can't be used is kept as refused, with the reason in words.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import DataError, IntegrityError

from shared.db.channels import IntakeChannel, workspace_channels
from shared.db.contact_changes import ContactChange
from shared.db.submissions import (
    NewSubmission,
    Reporter,
    insert_submissions,
    settled_submissions,
    touch_api_keys,
)
from shared.db.touchpoints import ImportedTouchpoint, insert_imported, set_first_touches
from shared.domain.submissions import (
    KINDS,
    Item,
    SubmittedConsent,
    SubmittedConversion,
    SubmittedStage,
    SubmittedTags,
    SubmittedTouchpoint,
)
from shared.ids import item_id
from workers.contact_changes import Happened, change_contact
from workers.conversions import Reported, store_conversion
from workers.identities import Identities
from workers.people import Found, Subject, find_people
from workers.reattribution import reattribute

#: Told of every change of a contact that took effect, in the transaction that made it; how many deliveries of what it
#: made of it can be sent now.
Offer = Callable[[psycopg.Connection[Any], Happened], int]


@dataclass(frozen=True)
class Refusal:
    """An item that couldn't be read: a reason code, and in words what is wrong with it."""

    reason: str
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Submitted:
    """One request or file part: who reported, and its items in order. `origin` is api, csv or console, `actor` who."""

    webhook_id: UUID
    received_at: datetime
    reporter: Reporter
    path: str
    items: Sequence[Item | Refusal]
    origin: str = "api"
    actor: str | None = None
    may_send: bool = True

    @property
    def kind(self) -> str:
        """What its items are, as `submissions` calls it."""
        return KINDS[self.path]


@dataclass(frozen=True, kw_only=True, repr=False)
class _Entry:
    """One item to look at."""

    id: UUID
    submitted: Submitted
    item: Item

    @property
    def is_test(self) -> bool:
        return self.submitted.reporter.is_test

    @property
    def workspace(self) -> str:
        return self.submitted.reporter.workspace


@dataclass(frozen=True, kw_only=True)
class _End:
    """What became of one item, as far as the table wants to know."""

    state: str
    reason: str | None = None
    detail: str | None = None
    contact_id: int | None = None
    conversion_id: UUID | None = None
    ready: int = 0


@dataclass(frozen=True, kw_only=True)
class Settled:
    """How many deliveries can be sent now, and for each request how many of its items were known already."""

    ready: int = 0
    duplicates: Mapping[UUID, int] = field(default_factory=dict)
    #: Requests in which somebody stands who has been erased.
    erased: Collection[UUID] = ()


def store_submissions(
    conn: psycopg.Connection[Any],
    identities: Identities,
    requests: Sequence[Submitted],
    *,
    now: datetime,
    offer: Offer = lambda _conn, _happened: 0,
    guarded: bool = False,
) -> Settled:
    """Stores the items of these requests and writes down what became of each.

    `guarded`: an item that the database refuses is refused alone, behind a savepoint; without it, its error is raised.
    """
    if not requests:
        return Settled()
    known = settled_submissions(conn, [one.webhook_id for one in requests])
    entries, ends = _entries(requests, known)
    channels = workspace_channels(conn, sorted({one.reporter.workspace for one in requests}))
    subjects = [
        Subject(
            workspace=one.workspace,
            is_test=one.is_test,
            person=one.item.person,
            at=min(one.item.occurred_at, one.submitted.received_at),
        )
        for one in entries
    ]
    for entry, found in zip(entries, find_people(conn, identities, subjects), strict=True):
        ends[entry.id] = _settle(conn, entry, found, channels[entry.workspace], now=now, offer=offer, guarded=guarded)
    submissions = [
        _submission(one, item_id(one.webhook_id, place), ends[item_id(one.webhook_id, place)])
        for one in requests
        for place in range(len(one.items))
        if item_id(one.webhook_id, place) in ends
    ]
    insert_submissions(conn, submissions)
    used = [(one.reporter.source_id, one.received_at) for one in requests if one.reporter.source == "api_key"]
    touch_api_keys(conn, used)
    return Settled(
        ready=sum(end.ready for end in ends.values()),
        duplicates={
            one.webhook_id: sum(
                item_id(one.webhook_id, place) in known or ends[item_id(one.webhook_id, place)].state == "duplicate"
                for place in range(len(one.items))
            )
            for one in requests
        },
        erased={entry.submitted.webhook_id for entry in entries if ends[entry.id].reason == "erased"},
    )


def _entries(requests: Sequence[Submitted], known: set[UUID]) -> tuple[list[_Entry], dict[UUID, _End]]:
    """The items to look at, and the ends of those that could not be read."""
    entries: list[_Entry] = []
    ends: dict[UUID, _End] = {}
    for one in requests:
        for place, item in enumerate(one.items):
            own_id = item_id(one.webhook_id, place)
            if own_id in known:
                continue
            if isinstance(item, Refusal):
                ends[own_id] = _End(state="refused", reason=item.reason, detail=item.detail)
            else:
                entries.append(_Entry(id=own_id, submitted=one, item=item))
    return entries, ends


def _settle(
    conn: psycopg.Connection[Any],
    entry: _Entry,
    found: Found,
    channels: Mapping[int, IntakeChannel],
    *,
    now: datetime,
    offer: Offer,
    guarded: bool,
) -> _End:
    if found.contact_id is None:
        return _End(state="refused", reason=found.reason)
    if not guarded:
        return _store(conn, entry, found, found.contact_id, channels, now=now, offer=offer)
    try:
        with conn.transaction():
            return _store(conn, entry, found, found.contact_id, channels, now=now, offer=offer)
    except (DataError, IntegrityError, ValueError, LookupError) as error:
        return _End(state="refused", reason="cannot_be_stored", detail=type(error).__name__)


def _store(
    conn: psycopg.Connection[Any],
    entry: _Entry,
    found: Found,
    contact_id: int,
    channels: Mapping[int, IntakeChannel],
    *,
    now: datetime,
    offer: Offer,
) -> _End:
    item = entry.item
    match item:
        case SubmittedConversion():
            return _store_conversion(conn, entry, item, found, contact_id, channels, now=now)
        case SubmittedTouchpoint():
            return _store_touchpoint(conn, entry, item, contact_id, channels, now=now)
        case SubmittedStage() | SubmittedTags() | SubmittedConsent():
            changes = _changes(entry, item, contact_id)
            changed = change_contact(conn, changes)
            ready = changed.ready + sum(offer(conn, happened) for happened in changed.happened)
            state = "stored" if changed.new else "duplicate"
            return _End(state=state, reason=None if changed.new else "same_change", contact_id=contact_id, ready=ready)


def _store_conversion(
    conn: psycopg.Connection[Any],
    entry: _Entry,
    item: SubmittedConversion,
    found: Found,
    contact_id: int,
    channels: Mapping[int, IntakeChannel],
    *,
    now: datetime,
) -> _End:
    stored = store_conversion(
        conn,
        Reported(
            id=entry.id,
            workspace=entry.workspace,
            source="csv" if entry.submitted.origin == "csv" else "api",
            contact_id=contact_id,
            item=item,
            given_click_hash=found.click_hash,
            may_send=entry.submitted.may_send,
            is_test=entry.is_test,
            submission_id=entry.id,
        ),
        channels=channels,
        now=now,
    )
    return _End(
        state=stored.state,
        reason=stored.reason,
        detail=stored.detail,
        contact_id=contact_id,
        conversion_id=stored.conversion_id,
        ready=stored.ready,
    )


def _store_touchpoint(
    conn: psycopg.Connection[Any],
    entry: _Entry,
    item: SubmittedTouchpoint,
    contact_id: int,
    channels: Mapping[int, IntakeChannel],
    *,
    now: datetime,
) -> _End:
    channel = next((one for one in channels.values() if one.name == item.channel), None)
    if channel is None:
        return _End(state="refused", reason="channel_unknown", detail=item.channel, contact_id=contact_id)
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
        return _End(state="duplicate", reason="same_touchpoint", contact_id=contact_id)
    set_first_touches(conn, [touchpoint_id])
    ready = reattribute(conn, [contact_id], now=now)
    return _End(state="stored", contact_id=contact_id, ready=ready)


def _changes(
    entry: _Entry, item: SubmittedStage | SubmittedTags | SubmittedConsent, contact_id: int
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


def _submission(one: Submitted, own_id: UUID, end: _End) -> NewSubmission:
    return NewSubmission(
        id=own_id,
        workspace=one.reporter.workspace,
        kind=one.kind,
        source=one.origin,
        api_key_id=one.reporter.source_id if one.reporter.source == "api_key" else None,
        webhook_id=one.webhook_id,
        webhook_received_at=one.received_at,
        state=end.state,
        reason=end.reason,
        detail=end.detail,
        contact_id=end.contact_id,
        conversion_id=end.conversion_id,
        is_test=one.reporter.is_test,
    )
