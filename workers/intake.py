"""Intake: claims stored webhooks, reads each with its adapter, and writes what they say in one transaction."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from celery.exceptions import SoftTimeLimitExceeded
from psycopg.errors import DataError, DeadlockDetected, IntegrityError, SerializationFailure

from shared.crypto import CannotDecrypt, KeyRing
from shared.db.channels import IntakeChannel, intake_channels
from shared.db.claims import can_claim
from shared.db.messages import KnownMessage, MessageKey, NewMessage, known_messages, upsert_messages
from shared.db.persons import erased_among
from shared.db.pool import server_time
from shared.db.submissions import Reporter, reporters
from shared.db.webhooks import (
    ClaimedWebhook,
    IntakeResult,
    claim_crashed_webhooks,
    claim_webhooks,
    finish_webhooks,
    release_webhooks,
)
from shared.db.wiping import delete_bodies
from shared.domain.attribution import message_time
from shared.domain.messages import Message, MessageClass
from shared.logs import get_logger
from shared.providers import PROVIDERS
from shared.providers.base import Parsed, Request, UnparsableError
from shared.queue import Work
from workers.automatic import Report, store_automatic_events
from workers.identities import Sender
from workers.leads import AdMessage, store_leads
from workers.metrics import CLAIMED_WEBHOOKS, MESSAGES, WEBHOOKS
from workers.reattribution import contacts_merged
from workers.requests import UnreadableRequest, read_request
from workers.rules import RuleRun
from workers.runtime import Runtime
from workers.signals import Batch, consider_automatic, consider_messages, read_signals, sealed_text
from workers.submissions import Settled, store_submissions
from workers.submitted import Submitted

log = get_logger(__name__)

#: A drain stops claiming after this, rings again and returns: no time limit ends it, and a shutdown waits little.
DRAIN_SECONDS = 8
#: Every so many claims, those that crashed come before the new: in a flood there would be no other time for them.
CRASHED_FIRST_EVERY = 16
#: A batch holds no more webhooks of one channel or key, so that a flood leaves room for others.
MOST_OF_ONE_SENDER = 50
#: Crashed so often while alone, a webhook is the culprit.
LONE_CRASHES_TO_REJECT = 5


@dataclass(frozen=True, kw_only=True)
class ReadWebhook:
    """One claimed webhook and what its adapter made of it; `reason` says why nothing could be."""

    webhook: ClaimedWebhook
    channel: IntakeChannel | None
    parsed: Parsed | None = None
    submitted: Submitted | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Senders:
    """Who sent the webhooks of a batch: channels by id, and whoever reports by (source, id)."""

    channels: Mapping[int, IntakeChannel]
    reporters: Mapping[tuple[str, int], Reporter]


def drain(runtime: Runtime, *, seconds: float = DRAIN_SECONDS, days: int = 3) -> int:
    """Works on new webhooks until there are none or `seconds` are over; how many it finished."""
    runtime.bell.answer(Work.INTAKE)
    ends = time.monotonic() + seconds
    finished = claims = 0
    while time.monotonic() < ends and not runtime.stopping.is_set():
        claims += 1
        done = _drain_once(runtime, days=days, crashed_first=claims % CRASHED_FIRST_EVERY == 0)
        if done == 0:
            return finished
        finished += done
    runtime.bell.ring(Work.INTAKE)
    return finished


def _drain_once(runtime: Runtime, *, days: int, crashed_first: bool = False) -> int:
    token = uuid4()
    with runtime.pool.connection() as conn:
        claimed = _claim(runtime, conn, token, days=days, crashed_first=crashed_first)
        senders = _senders(conn, claimed)
    if not claimed:
        return 0
    CLAIMED_WEBHOOKS.observe(len(claimed))
    if len(claimed) >= MOST_OF_ONE_SENDER or senders.reporters:
        # There may be more, or this takes long: several workers drain side by side.
        runtime.bell.ring(Work.INTAKE)
    try:
        sendable = _store(runtime, token, _read_all(runtime, claimed, senders))
    except psycopg.Error as error:
        if is_nobodys_fault(error):
            log.warning("intake failed, its webhooks are due again", error=type(error).__name__, webhooks=len(claimed))
            _release(runtime, token)
        raise
    if sendable:
        runtime.bell.ring(Work.SENDING)
    return len(claimed)


def _senders(conn: psycopg.Connection[Any], claimed: Sequence[ClaimedWebhook]) -> Senders:
    ids = {
        source: sorted({webhook.source_id for webhook in claimed if webhook.source == source})
        for source in ("channel", "api_key", "import")
    }
    return Senders(
        channels=intake_channels(conn, ids["channel"]) if ids["channel"] else {},
        reporters=reporters(conn, keys=ids["api_key"], workspaces=ids["import"])
        if ids["api_key"] or ids["import"]
        else {},
    )


def _read_all(runtime: Runtime, claimed: Sequence[ClaimedWebhook], senders: Senders) -> list[ReadWebhook]:
    alone = len(claimed) == 1
    return [
        _read(webhook, senders.channels.get(webhook.source_id), runtime.secret_ring, alone=alone)
        if webhook.source == "channel"
        else _read_request(
            webhook, senders.reporters.get((webhook.source, webhook.source_id)), runtime.secret_ring, alone=alone
        )
        for webhook in claimed
    ]


def is_nobodys_fault(error: psycopg.Error) -> bool:
    """Whether Postgres, the way to it or its schema is to blame, and surely no webhook.

    https://www.postgresql.org/docs/current/errcodes-appendix.html. A webhook whose lease runs out counts as having
    crashed intake; while tables are locked, or a migration is missing, all would, and would be rejected one by one.
    """
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(("08", "42", "53", "55", "57P"))


def _release(runtime: Runtime, token: UUID) -> None:
    # Where this fails too, the leases run out: that happens a dozen times before it costs a webhook anything.
    with contextlib.suppress(psycopg.Error), runtime.pool.connection() as conn:
        release_webhooks(conn, token)


def _claim(
    runtime: Runtime, conn: psycopg.Connection[Any], token: UUID, *, days: int, crashed_first: bool
) -> list[ClaimedWebhook]:
    seconds = runtime.settings.intake_lease_seconds
    crashed = claim_crashed_webhooks(conn, token=token, lease_seconds=seconds, days=days) if crashed_first else []
    return (
        crashed
        or claim_webhooks(conn, token=token, lease_seconds=seconds, days=days, each=MOST_OF_ONE_SENDER)
        or claim_crashed_webhooks(conn, token=token, lease_seconds=seconds, days=days)
    )


def _read(webhook: ClaimedWebhook, channel: IntakeChannel | None, ring: KeyRing, *, alone: bool) -> ReadWebhook:
    """Parses one webhook. What can't be read is kept as rejected, with a reason."""
    if alone and webhook.crashes > LONE_CRASHES_TO_REJECT:
        return ReadWebhook(webhook=webhook, channel=channel, reason="crashed_intake")
    if channel is None or channel.provider not in PROVIDERS:
        return ReadWebhook(webhook=webhook, channel=channel, reason="unknown_provider")
    try:
        request = Request(
            method=webhook.method,
            path=webhook.path,
            query=webhook.query,
            headers=webhook.headers,
            body=ring.open(webhook.body),
        )
        return ReadWebhook(webhook=webhook, channel=channel, parsed=PROVIDERS[channel.provider].parse(request))
    except CannotDecrypt:
        return ReadWebhook(webhook=webhook, channel=channel, reason="cannot_decrypt")
    except UnparsableError as error:
        return ReadWebhook(webhook=webhook, channel=channel, reason=error.reason)
    except SoftTimeLimitExceeded:
        # The batch was slow, perhaps not for this one: the count of crashes finds the culprit.
        raise
    except Exception as error:  # noqa: BLE001
        # A defect of the adapter: the bytes are kept and can be replayed when it is mended.
        log.error(
            "adapter failed",
            webhook_id=str(webhook.id),
            error=type(error).__name__,
            provider=channel.provider,
        )
        return ReadWebhook(webhook=webhook, channel=channel, reason="adapter_failed")


