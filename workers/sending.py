"""Sending: claims due deliveries of one dataset, reports them to Meta, and writes down what became of each.

Three commits stand around a POST: the claim; the request and its attempts; the outcome. A crash between the first two
sent nothing, one between the last two may have, and what is in the tables tells the two apart.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg

from shared.capi.answers import Answer
from shared.capi.matching import hash_email, hash_phone
from shared.capi.payload import (
    DatasetProfile,
    OutgoingEvent,
    PayloadError,
    build_body,
    build_event,
    redact_body,
    validate_event,
)
from shared.crypto import CannotDecrypt
from shared.db.claims import (
    ClaimedDelivery,
    LostLease,
    Outcome,
    can_claim,
    claim_deliveries,
    count_attempts,
    leased_deliveries,
    mark_dry_run,
    release_deliveries,
    settle_deliveries,
)
from shared.db.contacts import sealed_identities
from shared.db.credentials import Credential, credential_by_id
from shared.db.datasets import Dataset, dataset_by_id, live_test_code, pause_dataset
from shared.db.pool import server_time
from shared.db.requests import start_request
from shared.domain.deliveries import Cause, Event, SplitGuard, State, is_aged, next_state, split
from shared.domain.regions import region_allowed
from shared.ids import uuid7
from shared.logs import get_logger
from shared.queue import Work
from workers.access import NoAccess, open_access
from workers.births import consented
from workers.metrics import DELIVERIES, REQUEST_SECONDS, REQUESTS
from workers.runtime import Runtime
from workers.settling import Part, Settled, hold, put_back, settle_part, write_answer

log = get_logger(__name__)

DRAIN_SECONDS = 25
#: A split that needs more requests than this goes on in later claims, from the parts it has come to.
MOST_REQUESTS = 64
SETTLE_SECONDS = 30
#: Between two tries to write an outcome.
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True, repr=False)
class Claim:
    """Deliveries of one dataset under one lease, and what is needed to send them."""

    token: UUID
    dataset: Dataset
    credential: Credential | None
    deliveries: list[ClaimedDelivery]
    #: What Meta may match people by, in clear: (delivery, phone or email) -> it. Empty unless the dataset says so.
    names: Mapping[tuple[int, str], str]
    #: When it was loaded, by Postgres's clock: this machine's may be wrong, and would make good events too old or new.
    now: datetime


def drain(runtime: Runtime, *, seconds: float = DRAIN_SECONDS) -> int:
    """Sends what is due until there is nothing or `seconds` are over; how many claims it worked on."""
    runtime.bell.answer(Work.SENDING)
    if runtime.settings.sending == "off":
        return 0
    ends = time.monotonic() + seconds
    claims = 0
    while time.monotonic() < ends and not runtime.stopping.is_set():
        token = uuid4()
        with runtime.pool.connection() as conn:
            dataset_id = claim_deliveries(conn, token=token, lease_seconds=runtime.settings.sending_lease_seconds)
            if dataset_id is None:
                return claims
            # The lease stands, and with it the next dataset's turn, whatever comes of reading this one.
            conn.commit()
            claim = _load(runtime, conn, token, dataset_id)
            more = can_claim(conn)
        if more:
            # Several workers send side by side while there is more.
            runtime.bell.ring(Work.SENDING)
        send_claim(runtime, claim, ends=ends)
        claims += 1
    runtime.bell.ring(Work.SENDING)
    return claims


def _load(runtime: Runtime, conn: psycopg.Connection[Any], token: UUID, dataset_id: int) -> Claim:
    dataset = dataset_by_id(conn, dataset_id)
    assert dataset is not None
    deliveries = leased_deliveries(conn, token)
    kinds = [kind for kind, wanted in (("phone", dataset.send_phone), ("email", dataset.send_email)) if wanted]
    return Claim(
        token=token,
        dataset=dataset,
        credential=credential_by_id(conn, dataset.credential_id) if dataset.credential_id else None,
        deliveries=deliveries,
        names=_opened(runtime, sealed_identities(conn, [delivery.id for delivery in deliveries], kinds)),
        now=server_time(conn),
    )


def _opened(runtime: Runtime, sealed: Mapping[tuple[int, str], bytes]) -> dict[tuple[int, str], str]:
    """The names in clear. One that no key opens is left out: the event goes without it, as it would by default."""
    names = {}
    for key, ciphertext in sealed.items():
        try:
            names[key] = runtime.secret_ring.open(ciphertext).decode("utf-8", "surrogatepass")
        except CannotDecrypt:
            log.error("a name for matching can't be opened, its event goes without it", delivery_id=key[0])
    return names


def send_claim(runtime: Runtime, claim: Claim, *, ends: float) -> None:
    """Sends what this claim holds, or puts it back with the reason why it can't be sent.

    `ends` is when, by the monotonic clock, no further request is begun: the lease covers one more, and writing it.
    """
    access = open_access(runtime.token_ring, claim.dataset, claim.credential)
    if isinstance(access, NoAccess):
        with runtime.pool.connection() as conn:
            pause_dataset(conn, claim.dataset.id, reason=access.pause.value, detail=access.detail)
            release_deliveries(conn, claim.token)
        log.warning("dataset paused", dataset=claim.dataset.name, reason=access.pause.value, detail=access.detail)
        return
    part, unfit = _build(claim, access.profile)
    dry_run = "dry-run" in (claim.dataset.sending, runtime.settings.sending)
    if unfit or dry_run:
        with runtime.pool.connection() as conn:
            settle_deliveries(conn, claim.token, unfit)
            if dry_run:
                mark_dry_run(conn, claim.token, [delivery.id for delivery, _ in part])
    for outcome in unfit:
        DELIVERIES.labels(outcome.state).inc()
    if part and not dry_run:
        try:
            _send_parts(runtime, claim, access.token, part, ends=ends)
        except LostLease as error:
            log.warning("lease lost before a request, nothing was sent", dataset=claim.dataset.name, error=str(error))


def _build(claim: Claim, profile: DatasetProfile) -> tuple[Part, list[Outcome]]:
    """The events to send, and the outcomes of those that Meta would surely refuse."""
    part: Part = []
    unfit = []
    for delivery in claim.deliveries:
        withheld = _withheld(delivery, claim.dataset)
        if withheld is not None:
            unfit.append(Outcome(id=delivery.id, state=next_state(State.SENDING, Event.WITHHELD), reason=withheld))
            continue
        event = OutgoingEvent(
            event_name=delivery.event_name,
            event_id=delivery.event_id,
            event_time=delivery.event_time,
            click_id=delivery.click_id,
            value=delivery.value,
            currency=delivery.currency,
            order_id=delivery.order_id,
            contents=None if delivery.contents is None else tuple(delivery.contents),
            custom_data=delivery.custom_data,
            automatic=delivery.automatic,
            phone_hashes=hash_phone(claim.names.get((delivery.id, "phone"), "")),
            email_hashes=hash_email(claim.names.get((delivery.id, "email"), "")),
        )
        reason = validate_event(event, profile, now=claim.now)
        if is_aged(delivery.event_time, claim.now):
            unfit.append(Outcome(id=delivery.id, state="expired", reason="expired"))
        elif reason is not None:
            unfit.append(Outcome(id=delivery.id, state="rejected", reason=reason))
        else:
            try:
                part.append((delivery, build_event(event, profile)))
            except (PayloadError, TypeError, ValueError) as error:
                # Ours to mend; until then it must not keep the others of its claim from being sent.
                log.error("event cannot be built", delivery_id=delivery.id, error=type(error).__name__)
                unfit.append(Outcome(id=delivery.id, state="rejected", reason="event_cannot_be_built"))
    return part, unfit


def _withheld(delivery: ClaimedDelivery, dataset: Dataset) -> str | None:
    """The reason why it must not go after all; policies may have changed since it was born."""
    if delivery.erased:
        return "erased"
    if not region_allowed(delivery.country, policy=dataset.region_policy, restricted=dataset.restricted_countries):
        return "region"
    if not consented(delivery.consent, policy=dataset.consent_policy):
        return "consent"
    return None


def _send_parts(runtime: Runtime, claim: Claim, access_token: str, whole: Part, *, ends: float) -> None:
    """Posts the events in one request and, where Meta refuses one of several, in halves until the culprit is alone."""
    parts = deque([whole])
    guard = SplitGuard(len(whole))
    undecided: list[tuple[Part, Answer]] = []
    requests = 0
    cut_short = False
    while parts and not cut_short and guard.cause is not Cause.CONFIGURATION:
        part = parts.popleft()
        request_id, answer, milliseconds = _post(runtime, claim, access_token, part)
        requests += 1
        cause = guard.record(answer, len(part)) if len(whole) > 1 else Cause.EVENTS
        settled = settle_part(part, answer, held_back=cause is not Cause.EVENTS, policies=claim.dataset.unknown_policy)
        _write(runtime, claim, request_id, answer, milliseconds, settled)
        if settled.split:
            first, _ = split(len(part))
            parts.extendleft([part[first:], part[:first]])
        if settled.undecided:
            undecided.append((part, answer))
        # After the first request, so that every claim gets somewhere.
        out_of_time = requests >= MOST_REQUESTS or time.monotonic() > ends or runtime.stopping.is_set()
        cut_short = settled.pause is not None or settled.stops or (bool(parts) and out_of_time)
    _put_back(runtime, claim, parts, smaller=guard.cause is not Cause.CONFIGURATION)
    _finish_undecided(runtime, claim, guard.cause, undecided, cut_short=cut_short)


def _post(runtime: Runtime, claim: Claim, access_token: str, part: Part) -> tuple[UUID, Answer, int]:
    """Writes the request and its attempts, commits, and posts with no transaction open."""
    request_id = uuid7()
    with runtime.pool.connection() as conn:
        # Asked at each request: Meta counts test events, so a code whose time is over must not go out once more.
        test_code = live_test_code(conn, claim.dataset.id) if claim.dataset.test_mode else None
        body = build_body([event for _, event in part], test_code)
        start_request(
            conn,
            request_id=request_id,
            dataset_id=claim.dataset.id,
            token=claim.token,
            graph_version=runtime.settings.graph_version,
            events=len(part),
            redacted_body=redact_body(body),
        )
        count_attempts(
            conn,
            token=claim.token,
            ids=[delivery.id for delivery, _ in part],
            request_id=request_id,
            lease_seconds=runtime.settings.sending_lease_seconds,
            with_test_code=test_code is not None,
        )
    began = time.monotonic()
    answer = runtime.graph.post_events(claim.dataset.meta_id, access_token, body)
    seconds = time.monotonic() - began
    REQUESTS.labels(answer.verdict.value).inc()
    REQUEST_SECONDS.observe(seconds)
    log.info(
        "events posted",
        dataset=claim.dataset.name,
        request_id=str(request_id),
        delivery_ids=[delivery.id for delivery, _ in part],
        events=len(part),
        verdict=answer.verdict.value,
        status=answer.http_status,
        code=answer.code,
        subcode=answer.subcode,
        trace_id=answer.fbtrace_id,
        milliseconds=round(seconds * 1000),
    )
    return request_id, answer, round(seconds * 1000)


def _write(
    runtime: Runtime, claim: Claim, request_id: UUID, answer: Answer, milliseconds: int, settled: Settled
) -> None:
    """Commits the outcome; waits for Postgres for a while, since forgetting an answer makes its events unknown."""
    ends = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            with runtime.pool.connection() as conn:
                write_answer(conn, claim.dataset, claim.token, request_id, answer, milliseconds, settled)
            break
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as error:
            # InternalError: a server that is read-only for a while, as in a failover.
            if time.monotonic() > ends:
                log.error("outcome lost, its deliveries become unknown", error=type(error).__name__)
                raise
            time.sleep(PAUSE_SECONDS)
    for outcome in settled.outcomes:
        DELIVERIES.labels(outcome.state).inc()


def _put_back(runtime: Runtime, claim: Claim, parts: Sequence[Part], *, smaller: bool) -> None:
    """Parts that were not posted: due again; `smaller`: in batches of a part at most, so that a split goes on there."""
    outcomes = [outcome for part in parts for outcome in put_back(part, smaller=smaller)]
    if not outcomes:
        return
    with runtime.pool.connection() as conn:
        settle_deliveries(conn, claim.token, outcomes)


def _finish_undecided(
    runtime: Runtime, claim: Claim, cause: Cause, undecided: Sequence[tuple[Part, Answer]], *, cut_short: bool
) -> None:
    """Rejects the singles that were refused, unless all were refused alike: then it's the set-up, and none is.

    A split that was cut short before this is known proves nothing: its singles are due again in larger batches.
    """
    if not undecided:
        return
    with runtime.pool.connection() as conn:
        for part, answer in undecided:
            if cause is Cause.EVENTS:
                outcomes = settle_part(part, answer, held_back=False, policies=claim.dataset.unknown_policy).outcomes
            else:
                outcomes = hold(part, answer)
            settle_deliveries(conn, claim.token, outcomes)
        if cause is Cause.CONFIGURATION or (cause is Cause.UNDECIDED and not cut_short):
            pause_dataset(conn, claim.dataset.id, reason="link", detail=undecided[0][1].reason)
            log.warning("dataset paused", dataset=claim.dataset.name, reason="link", detail=undecided[0][1].reason)
