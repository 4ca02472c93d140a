import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.capi.answers import Answer, PauseReason, Verdict, no_answer, not_sent, read_answer
from shared.domain.deliveries import (
    EXPIRES_AFTER,
    TRANSITIONS,
    Cause,
    Decision,
    Event,
    IllegalTransition,
    SplitGuard,
    State,
    birth,
    decide,
    event_id_for,
    next_state,
    outage_pause,
    retry_delay,
    split,
    unknown_policy,
)
from shared.domain.reasons import REASONS, SKIPPED

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

# The table "What a delivery is" of the design, row by row.
ROWS: list[tuple[State | None, Event, State]] = [
    (None, Event.ATTRIBUTED, State.PENDING),
    (None, Event.WITHHELD, State.SKIPPED),
    (None, Event.VALUE_MISSING, State.WAITING),
    (State.WAITING, Event.VALUE_CAME, State.PENDING),
    (State.WAITING, Event.AGED, State.EXPIRED),
    (State.WAITING, Event.WITHHELD, State.SKIPPED),
    (State.PENDING, Event.CLAIMED, State.SENDING),
    (State.PENDING, Event.AGED, State.EXPIRED),
    (None, Event.AGED, State.EXPIRED),
    (State.PENDING, Event.WITHHELD, State.SKIPPED),
    (State.SENDING, Event.WITHHELD, State.SKIPPED),
    (State.SENDING, Event.RECEIVED, State.ACCEPTED),
    (State.SENDING, Event.NOT_TAKEN, State.PENDING),
    (State.SENDING, Event.REFUSED, State.REJECTED),
    (State.SENDING, Event.REFUSED_IN_COMPANY, State.PENDING),
    (State.SENDING, Event.NO_ANSWER, State.UNKNOWN),
    (State.SENDING, Event.LEASE_LOST_AFTER_START, State.UNKNOWN),
    (State.SENDING, Event.LEASE_LOST_BEFORE_START, State.PENDING),
    (State.UNKNOWN, Event.RESEND, State.PENDING),
    (State.UNKNOWN, Event.RECEIVED, State.ACCEPTED),
    (State.UNKNOWN, Event.NOT_TAKEN, State.PENDING),
    (State.UNKNOWN, Event.REFUSED, State.REJECTED),
    (State.UNKNOWN, Event.REFUSED_IN_COMPANY, State.PENDING),
    (State.SKIPPED, Event.REINSTATED, State.PENDING),
    (State.SKIPPED, Event.VALUE_MISSING, State.WAITING),
    (State.SKIPPED, Event.AGED, State.EXPIRED),
    (State.REJECTED, Event.REINSTATED, State.PENDING),
]


def test_every_row_of_the_table_leads_where_it_says_and_there_are_no_others() -> None:
    assert {(state, event): after for state, event, after in ROWS} == dict(TRANSITIONS)
    for state, event, after in ROWS:
        assert next_state(state, event) is after


def test_everything_else_is_illegal() -> None:
    pairs = set(product([None, *State], Event)) - {(state, event) for state, event, _ in ROWS}
    assert len(pairs) == (len(State) + 1) * len(Event) - len(ROWS)
    for state, event in pairs:
        with pytest.raises(IllegalTransition):
            next_state(state, event)


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_no_sequence_of_events_leaves_accepted_or_expired(events: list[Event]) -> None:
    state: State | None = None
    for event in events:
        before = state
        try:
            state = next_state(state, event)
        except IllegalTransition:
            continue
        assert before not in (State.ACCEPTED, State.EXPIRED)
        assert state is not State.ACCEPTED or before in (State.SENDING, State.UNKNOWN)


def born(**changes: Any) -> tuple[State, str | None]:
    facts: dict[str, Any] = {
        "event_time": NOW,
        "now": NOW,
        "has_click_id": True,
        "attributed": True,
        "needs_value": False,
        "value": None,
        "sending": "on",
    }
    return birth(**{**facts, **changes})