def _read_request(webhook: ClaimedWebhook, reporter: Reporter | None, ring: KeyRing, *, alone: bool) -> ReadWebhook:
    """Reads one request of the API, or part of a file."""
    if alone and webhook.crashes > LONE_CRASHES_TO_REJECT:
        return ReadWebhook(webhook=webhook, channel=None, reason="crashed_intake")
    if reporter is None:
        return ReadWebhook(webhook=webhook, channel=None, reason="unknown_sender")
    try:
        return ReadWebhook(webhook=webhook, channel=None, submitted=read_request(webhook, reporter, ring))
    except CannotDecrypt:
        return ReadWebhook(webhook=webhook, channel=None, reason="cannot_decrypt")
    except UnreadableRequest as error:
        return ReadWebhook(webhook=webhook, channel=None, reason=error.reason)


def _store(runtime: Runtime, token: Any, read: Sequence[ReadWebhook]) -> bool:
    """Writes everything in one transaction; whether there is something to send now, and room for it.

    A data error is one webhook's fault: then each is written alone and only the culprit is rejected.
    """
    try:
        with runtime.pool.connection() as conn:
            ready = store(runtime, conn, token, read)
            conn.commit()
            sendable = ready > 0 and can_claim(conn)
        log.info(
            "webhooks read",
            webhook_ids=[str(one.webhook.id) for one in read],
            messages=sum(len(one.parsed.messages) for one in read if one.parsed),
            items=sum(len(one.submitted.items) for one in read if one.submitted),
            rejected=sum(one.reason is not None for one in read),
            deliveries_ready=ready,
        )
        return sendable
    except (DeadlockDetected, SerializationFailure) as error:
        log.warning("intake collided, its webhooks are due again", error=type(error).__name__, webhooks=len(read))
        with runtime.pool.connection() as conn:
            release_webhooks(conn, token)
        return False
    except (DataError, IntegrityError, LookupError, ValueError) as error:
        if len(read) > 1:
            each = [_store(runtime, token, [one]) for one in read]
            return any(each)
        log.error("webhook cannot be stored", webhook_id=str(read[0].webhook.id), error=type(error).__name__)
        return _store(
            runtime,
            token,
            [ReadWebhook(webhook=read[0].webhook, channel=read[0].channel, reason="cannot_be_stored")],
        )


