import json
from typing import Any

import pytest

from sandbox.answers import new_fbtrace_id, received, refusal, usage_headers
from sandbox.errors import TOKEN_UNKNOWN, event_error, object_missing
from sandbox.faults import FAULTS, Case, Options, answer_of

GRAPH_FAULTS = [kind for kind, fault in FAULTS.items() if fault.error is not None]


def case(options: Options | None = None, events: int = 3, refused: bool = False) -> Case:
    usual = refusal(TOKEN_UNKNOWN, "Atrace") if refused else received(events, "Atrace")
    return Case("111", "Atrace", events, events, usual, options or Options())


def error_of(kind: str, options: Options | None = None) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(answer_of(FAULTS[kind], case(options)).body)["error"]
    return error


@pytest.mark.parametrize("kind", GRAPH_FAULTS)
def test_a_graph_error_carries_what_every_graph_error_carries(kind: str) -> None:
    error = error_of(kind)
    assert {"message", "type", "code", "fbtrace_id"} <= set(error)
    assert "{" not in error["message"]
    assert FAULTS[kind].keep == "none"


@pytest.mark.parametrize("kind", GRAPH_FAULTS)
def test_a_graph_error_can_be_made_another(kind: str) -> None:
    options = Options(status=503, code=5000, subcode=99, is_transient=True)
    answer = answer_of(FAULTS[kind], case(options))
    error = json.loads(answer.body)["error"]
    assert answer.status == 503
    assert (error["code"], error["error_subcode"], error["is_transient"]) == (5000, 99, True)


@pytest.mark.parametrize("kind", [kind for kind, fault in FAULTS.items() if fault.throttles])
def test_a_throttle_tells_when_to_come_back(kind: str) -> None:
    headers = answer_of(FAULTS[kind], case(Options(regain_minutes=7, retry_after=9))).headers
    business = json.loads(headers["X-Business-Use-Case-Usage"])["111"][0]
    assert business["estimated_time_to_regain_access"] == 7
    assert json.loads(headers["X-App-Usage"])["call_count"] == 100
    assert headers["Retry-After"] == "9"


def test_the_texts_of_a_localised_error_are_portuguese_and_its_numbers_are_not() -> None:
    error = error_of("localised_error")
    assert (error["code"], error["error_subcode"]) == (100, 2804003)
    assert "servidor" in error["error_user_msg"]


def test_error_data_can_be_json_in_a_string() -> None:
    assert json.loads(error_of("error_data_string")["error_data"]) == {"blame_field_specs": [["data[0]"]]}


def test_the_missing_object_is_named() -> None:
    error = error_of("object_missing")
    assert "'111'" in error["message"]
    assert error["error_subcode"] == 33


@pytest.mark.parametrize(("kind", "count"), [("received_zero", 0), ("received_short", 2)])
def test_the_count_can_be_short(kind: str, count: int) -> None:
    assert json.loads(answer_of(FAULTS[kind], case()).body)["events_received"] == count


@pytest.mark.parametrize("kind", ["received_zero", "received_short", "huge_answer", "ok_empty", "auto_upgrade"])
def test_a_fault_that_answers_200_leaves_a_refusal_as_it_is(kind: str) -> None:
    answer = answer_of(FAULTS[kind], case(refused=True))
    assert answer.status == 401
    assert json.loads(answer.body)["error"]["code"] == 190


def test_trace_ids_are_new_each_time_and_look_like_graphs() -> None:
    made = {new_fbtrace_id() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 23 and one.startswith("A") for one in made)


def test_an_error_leaves_out_what_it_has_not() -> None:
    assert set(TOKEN_UNKNOWN.body("A")["error"]) == {"message", "type", "code", "fbtrace_id"}
    assert set(event_error(2804066, "Lead").body("A")["error"]) == {
        "message",
        "type",
        "code",
        "error_subcode",
        "is_transient",
        "error_user_title",
        "error_user_msg",
        "fbtrace_id",
    }


def test_what_was_found_is_cut_short_and_not_read_as_a_format() -> None:
    text = event_error(2804066, "{0.__class__}" * 100).user_msg
    assert text is not None
    assert len(text) < 400
    assert "{0.__class__}" in text
    assert "/{WABA_ID}/dataset" in str(event_error(2804132).user_msg)


def test_an_object_that_cannot_be_read_is_told_so() -> None:
    assert object_missing("9", "get").message.startswith("Unsupported get request. Object with ID '9'")


def test_usage_is_json_in_headers() -> None:
    headers = usage_headers("111", 80)
    assert json.loads(headers["X-App-Usage"]) == {"call_count": 80, "total_cputime": 80, "total_time": 80}
    assert json.loads(headers["X-Business-Use-Case-Usage"])["111"][0]["type"] == "ads_management"