BIRTHS = [
    (born(), State.PENDING, None),
    (born(sending="dry-run"), State.PENDING, None),
    (born(needs_value=True, value=Decimal(0)), State.PENDING, None),
    (born(event_time=NOW - EXPIRES_AFTER), State.PENDING, None),
    (born(needs_value=True), State.WAITING, "waiting_for_value"),
    (born(event_time=NOW - EXPIRES_AFTER - timedelta(seconds=1)), State.EXPIRED, "expired"),
    (born(event_time=NOW - timedelta(days=30), needs_value=True), State.EXPIRED, "expired"),
    (born(has_click_id=False), State.SKIPPED, "no_click_id"),
    (born(has_click_id=False, event_time=NOW - timedelta(days=30)), State.SKIPPED, "no_click_id"),
    (born(attributed=False, has_click_id=False), State.SKIPPED, "unattributed"),
    (born(in_scope=False), State.SKIPPED, "scope"),
    (born(region_allowed=False), State.SKIPPED, "region"),
    (born(consented=False), State.SKIPPED, "consent"),
    (born(counted_by_meta=True), State.SKIPPED, "meta_automatic"),
    (born(may_send=False), State.SKIPPED, "no_permission"),
    (born(sending="off"), State.SKIPPED, "disabled"),
    (born(duplicate=True, attributed=False), State.SKIPPED, "duplicate"),
]


def test_how_a_delivery_is_born() -> None:
    for outcome, state, reason in BIRTHS:
        assert outcome == (state, reason)
    assert {reason for _, state, reason in BIRTHS if state is State.SKIPPED} == set(SKIPPED) - {"erased"}


def test_the_expiry_is_6_days_and_12_hours() -> None:
    assert timedelta(days=6, hours=12) == EXPIRES_AFTER


def test_a_value_is_always_held_and_the_rest_resent_unless_overridden() -> None:
    assert unknown_policy("Lead", has_value=False) == "resend"
    assert unknown_policy("Lead", has_value=False, overrides={"Lead": "hold"}) == "hold"
    assert unknown_policy("Purchase", has_value=True) == "hold"
    assert unknown_policy("Purchase", has_value=True, overrides={"Purchase": "resend"}) == "hold"


def test_an_event_id_is_stable_and_tells_dataset_name_and_key_apart() -> None:
    ids = {event_id_for(*parts) for parts in product(("1", "2"), ("Lead", "Purchase"), ("click:a", "click:b"))}
    assert len(ids) == 8
    assert all(len(event_id) == 32 and int(event_id, 16) >= 0 for event_id in ids)
    assert event_id_for("1", "Lead", "click:a") == "d5e1a463f6f0278c3fa1a9f18619f97b"
    assert event_id_for("1", "2", "3") != event_id_for("12", "", "3")


@pytest.mark.parametrize(
    ("token", "automatic_lead", "is_used"),
    [
        ("dedup-token", True, True),
        ("x" * 512, True, True),
        ("x" * 513, True, False),
        ("dedup-token", False, False),
        ("tokén", True, False),
        ("to\nken", True, False),
        ("", True, False),
        (None, True, False),
    ],
)
def test_the_conversion_token_is_the_id_of_the_automatic_lead_only(
    token: str | None, automatic_lead: bool, is_used: bool
) -> None:
    event_id = event_id_for("1", "Lead", "click:a", conversion_token=token, automatic_lead=automatic_lead)
    assert event_id == (token if is_used else event_id_for("1", "Lead", "click:a"))


@given(st.integers(1, 10**6), st.integers(), st.none() | st.floats(0, 86400, allow_nan=False), st.integers(1, 10**6))
def test_a_wait_is_at_least_a_second_at_most_an_hour_and_not_below_what_meta_asks(
    attempt: int, seed: int, retry_after: float | None, later: int
) -> None:
    delay = retry_delay(attempt, random.Random(seed), retry_after)
    assert max(1, retry_after or 0) <= delay <= max(3600, retry_after or 0)
    ceiling = max(1, 10 * 2 ** min(attempt - 1, 20))
    assert retry_delay(attempt, random.Random(seed)) <= ceiling
    # The same luck never waits less after more failures.
    assert retry_delay(attempt + later, random.Random(seed)) >= retry_delay(attempt, random.Random(seed))


def test_jitter_uses_the_whole_range() -> None:
    rng = random.Random(7)
    delays = [retry_delay(3, rng) for _ in range(500)]
    assert min(delays) < 4
    assert max(delays) > 36


def test_an_outage_pauses_from_30_seconds_to_10_minutes() -> None:
    pauses = [outage_pause(failures) for failures in (0, 4, 5, 6, 7, 8, 9, 10, 1000)]
    assert pauses == [None, None, 30, 60, 120, 240, 480, 600, 600]


