"""What rules would have made of the webhooks that are stored, before they are switched on. Nothing is written.

Stages and tags, and the first answers of people, are read from their history; everything else from the stored bodies.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from console.privacy import mask_identity
from console.replay import parse_stored
from shared.capi.event_names import inside_name
from shared.crypto import HashRing, KeyRing
from shared.db.contacts import find_contacts
from shared.db.messages import known_messages, place_of_message
from shared.db.rule_trials import TrialChange, conversion_keys_known, last_click, trial_changes
from shared.db.stored_bodies import StoredBody, count_stored, stored_bodies
from shared.domain.attribution import message_time
from shared.domain.messages import Message
from shared.domain.occasions import facts_of, facts_of_outgoing
from shared.domain.rules import Definition, Facts, Fired, Scope, Trigger, fires
from shared.domain.signals import OutgoingMessage
from shared.naming import identity_keys
from shared.providers.base import Parsed

#: Webhooks in memory at a time.
BATCH = 100
#: A trial for somebody who waits for it looks at no more webhooks; a command may look at all.
MOST_AT_ONCE = 5_000
SAMPLES = 5
_SAMPLE_TEXT = 60
_TRIGGERS = {"stage": Trigger.STAGE, "tag_added": Trigger.TAG}


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A rule to try: by its name, and in which channel (None: all of the workspace)."""

    name: str
    definition: Definition
    channel_id: int | None


@dataclass
class Result:
    """What one rule would have made. `fired` counts occasions, `new` the conversions that none there is repeats.

    `values` are sums by currency, and never one over two; `marks` count contacts by the stage or tag they would get;
    `samples` are texts with every digit but amounts hidden.
    """

    name: str
    fired: int = 0
    new: int = 0
    unattributed: int = 0
    without_value: int = 0
    values: dict[str, Decimal] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    keys: set[tuple[str, str]] = field(default_factory=set)
    marked: set[tuple[str, str, str]] = field(default_factory=set)


@dataclass
class Trial:
    """All of it: how many webhooks were read, and could not be."""

    webhooks: int = 0
    unreadable: int = 0
    results: list[Result] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, repr=False)
class _Happened:
    """One occasion, with whose it is if that is known."""

    facts: Facts
    channel_id: int | None
    currency: str | None
    contact_id: int | None
    at: datetime
    message_id: str
    person: str


