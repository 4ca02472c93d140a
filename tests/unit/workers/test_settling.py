"""What one answer makes of each delivery in its request: pure, so tried over a space of batches and answers."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.capi.answers import Verdict, no_answer, not_sent, read_answer
from shared.db.claims import ClaimedDelivery
from shared.domain.deliveries import Event, State, next_state
from workers.settling import hold, put_back, settle_part

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def delivery(number=1, **changes):
    facts = {
        "id": number, "event_name": "Lead", "event_id": f"e{number}", "event_time": NOW, "has_value": False,
        "attempts": 1, "retries": 0, "not_received": 0, "resent": 0, "batch_cap": 1000, "click_id": "Af", "value": None,
        "currency": None, "order_id": None, "automatic": False, "country": None,
        "erased": False,
    }  # fmt: skip
    return ClaimedDelivery(**facts | changes)


def part_of(*deliveries):
    return [(one, {"event_id": one.event_id}) for one in deliveries]


def graph(status, code=None, subcode=None, *, sent=1, headers=None):
    error = {"message": "m", "code": code, "error_subcode": subcode}
    body = json.dumps({"error": {name: it for name, it in error.items() if it is not None}} if code else {}).encode()
    return read_answer(status, headers or {}, body, sent=sent)


def receipt(received, *, sent):
    return read_answer(200, {}, json.dumps({"events_received": received}).encode(), sent=sent)


ANSWERS = st.sampled_from(
    [
        lambda sent: receipt(sent, sent=sent),
        lambda sent: receipt(0, sent=sent),
        lambda sent: receipt(sent + 1, sent=sent),
        lambda sent: no_answer("ReadTimeout"),
        lambda sent: not_sent("ConnectTimeout"),
        lambda sent: graph(400, 100, 2804087),
        lambda sent: graph(400, 100, 2804001),
        lambda sent: graph(400, 100, 2804132),
        lambda sent: graph(400, 190, 463),
        lambda sent: graph(400, 200),
        lambda sent: graph(400, 4),
        lambda sent: graph(429, headers={"Retry-After": "77"}),
        lambda sent: graph(500, 1),
        lambda sent: graph(500, 2),
        lambda sent: graph(503),
        lambda sent: graph(413),
    ]
)
DELIVERIES = st.lists(
    st.builds(
        delivery,
        number=st.integers(1, 10**9),
        event_name=st.sampled_from(["Lead", "Purchase"]),
        has_value=st.booleans(),
        retries=st.integers(0, 9),
        not_received=st.integers(0, 3),
        resent=st.integers(0, 1),
        batch_cap=st.sampled_from([1, 10, 1000]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.id,
)
POLICIES = st.dictionaries(st.sampled_from(["Lead", "Purchase"]), st.sampled_from(["resend", "hold"]))


@given(deliveries=DELIVERIES, make=ANSWERS, held_back=st.booleans(), policies=POLICIES)
def test_every_delivery_of_a_request_is_accounted_for_and_moves_as_the_table_allows(
    deliveries, make, held_back, policies
):
    answer = make(len(deliveries))
    settled = settle_part(part_of(*deliveries), answer, held_back=held_back, policies=policies)
    assert settled.ids == [one.id for one in deliveries]
    assert len(settled.events) == len(deliveries)
    left = {one.id for one in deliveries} - {outcome.id for outcome in settled.outcomes}
    assert not left or settled.split or settled.undecided
    assert not (settled.split and len(deliveries) == 1)
    assert not settled.undecided or (held_back and len(deliveries) == 1)
    for one, event in zip(deliveries, settled.events, strict=True):
        state = next_state(State.SENDING, Event(event))
        for outcome in settled.outcomes:
            if outcome.id == one.id and outcome.state != state:
                assert (state, outcome.state, one.resent) == (State.UNKNOWN, "pending", 0)


@given(deliveries=DELIVERIES, make=ANSWERS, policies=POLICIES)
def test_what_meta_may_have_is_repeated_once_alone_and_only_without_a_value(deliveries, make, policies):
    answer = make(len(deliveries))
    settled = settle_part(part_of(*deliveries), answer, held_back=False, policies=policies)
    if answer.verdict is not Verdict.UNKNOWN:
        assert all(outcome.state != "unknown" for outcome in settled.outcomes)
        return
    by_id = {one.id: one for one in deliveries}
    for outcome in settled.outcomes:
        one = by_id[outcome.id]
        repeated = not one.has_value and one.resent == 0 and policies.get(one.event_name, "resend") == "resend"
        assert (outcome.state == "pending") is repeated
        assert outcome.resent == one.resent + repeated
        if repeated:
            assert outcome.batch_cap == 1


@given(deliveries=DELIVERIES, make=ANSWERS)
def test_waiting_is_jittered_unless_a_pause_or_a_throttle_does_the_waiting(deliveries, make):
    answer = make(len(deliveries))
    settled = settle_part(part_of(*deliveries), answer, held_back=False, policies={})
    for outcome in settled.outcomes:
        assert 0 <= outcome.delay_seconds <= 3600
        if outcome.state == "pending" and settled.pause is None and answer.verdict is not Verdict.THROTTLE:
            assert outcome.delay_seconds >= 1
        if outcome.state != "pending":
            assert (outcome.delay_seconds, outcome.retries) == (0, 0)


def test_an_attempt_is_charged_only_for_an_answer_about_the_event():
    charged = {}
    for name, answer in {
        "busy": graph(500, 2),
        "throttle": graph(400, 4),
        "token": graph(400, 190, 463),
        "zero": receipt(0, sent=1),
    }.items():
        (outcome,) = settle_part(part_of(delivery(retries=2)), answer, held_back=False, policies={}).outcomes
        charged[name] = outcome.retries
    assert charged == {"busy": 3, "throttle": 2, "token": 2, "zero": 3}


def test_zero_received_counts_in_a_row_only():
    def after(answer):
        (outcome,) = settle_part(part_of(delivery(not_received=1)), answer, held_back=False, policies={}).outcomes
        return outcome.not_received

    assert after(receipt(0, sent=1)) == 2
    assert after(graph(500, 2)) == 0


def test_the_answer_is_kept_on_each_delivery():
    answer = graph(400, 100, 2804087)
    (outcome,) = settle_part(part_of(delivery()), answer, held_back=False, policies={}).outcomes
    assert (outcome.state, outcome.http_status, outcome.code, outcome.subcode) == ("rejected", 400, 100, 2804087)
    assert outcome.reason == answer.reason


@given(deliveries=DELIVERIES)
def test_what_was_not_posted_is_due_at_once_with_all_it_had(deliveries):
    for smaller in (True, False):
        outcomes = put_back(part_of(*deliveries), smaller=smaller)
        for one, outcome in zip(deliveries, outcomes, strict=True):
            assert (outcome.id, outcome.state, outcome.delay_seconds) == (one.id, "pending", 0)
            assert (outcome.retries, outcome.not_received, outcome.resent) == (
                one.retries, one.not_received, one.resent,
            )  # fmt: skip
            assert outcome.batch_cap == (min(one.batch_cap, len(deliveries)) if smaller else one.batch_cap)


@given(deliveries=DELIVERIES)
def test_what_is_held_for_the_set_up_keeps_its_company_and_says_why(deliveries):
    answer = graph(400, 100, 2804001)
    for one, outcome in zip(deliveries, hold(part_of(*deliveries), answer), strict=True):
        assert (outcome.state, outcome.reason, outcome.batch_cap) == ("pending", answer.reason, one.batch_cap)
        assert (outcome.resent, outcome.retries, outcome.code) == (one.resent, one.retries, 100)


def test_the_rest_of_a_claim_stops_for_an_outage_a_throttle_and_an_unknown_end():
    def stops(answer):
        return settle_part(part_of(delivery()), answer, held_back=False, policies={}).stops

    assert all(map(stops, [graph(500, 2), graph(400, 4), no_answer("x"), not_sent("x"), receipt(5, sent=1)]))
    assert not any(map(stops, [receipt(1, sent=1), graph(400, 100, 2804087), receipt(0, sent=1)]))
