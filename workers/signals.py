"""What a batch says besides people's messages: what the business sent, labels, automatic events; and the rules on all.

What the business sent is stored only if a rule fired on it, or if it is the first answer of a person to an ad message.
Somebody who has never written is nobody here: neither a label nor a message of the business makes a contact.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg

from shared.capi.event_names import inside_name
from shared.crypto import KeyRing
from shared.db.channels import IntakeChannel
from shared.db.contact_changes import ContactChange, has_tag
from shared.db.messages import (
    KnownMessage,
    MessageKey,
    NewMessage,
    first_replies,
    known_messages,
    place_of_message,
    store_outgoing,
)
from shared.db.webhooks import ClaimedWebhook
from shared.domain.attribution import message_time
from shared.domain.messages import AutomaticEvent, MessageClass
from shared.domain.occasions import facts_of, facts_of_outgoing
from shared.domain.rules import Facts, Trigger
from shared.domain.signals import Author, LabelChange, OutgoingMessage
from shared.providers.base import Parsed
from workers.contact_changes import change_contact
from workers.identities import Identities, Sender
from workers.rules import Occasion, RuleRun


@dataclass(frozen=True)
class Batch:
    """One webhook of a batch, its channel, and what its adapter read."""

    webhook: ClaimedWebhook
    channel: IntakeChannel
    parsed: Parsed


def sealed_text(ring: KeyRing, text: str | None) -> bytes | None:
    """A message's text as it is kept."""
    return None if text is None else ring.seal(text.encode("utf-8", "surrogatepass"))


def consider_messages(
    conn: psycopg.Connection[Any],
    run: RuleRun,
    batch: Sequence[Batch],
    stored: Mapping[MessageKey, tuple[int, int]],
) -> None:
    """Shows the rules the messages of people that are new: (row, contact) by key."""
    if not run.triggers:
        return
    shown: set[MessageKey] = set()
    for one in batch:
        for message in one.parsed.messages:
            key = (one.channel.id, message.message_id)
            if key not in stored or key in shown:
                continue
            shown.add(key)
            row_id, contact_id = stored[key]
            counts = Trigger.NUMBER in run.triggers
            number = place_of_message(conn, row_id, contact_id) if counts else None
            run.consider(
                Occasion(
                    workspace=one.channel.workspace,
                    channel_id=one.channel.id,
                    contact_id=contact_id,
                    facts=facts_of(message, number=number),
                    occurred_at=message_time(message.sent_at, one.webhook.received_at),
                    received_at=one.webhook.received_at,
                    is_test=one.channel.is_test,
                    message_id=message.message_id,
                    row_id=_always(row_id),
                )
            )


def read_signals(
    conn: psycopg.Connection[Any], identities: Identities, ring: KeyRing, run: RuleRun, batch: Sequence[Batch]
) -> int:
    """Reads what the business sent and the labels it gave; how many deliveries can be sent now because of consent."""
    found: list[tuple[Batch, OutgoingMessage | LabelChange]] = []
    for one in batch:
        # Without rules, all that matters of them is when a person first answered.
        found += [(one, sent) for sent in one.parsed.outgoing if run.triggers or sent.author is Author.HUMAN]
        found += [(one, change) for change in one.parsed.labels]
    if not found:
        return 0
    senders = [
        Sender(workspace=one.channel.workspace, is_test=one.channel.is_test, message=signal) for one, signal in found
    ]
    ready = 0
    for (one, signal), contact_id in zip(found, identities.known(conn, senders), strict=True):
        if contact_id is None:
            continue
        if isinstance(signal, OutgoingMessage):
            _consider_outgoing(conn, ring, run, one, signal, contact_id)
        else:
            ready += _store_label(conn, run, one, signal, contact_id)
    return ready


def consider_automatic(conn: psycopg.Connection[Any], run: RuleRun, batch: Sequence[Batch]) -> None:
    """Shows the rules what Meta detected in messages that we have."""
    if Trigger.AUTOMATIC not in run.triggers:
        return
    events = [(one, event) for one in batch for event in one.parsed.automatic_events]
    known = known_messages(conn, [(one.channel.id, event.message_id) for one, event in events])
    for one, event in events:
        message = known.get((one.channel.id, event.message_id))
        if message is not None:
            run.consider(_detected(one, event, message))


def _consider_outgoing(
    conn: psycopg.Connection[Any], ring: KeyRing, run: RuleRun, one: Batch, message: OutgoingMessage, contact_id: int
) -> None:
    at = message_time(message.sent_at, one.webhook.received_at)

    @cache
    def row_id() -> int:
        return store_outgoing(conn, _row(ring, one, message, contact_id))

    is_first = message.author is Author.HUMAN and first_replies(conn, contact_id, at) > 0
    if is_first:
        row_id()
    if not run.triggers:
        return
    run.consider(
        Occasion(
            workspace=one.channel.workspace,
            channel_id=one.channel.id,
            contact_id=contact_id,
            facts=facts_of_outgoing(message, is_first_reply=is_first),
            occurred_at=at,
            received_at=one.webhook.received_at,
            is_test=one.channel.is_test,
            message_id=message.message_id,
            row_id=row_id,
        )
    )


def _row(ring: KeyRing, one: Batch, message: OutgoingMessage, contact_id: int) -> NewMessage:
    return NewMessage(
        channel_id=one.channel.id,
        message_id=message.message_id,
        contact_id=contact_id,
        message_class=MessageClass.ORGANIC.value,
        kind=message.kind,
        sent_at=message.sent_at,
        received_at=one.webhook.received_at,
        webhook_id=one.webhook.id,
        webhook_received_at=one.webhook.received_at,
        is_test=one.channel.is_test,
        text=sealed_text(ring, message.text) if one.channel.keep_text else None,
    )


def _store_label(conn: psycopg.Connection[Any], run: RuleRun, one: Batch, change: LabelChange, contact_id: int) -> int:
    """A label is a tag of the contact. One without a time of its own can only be told from its redelivery by that."""
    if change.at is None and has_tag(conn, contact_id, change.label) is change.added:
        return 0
    changed = change_contact(
        conn,
        [
            ContactChange(
                contact_id=contact_id,
                kind="tag_added" if change.added else "tag_removed",
                value=change.label,
                occurred_at=message_time(change.at, one.webhook.received_at),
                source="message",
                actor=one.channel.name,
            )
        ],
    )
    for happened in changed.happened:
        run.offer(conn, happened)
    return changed.ready


def _detected(one: Batch, event: AutomaticEvent, message: KnownMessage) -> Occasion:
    return Occasion(
        workspace=one.channel.workspace,
        channel_id=one.channel.id,
        contact_id=message.contact_id,
        facts=Facts(
            happened=frozenset({Trigger.AUTOMATIC}),
            names=(inside_name(event.event_name) or event.event_name,),
            value=event.value if event.currency else None,
            currency=event.currency,
        ),
        occurred_at=message_time(event.at, one.webhook.received_at),
        received_at=one.webhook.received_at,
        is_test=one.channel.is_test,
        message_id=event.message_id,
        row_id=_always(message.id),
    )


def _always(row_id: int) -> Callable[[], int]:
    return lambda: row_id
