"""The life of a delivery: its states, what moves it from one to the next, what an answer makes of it, and
splits.

A delivery is one conversion to one dataset. Nothing here does I/O: the caller brings the facts and stores the
result.
"""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from shared.capi.answers import Answer, PauseReason, Verdict

Policy = Literal["resend", "hold"]
SendingMode = Literal["on", "off", "dry-run"]

EXPIRES_AFTER = timedelta(days=6, hours=12)
"""Meta's limit is 7 days; the rest is for the last attempts."""
DEFAULT_BATCH = 50
LARGEST_BATCH = 1000
HOLD_BATCH = 10
"""The most events in a request of a kind that is held when the outcome is unknown."""
ATTEMPTS_BEFORE_CONFIG = 5
NOT_RECEIVED_BEFORE_CONFIG = 3
BACKOFF_BASE_SECONDS = 10
BACKOFF_CAP_SECONDS = 3600
OUTAGE_AFTER = 5
SINGLES_THAT_DECIDE = 3


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    WAITING = "waiting"
    EXPIRED = "expired"


class Event(StrEnum):
    """What can happen to a delivery."""

    ATTRIBUTED = "attributed"
    """A conversion is born, attributed and ready to be sent."""
    WITHHELD = "withheld"
    """It is not to be sent, for one of the reasons in `shared.domain.reasons.SKIPPED`."""
    VALUE_MISSING = "value_missing"
    VALUE_CAME = "value_came"
    AGED = "aged"
    """6 d 12 h have passed since the conversion."""
    CLAIMED = "claimed"
    RECEIVED = "received"
    """Meta received exactly what was sent, or a person says it did."""
    NOT_TAKEN = "not_taken"
    """Meta surely has not taken it, and may take it later."""
    REFUSED = "refused"
    """Refused for good, alone in its request or by our own check."""
    REFUSED_IN_COMPANY = "refused_in_company"
    NO_ANSWER = "no_answer"
    """Bytes may have left and no usable answer came."""
    LEASE_LOST_AFTER_START = "lease_lost_after_start"
    LEASE_LOST_BEFORE_START = "lease_lost_before_start"
    """The lease ran out, or was given back, before the request was started."""
    RESEND = "resend"
    """The policy or a person decides to send an unknown delivery again."""
    REINSTATED = "reinstated"
    """What it was skipped or rejected for is gone, or a person sends it again."""


_S, _E = State, Event
TRANSITIONS: Mapping[tuple[State | None, Event], State] = MappingProxyType(
    {
        (None, _E.ATTRIBUTED): _S.PENDING,
        (None, _E.WITHHELD): _S.SKIPPED,
        (None, _E.VALUE_MISSING): _S.WAITING,
        (None, _E.AGED): _S.EXPIRED,
        (_S.WAITING, _E.VALUE_CAME): _S.PENDING,
        (_S.WAITING, _E.AGED): _S.EXPIRED,
        (_S.PENDING, _E.CLAIMED): _S.SENDING,
        (_S.PENDING, _E.AGED): _S.EXPIRED,
        (_S.PENDING, _E.WITHHELD): _S.SKIPPED,
        (_S.WAITING, _E.WITHHELD): _S.SKIPPED,
        # Found out when it was about to be sent.
        (_S.SENDING, _E.WITHHELD): _S.SKIPPED,
        (_S.SENDING, _E.RECEIVED): _S.ACCEPTED,
        (_S.SENDING, _E.NOT_TAKEN): _S.PENDING,
        (_S.SENDING, _E.REFUSED): _S.REJECTED,
        (_S.SENDING, _E.REFUSED_IN_COMPANY): _S.PENDING,
        (_S.SENDING, _E.NO_ANSWER): _S.UNKNOWN,
        (_S.SENDING, _E.LEASE_LOST_AFTER_START): _S.UNKNOWN,
        (_S.SENDING, _E.LEASE_LOST_BEFORE_START): _S.PENDING,
        (_S.UNKNOWN, _E.RESEND): _S.PENDING,
        (_S.UNKNOWN, _E.RECEIVED): _S.ACCEPTED,
        (_S.UNKNOWN, _E.NOT_TAKEN): _S.PENDING,
        (_S.UNKNOWN, _E.REFUSED): _S.REJECTED,
        (_S.UNKNOWN, _E.REFUSED_IN_COMPANY): _S.PENDING,
        (_S.SKIPPED, _E.REINSTATED): _S.PENDING,
        (_S.SKIPPED, _E.VALUE_MISSING): _S.WAITING,
        (_S.SKIPPED, _E.AGED): _S.EXPIRED,
        (_S.REJECTED, _E.REINSTATED): _S.PENDING,
    }
)


