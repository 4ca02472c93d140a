"""What one answer makes of the deliveries in its request: decided purely, written in one transaction."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from uuid import UUID

import psycopg

from shared.capi.answers import Answer, PauseReason, Verdict
from shared.capi.usage import Advice
from shared.db.claims import ClaimedDelivery, Outcome, settle_deliveries
from shared.db.credentials import record_usage
from shared.db.datasets import Dataset, count_failure, forget_failures, pause_dataset
from shared.db.requests import finish_attempts, finish_request
from shared.domain.deliveries import Event, State, decide, outage_pause, retry_delay, unknown_policy
from shared.logs import get_logger

log = get_logger(__name__)

#: Deliveries, each with its event as built for Meta.
Part: TypeAlias = list[tuple[ClaimedDelivery, dict[str, Any]]]
Policies: TypeAlias = Mapping[str, Literal["resend", "hold"]]

#: How long a token rests when Meta says stop without saying for how long.
THROTTLE_SECONDS = 60
_RNG = random.SystemRandom()


@dataclass(kw_only=True)
class Settled:
    """The consequences of one answer.

    `events` is what happened to each delivery of the request, `outcomes` what is written now. A part that is to be
    split, or whose refusal is not decided yet, keeps its lease and has no outcomes.
    """

    ids: list[int] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    split: bool = False
    undecided: bool = False
    pause: PauseReason | None = None
    #: Meta is down or throttles: the rest of the claim is put back.
    stops: bool = False


def settle_part(part: Part, answer: Answer, *, held_back: bool, policies: Policies) -> Settled:
    """What becomes of each delivery of a request. Pure but for the jitter of retries.

    `held_back`: a single's refusal is not carried out yet, since the set-up may be at fault.
    """
    settled = Settled(stops=answer.is_outage or answer.verdict in (Verdict.THROTTLE, Verdict.UNKNOWN))
    for delivery, _ in part:
        charged = answer.verdict not in (Verdict.THROTTLE, Verdict.CONFIG)
        retries = delivery.retries + charged
        not_received = delivery.not_received + 1 if answer.verdict is Verdict.NOT_RECEIVED else 0
        decision = decide(
            answer,
            alone=len(part) == 1,
            has_value=delivery.has_value,
            resent=delivery.resent,
            attempts=retries,
            not_received_count=not_received,
            policy=unknown_policy(delivery.event_name, delivery.has_value, policies),
        )
        settled.ids.append(delivery.id)
        settled.events.append(decision.event.value)
        settled.split = settled.split or decision.split
        settled.pause = settled.pause or decision.pause
        if decision.split:
            continue
        if decision.event is Event.REFUSED and held_back:
            settled.undecided = True
            continue
        waits = decision.retry and charged and decision.pause is None
        settled.outcomes.append(
            Outcome(
                id=delivery.id,
                state=decision.state.value,
                reason=decision.reason,
                delay_seconds=retry_delay(retries, _RNG, answer.retry_after_seconds) if waits else 0.0,
                batch_cap=decision.batch_cap or delivery.batch_cap,
                retries=retries if decision.state is State.PENDING else 0,
                not_received=not_received,
                resent=delivery.resent + (decision.then is Event.RESEND),
                **_last_answer(answer),
            )
        )
    return settled


def put_back(part: Part, *, smaller: bool) -> list[Outcome]:
    """Outcomes for deliveries that were claimed and not posted: due again at once.

    `smaller`: in batches of at most this size, since a larger one was refused for some event in it.
    """
    return [
        Outcome(
            id=delivery.id,
            state="pending",
            batch_cap=min(delivery.batch_cap, len(part)) if smaller else delivery.batch_cap,
            retries=delivery.retries,
            not_received=delivery.not_received,
            resent=delivery.resent,
        )
        for delivery, _ in part
    ]


def hold(part: Part, answer: Answer) -> list[Outcome]:
    """Outcomes for deliveries that were refused by what seems to be the set-up: they wait for it to be mended."""
    return [
        Outcome(
            id=delivery.id,
            state="pending",
            reason=answer.reason,
            batch_cap=delivery.batch_cap,
            retries=delivery.retries,
            resent=delivery.resent,
            **_last_answer(answer),
        )
        for delivery, _ in part
    ]


def write_answer(
    conn: psycopg.Connection[Any],
    dataset: Dataset,
    token: UUID,
    request_id: UUID,
    answer: Answer,
    milliseconds: int,
    settled: Settled,
) -> None:
    """Writes Meta's answer, what it did to each delivery, and what it says of the dataset and its token."""
    finish_request(
        conn,
        request_id,
        {
            "verdict": answer.verdict.value,
            "http_status": answer.http_status,
            "code": answer.code,
            "subcode": answer.subcode,
            "events_received": answer.events_received,
            "trace_id": answer.fbtrace_id,
            "title": answer.title,
            "message": answer.message,
            "milliseconds": milliseconds,
        },
    )
    finish_attempts(conn, request_id, settled.ids, settled.events)
    ours = settle_deliveries(conn, token, settled.outcomes, request_id=request_id)
    if ours < len(settled.outcomes):
        log.warning("late answer, kept on its attempt", request_id=str(request_id), late=len(settled.outcomes) - ours)
    _write_health(conn, dataset, answer, settled.pause)


def _write_health(conn: psycopg.Connection[Any], dataset: Dataset, answer: Answer, pause: PauseReason | None) -> None:
    if dataset.credential_id is not None:
        record_usage(
            conn,
            dataset.credential_id,
            percent=answer.usage.percent,
            throttle_seconds=_throttle_seconds(answer),
        )
    if pause is not None and pause is not PauseReason.THROTTLE:
        pause_dataset(conn, dataset.id, reason=pause.value, detail=answer.reason)
        log.warning("dataset paused", dataset=dataset.name, reason=pause.value, detail=answer.reason)
    elif answer.is_outage:
        failures, _ = count_failure(conn, dataset.id)
        seconds = outage_pause(failures)
        if seconds is not None:
            pause_dataset(conn, dataset.id, reason="meta_down", detail=answer.reason, seconds=seconds)
            log.warning("dataset paused", dataset=dataset.name, reason="meta_down", seconds=seconds)
    else:
        forget_failures(conn, dataset.id)


def _throttle_seconds(answer: Answer) -> float | None:
    if answer.verdict is Verdict.THROTTLE or answer.usage.advice is Advice.STOP:
        return float(answer.retry_after_seconds or answer.usage.regain_seconds or THROTTLE_SECONDS)
    return None


def _last_answer(answer: Answer) -> dict[str, Any]:
    return {
        "http_status": answer.http_status,
        "code": answer.code,
        "subcode": answer.subcode,
        "trace_id": answer.fbtrace_id,
        "message": answer.message,
    }
