"""What becomes of each item that a business reported: stored, a duplicate, a change of something known, or refused.

No item is lost: what can't be used is kept as refused, with the reason in words.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from shared.db.channels import workspace_channels
from shared.db.submissions import NewSubmission, insert_submissions, settled_submissions, touch_api_keys
from shared.ids import item_id
from workers.identities import Identities
from workers.items import Offer, batches, settle
from workers.people import Subject, find_people
from workers.submitted import End, Entry, Matched, Refusal, Submitted


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

    `guarded`: an item that the database refuses is refused alone, behind savepoints; without it, its error is raised.
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
    matched: list[Matched] = []
    for entry, found in zip(entries, find_people(conn, identities, subjects), strict=True):
        if found.contact_id is None:
            ends[entry.id] = End(state="refused", reason=found.reason)
        else:
            matched.append(Matched(entry=entry, contact_id=found.contact_id, click_hash=found.click_hash))
    for batch in batches(matched):
        own_channels = channels[batch[0].entry.workspace]
        ends |= settle(conn, batch, own_channels, now=now, offer=offer, guarded=guarded)
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


def _entries(requests: Sequence[Submitted], known: set[UUID]) -> tuple[list[Entry], dict[UUID, End]]:
    """The items to look at, and the ends of those that could not be read."""
    entries: list[Entry] = []
    ends: dict[UUID, End] = {}
    for one in requests:
        for place, item in enumerate(one.items):
            own_id = item_id(one.webhook_id, place)
            if own_id in known:
                continue
            if isinstance(item, Refusal):
                ends[own_id] = End(state="refused", reason=item.reason, detail=item.detail)
            else:
                entries.append(Entry(id=own_id, submitted=one, item=item))
    return entries, ends


def _submission(one: Submitted, own_id: UUID, end: End) -> NewSubmission:
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