class IllegalTransition(Exception):
    """The event cannot happen to a delivery in this state."""


def next_state(state: State | None, event: Event) -> State:
    """The state after the event (None: not yet born). IllegalTransition when it cannot happen."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"A delivery that is {state or 'not born'} cannot be '{event}'.") from None


def is_aged(event_time: datetime, now: datetime) -> bool:
    """Whether the conversion is too old to be sent; both times are aware."""
    return now - event_time > EXPIRES_AFTER


def birth(
    *,
    event_time: datetime,
    now: datetime,
    has_click_id: bool,
    attributed: bool,
    needs_value: bool,
    value: Decimal | None,
    sending: SendingMode,
    consented: bool = True,
    region_allowed: bool = True,
    in_scope: bool = True,
    duplicate: bool = False,
    may_send: bool = True,
    counted_by_meta: bool = False,
) -> tuple[State, str | None]:
    """The first state of a delivery and the reason code for it (None when it is simply pending).

    `in_scope` is false for what the channel does not report, `may_send` when the source of the conversion
    lacks the permission, `counted_by_meta` is true for what Meta detected itself. What is never to be sent is
    skipped even when it is old; dry run is born like live.
    """
    withheld = (
        ("duplicate", duplicate),
        ("meta_automatic", counted_by_meta),
        ("no_permission", not may_send),
        ("unattributed", not attributed),
        ("no_click_id", not has_click_id),
        ("scope", not in_scope),
        ("region", not region_allowed),
        ("consent", not consented),
        ("disabled", sending == "off"),
    )
    for reason, holds in withheld:
        if holds:
            return next_state(None, Event.WITHHELD), reason
    if is_aged(event_time, now):
        return next_state(None, Event.AGED), "expired"
    if needs_value and value is None:
        return next_state(None, Event.VALUE_MISSING), "waiting_for_value"
    return next_state(None, Event.ATTRIBUTED), None


def unknown_policy(event_name: str, has_value: bool, overrides: Mapping[str, Policy] | None = None) -> Policy:
    """What becomes of an unknown outcome: a value is always held, the rest resent once unless overridden by
    name.

    Meta does not deduplicate messaging events, so a purchase sent twice is counted twice.
    """
    return "hold" if has_value else (overrides or {}).get(event_name, "resend")


def event_id_for(
    meta_dataset_id: str,
    event_name: str,
    business_key: str,
    conversion_token: str | None = None,
    automatic_lead: bool = False,
) -> str:
    """The event's id at Meta: the provider's conversion token for an automatic Lead, else a stable hash."""
    token = conversion_token or ""
    if automatic_lead and 1 <= len(token) <= 512 and token.isascii() and token.isprintable():
        return token
    fact = f"{meta_dataset_id}\x1f{event_name}\x1f{business_key}"
    return hashlib.sha256(fact.encode()).hexdigest()[:32]


def retry_delay(attempt: int, rng: random.Random, retry_after: float | None = None) -> float:
    """Seconds to wait after a failure (the first is 1): full jitter, at least 1 s and `retry_after`."""
    ceiling = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS << min(max(attempt, 1) - 1, 20))
    return max(1.0, rng.uniform(0, ceiling), retry_after or 0.0)


def outage_pause(failures_in_a_row: int) -> int | None:
    """Seconds to pause as `meta_down` after so many outages in a row, if any: 30 s doubling to 10 min."""
    if failures_in_a_row < OUTAGE_AFTER:
        return None
    return min(600, 30 << min(failures_in_a_row - OUTAGE_AFTER, 10))


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What one delivery becomes after one answer.

    `event` is what the answer means, `then` a second step to take at once (an unknown delivery resent by
    policy), and `state` the state after both. `retry`: it needs a time for its next attempt. `split`: send
    its request again in halves. `pause` is for the dataset. `batch_cap` 1: it must be alone in its next
    request.
    """

    event: Event
    state: State
    reason: str | None
    retry: bool
    then: Event | None = None
    split: bool = False
    pause: PauseReason | None = None
    batch_cap: int | None = None