def try_rules(
    conn: psycopg.Connection[Any],
    rings: tuple[KeyRing, HashRing],
    tried: list[Tried],
    *,
    workspace: str,
    since: datetime,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Trial:
    """Shows the rules everything since then. `progress` is told how many webhooks are read, of how many."""
    trial = Trial(results=[Result(one.name) for one in tried])
    wanted = {one.definition.on for one in tried}
    for happened in _stored(conn, rings, wanted, workspace, since, trial, progress):
        _consider(conn, tried, trial.results, happened, workspace)
    for change in trial_changes(conn, workspace=workspace, since=since):
        happened = _of_change(change)
        if happened.facts.happened & wanted:
            _consider(conn, tried, trial.results, happened, workspace)
    return trial


def _stored(
    conn: psycopg.Connection[Any],
    rings: tuple[KeyRing, HashRing],
    wanted: set[Trigger],
    workspace: str,
    since: datetime,
    trial: Trial,
    progress: Callable[[int, int], None],
) -> Iterator[_Happened]:
    total = count_stored(conn, since=since, workspace=workspace)
    after: UUID | None = None
    seen: set[tuple[int, str]] = set()
    while rows := stored_bodies(conn, since=since, workspace=workspace, after=after, limit=BATCH):
        for row in rows:
            trial.webhooks += 1
            parsed = parse_stored(row, rings[0], row.body)
            if isinstance(parsed, str):
                trial.unreadable += 1
            else:
                yield from _of_webhook(conn, rings[1], row, parsed, wanted, seen)
        since, after = rows[-1].received_at, rows[-1].id
        progress(trial.webhooks, max(total, trial.webhooks))


def _of_webhook(
    conn: psycopg.Connection[Any],
    ring: HashRing,
    row: StoredBody,
    parsed: Parsed,
    wanted: set[Trigger],
    seen: set[tuple[int, str]],
) -> Iterator[_Happened]:
    known = known_messages(conn, [(row.channel_id, one.message_id) for one in parsed.messages])
    for message in parsed.messages:
        key = (row.channel_id, message.message_id)
        if key in seen:
            continue
        seen.add(key)
        there = known.get(key)
        counts = Trigger.NUMBER in wanted and there is not None
        number = place_of_message(conn, there.id, there.contact_id) if counts and there else None
        facts = facts_of(message, number=number)
        yield _happened(row, facts, message, there.contact_id if there else None)
    for sent in parsed.outgoing:
        key = (row.channel_id, sent.message_id)
        if key not in seen:
            seen.add(key)
            facts = facts_of_outgoing(sent, is_first_reply=False)
            yield _happened(row, facts, sent, _contact_of(conn, ring, row.workspace, sent))
    if Trigger.AUTOMATIC not in wanted:
        return
    about = known_messages(conn, [(row.channel_id, event.message_id) for event in parsed.automatic_events])
    for event in parsed.automatic_events:
        there = about.get((row.channel_id, event.message_id))
        facts = Facts(
            happened=frozenset({Trigger.AUTOMATIC}),
            names=(inside_name(event.event_name) or event.event_name,),
            value=event.value if event.currency else None,
            currency=event.currency,
        )
        yield _Happened(
            facts=facts,
            channel_id=row.channel_id,
            currency=row.currency,
            contact_id=there.contact_id if there else None,
            at=message_time(event.at, row.received_at),
            message_id=event.message_id,
            person="detected by Meta",
        )


def _happened(row: StoredBody, facts: Facts, message: Message | OutgoingMessage, contact_id: int | None) -> _Happened:
    return _Happened(
        facts=facts,
        channel_id=row.channel_id,
        currency=row.currency,
        contact_id=contact_id,
        at=message_time(message.sent_at, row.received_at),
        message_id=message.message_id,
        person=mask_identity("phone", message.phone) if message.phone else "no phone",
    )


def _of_change(change: TrialChange) -> _Happened:
    trigger = _TRIGGERS.get(change.kind, Trigger.FIRST_REPLY)
    return _Happened(
        facts=Facts(happened=frozenset({trigger}), names=(change.value,) if change.value else ()),
        channel_id=change.channel_id,
        currency=change.currency,
        contact_id=change.contact_id,
        at=change.at,
        message_id=f"{change.kind} {change.id}",
        person=f"contact {change.contact_id}",
    )


def _contact_of(conn: psycopg.Connection[Any], ring: HashRing, workspace: str, sent: OutgoingMessage) -> int | None:
    for kind in ("bsuid", "phone", "lid", "provider_id"):
        value = getattr(sent, kind)
        found = find_contacts(conn, identity_keys(ring, workspace, kind, value)) if value else {}
        if found:
            return next(iter(found.values()))
    return None


def _consider(
    conn: psycopg.Connection[Any],
    tried: list[Tried],
    results: list[Result],
    happened: _Happened,
    workspace: str,
    *,
    is_by_rule: bool = False,
) -> None:
    for one, result in zip(tried, results, strict=True):
        if one.channel_id not in (None, happened.channel_id):
            continue
        fired = fires(one.definition, happened.facts)
        if fired is None or (happened.contact_id is None and Trigger.OUTGOING in happened.facts.happened):
            continue
        result.fired += 1
        if fired.event_name is not None:
            _count(conn, result, fired.event_name, fired, happened, workspace)
        for follows in _mark(result, fired, happened):
            # As at work: what a rule makes of a rule's change is offered to none again.
            if not is_by_rule:
                _consider(conn, tried, results, follows, workspace, is_by_rule=True)


def _mark(result: Result, fired: Fired, happened: _Happened) -> list[_Happened]:
    """Counts the stages and tags that a contact gets for the first time in this trial; what rules may answer to."""
    follows = []
    for kind, value in fired.marks.changes():
        key = (str(happened.contact_id or happened.person), kind, value)
        if key in result.marked:
            continue
        result.marked.add(key)
        words = f"{kind}: {value}"
        result.marks[words] = result.marks.get(words, 0) + 1
        if kind in _TRIGGERS:
            facts = Facts(happened=frozenset({_TRIGGERS[kind]}), names=(value,))
            follows.append(replace(happened, facts=facts, message_id=f"{happened.message_id} {kind}"))
    return follows


def _count(
    conn: psycopg.Connection[Any],
    result: Result,
    event_name: str,
    fired: Fired,
    happened: _Happened,
    workspace: str,
) -> None:
    click = last_click(conn, happened.contact_id, happened.at) if happened.contact_id else None
    key = (event_name, _key(fired, happened, click))
    is_new = key not in result.keys and not conversion_keys_known(conn, workspace, *key, click)
    result.keys.add(key)
    currency = fired.currency or happened.currency
    if len(result.samples) < SAMPLES:
        result.samples.append(
            {
                "at": happened.at,
                "person": happened.person,
                "text": masked_text(happened.facts.text),
                "value": fired.value,
                "currency": currency if fired.value is not None else None,
                "new": is_new,
            }
        )
    if not is_new:
        return
    result.new += 1
    result.unattributed += click is None
    if fired.value is None:
        result.without_value += 1
    else:
        name = currency or "no currency"
        result.values[name] = result.values.get(name, Decimal(0)) + fired.value


def _key(fired: Fired, happened: _Happened, click: str | None) -> str:
    """The business key as `shared.domain.business_keys` makes it."""
    contact = f"contact:{happened.contact_id or happened.person}"
    match fired.once:
        case Scope.MESSAGE:
            return f"msg:{happened.channel_id}:{happened.message_id}"
        case Scope.ORDER if fired.order_id:
            return f"order:default:{fired.order_id}"
        case Scope.CLICK if click:
            return f"click:{click}"
        case _:
            return contact


def masked_text(text: str | None) -> str | None:
    """The beginning of a text on one line; runs of five digits and more, and addresses, are hidden."""
    if text is None:
        return None
    words = " ".join(text.split())[: _SAMPLE_TEXT * 4].split(" ")
    shown = " ".join("•••" if _is_private(word) else word for word in words)
    return shown if len(shown) <= _SAMPLE_TEXT else shown[:_SAMPLE_TEXT].rstrip() + "…"


def _is_private(word: str) -> bool:
    is_amount = any(sign in word.strip(".,") for sign in ".,")
    return "@" in word or (sum(char.isdigit() for char in word) >= 5 and not is_amount)


def as_json(trial: Trial) -> Mapping[str, Any]:
    """A trial, JSON-ready; values are text by currency."""
    return {
        "webhooks": trial.webhooks,
        "unreadable": trial.unreadable,
        "rules": [
            {
                "name": one.name,
                "fired": one.fired,
                "new_conversions": one.new,
                "unattributed": one.unattributed,
                "without_value": one.without_value,
                "values": dict(sorted(one.values.items())),
                "marks": dict(sorted(one.marks.items())),
                "samples": one.samples,
            }
            for one in trial.results
        ],
    }