def store(runtime: Runtime, conn: psycopg.Connection[Any], token: Any, read: Sequence[ReadWebhook]) -> int:
    """Writes contacts, messages, touchpoints, conversions and deliveries of these webhooks, and finishes them.

    Returns how many deliveries are ready to be sent.
    """
    found = _best_of_each(read)
    erased = _of_erased_people(runtime, conn, found)
    found = {key: one for key, one in found.items() if key not in erased}
    known = known_messages(conn, found)
    fresh = {key: one for key, one in found.items() if _says_more(one[1], known.get(key))}
    merged: set[int] = set()
    contacts = _contacts(runtime, conn, fresh, known, merged)
    rows = upsert_messages(conn, [_row(one, contacts[key], runtime.secret_ring) for key, one in fresh.items()])
    if erased_among(conn, contacts.values()):
        # Between our look and our write; the message's own lock on the contact has waited for it. The next try knows.
        raise SerializationFailure("somebody was erased meanwhile")
    ads = [
        _ad_message(row_id, contacts[key], *fresh[key])
        for key, row_id in rows.items()
        if fresh[key][1].message_class is not MessageClass.ORGANIC
    ]
    now = server_time(conn)
    ready = store_leads(conn, ads, now=now) + contacts_merged(conn, sorted(merged), now=now)
    run = RuleRun(conn, runtime.rules.rules(conn), now=now)
    batch = [Batch(one.webhook, one.channel, one.parsed) for one in read if one.channel and one.parsed]
    consider_messages(conn, run, batch, {key: (rows[key], contacts[key]) for key in rows if key not in known})
    ready += read_signals(conn, runtime.identities, runtime.secret_ring, run, batch)
    unknown: dict[UUID, int] = {}
    for one in read:
        stored = store_automatic_events(conn, _reports(one), now=now)
        ready += stored.ready
        unknown[one.webhook.id] = stored.unknown
    consider_automatic(conn, run, batch)
    settled = store_submissions(
        conn,
        runtime.identities,
        [one.submitted for one in read if one.submitted],
        now=now,
        offer=run.offer,
        # Alone, for a data error in company: the culprit is then one of its items.
        guarded=len(read) == 1,
    )
    run.finish()
    ready += settled.ready + run.ready
    results = [
        _request_result(one.webhook, one.submitted, settled)
        if one.submitted
        else _result(one, found, rows, unknown[one.webhook.id], erased)
        for one in read
    ]
    finish_webhooks(conn, token, results)
    delete_bodies(
        conn,
        [(one.received_at, one.id) for one in results if "erased" in (one.ignored or {}) or one.id in settled.erased],
    )
    _count(read, results, [fresh[key][1] for key in rows])
    return ready


def _of_erased_people(
    runtime: Runtime, conn: psycopg.Connection[Any], found: dict[MessageKey, tuple[ReadWebhook, Message]]
) -> set[MessageKey]:
    """The messages of people who were erased after they had written them."""
    if not found:
        return set()
    senders = []
    for read, message in found.values():
        assert read.channel is not None
        sender = Sender(workspace=read.channel.workspace, is_test=read.channel.is_test, message=message)
        senders.append((sender, message_time(message.sent_at, read.webhook.received_at)))
    erased = runtime.identities.erased(conn, senders)
    return {key for key, is_erased in zip(found, erased, strict=True) if is_erased}