def graph(code: int, subcode: int | None = None, status: int = 400) -> Answer:
    rest = f',"error_subcode":{subcode}' if subcode else ""
    return read_answer(status, {}, f'{{"error":{{"code":{code}{rest}}}}}'.encode(), sent=1)


def received(count: int, sent: int = 2) -> Answer:
    return read_answer(200, {}, f'{{"events_received":{count}}}'.encode(), sent=sent)


def decided(answer: Answer, **changes: Any) -> Decision:
    facts: dict[str, Any] = {
        "alone": True,
        "has_value": False,
        "resent": 0,
        "attempts": 1,
        "not_received_count": 0,
        "policy": "resend",
    }
    return decide(answer, **{**facts, **changes})


BAD_CLICK = graph(100, 2804087)
WRONG_PAGE = graph(100, 2804065)
HTML_503 = read_answer(503, {}, b"<html>", sent=1)
DECISIONS: list[tuple[Decision, Event, State, PauseReason | None]] = [
    (decided(received(2)), Event.RECEIVED, State.ACCEPTED, None),
    (decided(received(1), policy="hold"), Event.NO_ANSWER, State.UNKNOWN, None),
    (decided(received(0), not_received_count=2), Event.NOT_TAKEN, State.PENDING, None),
    (decided(received(0), not_received_count=3), Event.NOT_TAKEN, State.PENDING, PauseReason.LINK),
    (decided(not_sent("X"), attempts=99), Event.NOT_TAKEN, State.PENDING, None),
    (decided(graph(190)), Event.NOT_TAKEN, State.PENDING, PauseReason.TOKEN),
    (decided(graph(200)), Event.NOT_TAKEN, State.PENDING, PauseReason.PERMISSION),
    (decided(graph(100, 2804132)), Event.NOT_TAKEN, State.PENDING, PauseReason.LINK),
    (decided(graph(4)), Event.NOT_TAKEN, State.PENDING, PauseReason.THROTTLE),
    (decided(graph(2, status=500), attempts=99), Event.NOT_TAKEN, State.PENDING, None),
    (decided(graph(1, status=500), attempts=4), Event.NOT_TAKEN, State.PENDING, None),
    (decided(graph(1, status=500), attempts=5), Event.NOT_TAKEN, State.PENDING, PauseReason.LINK),
    (decided(read_answer(302, {}, b"", sent=1), attempts=4), Event.NOT_TAKEN, State.PENDING, None),
    (decided(read_answer(302, {}, b"", sent=1), attempts=5), Event.NOT_TAKEN, State.PENDING, PauseReason.LINK),
    (decided(BAD_CLICK), Event.REFUSED, State.REJECTED, None),
    (decided(BAD_CLICK, alone=False), Event.REFUSED_IN_COMPANY, State.PENDING, None),
    (decided(WRONG_PAGE), Event.NOT_TAKEN, State.PENDING, PauseReason.LINK),
    (decided(WRONG_PAGE, alone=False), Event.REFUSED_IN_COMPANY, State.PENDING, None),
    (decided(graph(506)), Event.REFUSED, State.REJECTED, None),
    (decided(graph(506), alone=False), Event.REFUSED_IN_COMPANY, State.PENDING, None),
    (decided(HTML_503, policy="hold"), Event.NO_ANSWER, State.UNKNOWN, None),
    (decided(HTML_503, has_value=True), Event.NO_ANSWER, State.UNKNOWN, None),
    (decided(HTML_503, resent=1), Event.NO_ANSWER, State.UNKNOWN, None),
    (decided(HTML_503, alone=False), Event.NO_ANSWER, State.PENDING, None),
    (decided(no_answer("ReadTimeout")), Event.NO_ANSWER, State.PENDING, None),
]


def test_what_an_answer_makes_of_a_delivery() -> None:
    for decision, event, state, pause in DECISIONS:
        assert (decision.event, decision.state, decision.pause) == (event, state, pause), decision


def test_a_resent_delivery_goes_alone() -> None:
    decision = decided(no_answer("ReadTimeout"))
    assert (decision.then, decision.retry, decision.batch_cap) == (Event.RESEND, True, 1)
    assert decided(no_answer("ReadTimeout"), resent=1).then is None


VERDICTS = st.sampled_from(
    [received(2), received(1), received(0), BAD_CLICK, WRONG_PAGE, HTML_503, not_sent("X"), no_answer("X")]
    + [graph(code, status=status) for code in (1, 2, 4, 17, 190, 200, 368, 506, 5000, 99999) for status in (400, 500)]
)