def decide(
    answer: Answer,
    *,
    alone: bool,
    has_value: bool,
    resent: int,
    attempts: int,
    not_received_count: int,
    policy: Policy,
) -> Decision:
    """What becomes of a delivery that was `sending` when this answer came.

    `attempts` and `not_received_count` (attempts answered with events_received 0) include this one; `resent`
    counts how often the policy has sent it again after an unknown outcome.
    """
    match answer.verdict:
        case Verdict.ACCEPTED:
            return Decision(event=Event.RECEIVED, state=State.ACCEPTED, reason=None, retry=False)
        case Verdict.UNKNOWN:
            return _unknown(
                answer.reason,
                may_resend=policy == "resend" and resent == 0 and not has_value,
            )
        case Verdict.SPLIT_DROP | Verdict.SPLIT_CONFIG | Verdict.DROP if not alone:
            return _not_taken(answer.reason, event=Event.REFUSED_IN_COMPANY, split=True)
        case Verdict.SPLIT_DROP | Verdict.DROP:
            return Decision(
                event=Event.REFUSED,
                state=State.REJECTED,
                reason=answer.reason,
                retry=False,
            )
        case Verdict.NOT_RECEIVED:
            lasting = not_received_count >= NOT_RECEIVED_BEFORE_CONFIG
        case Verdict.RETRY:
            # Code 1 for ever, and answers that are not Graph's at all, are how a wrong set-up shows itself.
            lasting = answer.code in (1, None) and attempts >= ATTEMPTS_BEFORE_CONFIG
        case Verdict.NOT_SENT | Verdict.THROTTLE | Verdict.CONFIG | Verdict.SPLIT_CONFIG:
            lasting = False
    return _not_taken(answer.reason, pause=PauseReason.LINK if lasting else answer.pause)


def _not_taken(
    reason: str | None,
    *,
    event: Event = Event.NOT_TAKEN,
    split: bool = False,
    pause: PauseReason | None = None,
) -> Decision:
    return Decision(
        event=event,
        state=State.PENDING,
        reason=reason,
        retry=True,
        split=split,
        pause=pause,
    )


def _unknown(reason: str | None, *, may_resend: bool) -> Decision:
    if not may_resend:
        return Decision(event=Event.NO_ANSWER, state=State.UNKNOWN, reason=reason, retry=False)
    return Decision(
        event=Event.NO_ANSWER,
        then=Event.RESEND,
        state=State.PENDING,
        reason=reason,
        retry=True,
        batch_cap=1,
    )


_REFUSALS = frozenset({Verdict.SPLIT_DROP, Verdict.SPLIT_CONFIG, Verdict.DROP})


class Cause(StrEnum):
    """Why a request of several events is refused."""

    UNDECIDED = "undecided"
    EVENTS = "events"
    CONFIGURATION = "configuration"


def split(size: int) -> tuple[int, int]:
    """The sizes of the two halves of a request of `size` events; the first is never the smaller."""
    if size < 2:
        raise ValueError("A request of one event cannot be split.")
    return size - size // 2, size // 2


class SplitGuard:
    """Watches the answers to the parts of one refused request of `size` events.

    Meta does not say which event it refuses. If the first singles fail alike, with a code that is not an
    event's own fault, and nothing of the request was accepted, the set-up is wrong and no event must be
    rejected for it. Keep the singles' rejections back while `cause` is UNDECIDED: carry them out on EVENTS,
    hold them all on CONFIGURATION, and hold what is still UNDECIDED when the split is over.
    """

    def __init__(self, size: int) -> None:
        self._needed = min(SINGLES_THAT_DECIDE, size)
        self._refused_singles: list[Answer] = []
        self.cause = Cause.UNDECIDED

    def record(self, answer: Answer, size: int) -> Cause:
        """Take in the answer to a part of `size` events, and return the cause as known by now."""
        if self.cause is Cause.UNDECIDED:
            if size == 1 and answer.verdict in _REFUSALS:
                self._refused_singles.append(answer)
            self.cause = self._judge(answer)
        return self.cause

    def _judge(self, answer: Answer) -> Cause:
        singles = self._refused_singles
        kinds = {(single.code, single.subcode, single.http_status) for single in singles}
        if answer.verdict is Verdict.ACCEPTED or len(kinds) > 1 or any(single.event_level for single in singles):
            return Cause.EVENTS
        return Cause.CONFIGURATION if len(singles) >= self._needed else Cause.UNDECIDED