def _best_of_each(read: Sequence[ReadWebhook]) -> dict[MessageKey, tuple[ReadWebhook, Message]]:
    """Each message once, from the webhook of this batch that says most of it."""
    best: dict[MessageKey, tuple[ReadWebhook, Message]] = {}
    for one in read:
        for message in one.parsed.messages if one.parsed else ():
            key = (one.webhook.source_id, message.message_id)
            if key not in best or message.message_class.rank > best[key][1].message_class.rank:
                best[key] = (one, message)
    return best


def _says_more(message: Message, known: KnownMessage | None) -> bool:
    return known is None or message.message_class.rank > MessageClass(known.message_class).rank


def _contacts(
    runtime: Runtime,
    conn: psycopg.Connection[Any],
    fresh: dict[MessageKey, tuple[ReadWebhook, Message]],
    known: dict[MessageKey, KnownMessage],
    merged: set[int],
) -> dict[MessageKey, int]:
    """The contact of each message to be written; one we know by its message keeps its contact.

    Contacts that others turned out to be are added to `merged`.
    """
    contacts = {key: known[key].contact_id for key in fresh if key in known}
    strangers = [key for key in fresh if key not in known]
    senders = []
    for key in strangers:
        channel = fresh[key][0].channel
        assert channel is not None
        senders.append(Sender(workspace=channel.workspace, is_test=channel.is_test, message=fresh[key][1]))
    contacts.update(zip(strangers, runtime.identities.resolve(conn, senders, merged=merged), strict=True))
    return contacts


def _ad_message(row_id: int, contact_id: int, read: ReadWebhook, message: Message) -> AdMessage:
    assert read.channel is not None
    return AdMessage(
        row_id=row_id,
        contact_id=contact_id,
        channel=read.channel,
        message=message,
        occurred_at=message_time(message.sent_at, read.webhook.received_at),
    )


def _reports(read: ReadWebhook) -> list[Report]:
    if read.parsed is None or read.channel is None:
        return []
    return [
        Report(channel=read.channel, event=event, received_at=read.webhook.received_at)
        for event in read.parsed.automatic_events
    ]


def _row(one: tuple[ReadWebhook, Message], contact_id: int, ring: KeyRing) -> NewMessage:
    read, message = one
    assert read.channel is not None
    return NewMessage(
        channel_id=read.channel.id,
        message_id=message.message_id,
        contact_id=contact_id,
        message_class=message.message_class.value,
        kind=message.kind,
        sent_at=message.sent_at,
        received_at=read.webhook.received_at,
        webhook_id=read.webhook.id,
        webhook_received_at=read.webhook.received_at,
        is_test=read.channel.is_test,
        text=sealed_text(ring, message.text) if read.channel.keep_text else None,
    )


def _result(
    one: ReadWebhook,
    found: dict[MessageKey, tuple[ReadWebhook, Message]],
    rows: dict[MessageKey, int],
    unknown_messages: int,
    erased: set[MessageKey],
) -> IntakeResult:
    """What is written on the webhook: how many messages it held, and how many of them were known already."""
    webhook = one.webhook
    if one.parsed is None:
        return IntakeResult(id=webhook.id, received_at=webhook.received_at, state="rejected", reason=one.reason)
    all_keys = [(webhook.source_id, message.message_id) for message in one.parsed.messages]
    keys = [key for key in all_keys if key not in erased]
    counts = {"unknown_message": unknown_messages, "erased": len(all_keys) - len(keys)}
    fresh = sum(key in rows and found[key][0] is one for key in keys)
    return IntakeResult(
        id=webhook.id,
        received_at=webhook.received_at,
        state="done",
        messages=len(keys),
        automatic_events=len(one.parsed.automatic_events),
        duplicates=len(keys) - fresh,
        ignored={**one.parsed.ignored, **{reason: count for reason, count in counts.items() if count}},
    )


def _request_result(webhook: ClaimedWebhook, submitted: Submitted, settled: Settled) -> IntakeResult:
    """What is written on a request: its items stand where a provider's webhook has its messages."""
    return IntakeResult(
        id=webhook.id,
        received_at=webhook.received_at,
        state="done",
        messages=len(submitted.items),
        duplicates=settled.duplicates.get(webhook.id, 0),
    )


def _count(read: Sequence[ReadWebhook], results: Sequence[IntakeResult], stored: Sequence[Message]) -> None:
    for one, result in zip(read, results, strict=True):
        provider = one.channel.provider if one.channel else "unknown"
        WEBHOOKS.labels(provider if one.webhook.source == "channel" else one.webhook.source, result.state).inc()
    for message in stored:
        MESSAGES.labels(message.message_class.value).inc()