@given(
    answer=VERDICTS,
    alone=st.booleans(),
    has_value=st.booleans(),
    resent=st.integers(0, 2),
    attempts=st.integers(1, 9),
    not_received_count=st.integers(0, 4),
    policy=st.sampled_from(["resend", "hold"]),
)
def test_a_decision_is_a_walk_through_the_table(answer: Answer, **facts: Any) -> None:
    decision = decide(answer, **facts)
    state = next_state(State.SENDING, decision.event)
    if decision.then:
        state = next_state(state, decision.then)
    assert state is decision.state
    assert decision.retry == (state is State.PENDING)
    assert (decision.reason is None) == (state is State.ACCEPTED)
    assert not (decision.split and facts["alone"])
    # Rule of the house: what may have arrived is sent again only once, by policy, and never with a value.
    if answer.verdict is Verdict.UNKNOWN and state is State.PENDING:
        assert facts["policy"] == "resend"
        assert facts["resent"] == 0
        assert not facts["has_value"]
    if state is State.REJECTED:
        assert facts["alone"]
    if answer.event_level:
        assert decision.pause is None
    if decision.reason and not decision.reason.startswith("meta_"):
        assert decision.reason in REASONS


@given(st.integers(2, 1000))
def test_halves_are_whole_and_differ_by_one_at_most(size: int) -> None:
    first, second = split(size)
    assert first + second == size
    assert 0 <= first - second <= 1
    assert second >= 1


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_one_event_is_not_split(size: int) -> None:
    with pytest.raises(ValueError, match="cannot be split"):
        split(size)


ODD_REFUSAL = graph(100, 2804050)
OTHER_REFUSAL = graph(100, 2804030)
GUARDS: list[tuple[int, list[tuple[Answer, int]], Cause]] = [
    (8, [], Cause.UNDECIDED),
    (8, [(ODD_REFUSAL, 4), (ODD_REFUSAL, 2)], Cause.UNDECIDED),
    (8, [(ODD_REFUSAL, 1), (ODD_REFUSAL, 1)], Cause.UNDECIDED),
    (8, [(ODD_REFUSAL, 4), (ODD_REFUSAL, 1), (ODD_REFUSAL, 1), (ODD_REFUSAL, 1)], Cause.CONFIGURATION),
    (2, [(ODD_REFUSAL, 1), (ODD_REFUSAL, 1)], Cause.CONFIGURATION),
    (8, [(ODD_REFUSAL, 1), (OTHER_REFUSAL, 1)], Cause.EVENTS),
    (8, [(BAD_CLICK, 1)], Cause.EVENTS),
    (8, [(BAD_CLICK, 4)], Cause.UNDECIDED),
    (8, [(received(4, sent=4), 4)], Cause.EVENTS),
    (8, [(ODD_REFUSAL, 1), (ODD_REFUSAL, 1), (received(1, sent=1), 1), (ODD_REFUSAL, 1)], Cause.EVENTS),
    (8, [(no_answer("X"), 1), (graph(2), 1), (not_sent("X"), 1)], Cause.UNDECIDED),
    # Once it is configuration the split ends; what comes later changes nothing.
    (3, [(ODD_REFUSAL, 1), (ODD_REFUSAL, 1), (ODD_REFUSAL, 1), (received(1, sent=1), 1)], Cause.CONFIGURATION),
]


def test_bad_events_are_told_from_a_wrong_set_up() -> None:
    for size, answers, cause in GUARDS:
        guard = SplitGuard(size)
        for answer, part in answers:
            assert guard.record(answer, part) is guard.cause
        assert guard.cause is cause, (size, cause)


@given(st.integers(2, 200), st.sets(st.integers(0, 199), min_size=1))
def test_halving_rejects_exactly_the_bad_events(size: int, marked: set[int]) -> None:
    bad = {index for index in marked if index < size} or {0}
    requests, rejected, parts = 0, set(), [list(range(size))]
    while parts:
        part = parts.pop()
        requests += 1
        if not bad & set(part):
            continue
        if len(part) == 1:
            rejected.add(part[0])
        else:
            first, _ = split(len(part))
            parts += [part[first:], part[:first]]
    assert rejected == bad
    assert requests <= 2 * len(bad) * max(1, (size - 1).bit_length()) + 2
