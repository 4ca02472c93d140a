import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.capi.answers import Answer, PauseReason, Verdict, no_answer, not_sent, proves_access, read_answer
from shared.capi.verdicts import CODES, RANGES, SUBCODES_OF_100

FIXTURES = Path(__file__).parents[3] / "fixtures" / "capi"
TABLE: dict[str, Any] = json.loads((FIXTURES / "meta-error-codes.json").read_text())
RESET = "connection reset"


def answer_to(
    error: object = None, *, status: int = 400, sent: int = 1, headers: dict[str, str] | None = None, **rest: object
) -> Answer:
    content = rest if error is None else {"error": error, **rest}
    return read_answer(status, headers or {}, json.dumps(content).encode(), sent=sent)


def listed_codes() -> Iterator[tuple[int, int | None, str]]:
    """Every code of the reference table, ranges included."""
    singles = {row["code"] for row in TABLE["codes"] if isinstance(row["code"], int)}
    for row in TABLE["codes"]:
        if isinstance(row["code"], int):
            yield row["code"], None, row["verdict"]
        else:
            first, last = map(int, row["code"].split("-"))
            yield from ((code, None, row["verdict"]) for code in range(first, last + 1) if code not in singles)
    yield from ((100, int(subcode), verdict) for subcode, verdict in TABLE["code100_subcodes"].items())


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_every_listed_code_means_what_the_reference_table_says_whatever_the_status(status: int) -> None:
    rows = list(listed_codes())
    assert len(rows) > 140
    for code, subcode, verdict in rows:
        error = {"code": code} | ({"error_subcode": subcode} if subcode else {})
        answer = answer_to(error, status=status)
        assert answer.verdict == Verdict[verdict], (code, subcode)
        expected_reason = f"meta_{code}_{subcode}" if subcode else f"meta_{code}"
        assert (answer.code, answer.subcode, answer.reason) == (code, subcode, expected_reason)


def test_our_table_has_no_row_that_the_reference_lacks() -> None:
    known = {(code, subcode) for code, subcode, _ in listed_codes()}
    ours = {(code, None) for code in CODES} | {(100, subcode) for subcode in SUBCODES_OF_100}
    ours |= {(code, None) for codes, _ in RANGES for code in codes}
    assert ours == known


def test_exactly_the_reference_s_subcodes_are_an_event_s_own_fault() -> None:
    ours = {subcode for subcode, meaning in SUBCODES_OF_100.items() if meaning.event_level}
    assert ours == set(map(int, TABLE["event_level_subcodes"]))
    assert not any(meaning.event_level for meaning in CODES.values())


def test_what_is_an_event_s_fault_never_pauses_a_dataset() -> None:
    assert all(meaning.pause is None for meaning in SUBCODES_OF_100.values() if meaning.event_level)
    wants_pause = {Verdict.CONFIG, Verdict.THROTTLE, Verdict.SPLIT_CONFIG}
    rows = [*CODES.values(), *(meaning for _, meaning in RANGES), *SUBCODES_OF_100.values()]
    assert all((meaning.pause is not None) == (meaning.verdict in wants_pause) for meaning in rows)


UNLISTED = {"code": 987654}
DEFAULTS = [
    ("http_5xx_with_graph_error", answer_to(UNLISTED, status=500), Verdict.RETRY),
    ("http_5xx_or_408_without_graph_error", answer_to(status=503), Verdict.UNKNOWN),
    ("http_5xx_or_408_without_graph_error", answer_to(status=408), Verdict.UNKNOWN),
    ("http_2xx_unreadable_or_cut", read_answer(200, {}, b'{"events_received":', sent=1), Verdict.UNKNOWN),
    ("events_received_zero", answer_to(status=200, events_received=0), Verdict.NOT_RECEIVED),
    ("events_received_short", answer_to(status=200, sent=3, events_received=2), Verdict.UNKNOWN),
    ("http_429", answer_to(status=429), Verdict.THROTTLE),
    ("http_429", answer_to(UNLISTED, status=429), Verdict.THROTTLE),
    ("is_transient", answer_to({**UNLISTED, "is_transient": True}), Verdict.RETRY),
    ("100_other", answer_to({"code": 100, "error_subcode": 2804999}), Verdict.SPLIT_DROP),
    ("100_other", answer_to({"code": 100, "message": "Invalid parameter"}), Verdict.SPLIT_DROP),
    ("unlisted_4xx", answer_to(UNLISTED), Verdict.SPLIT_DROP),
    ("not_sent", not_sent(RESET), Verdict.NOT_SENT),
    ("no_answer_after_bytes_left", no_answer(RESET), Verdict.UNKNOWN),
]


def test_the_defaults_are_the_reference_s() -> None:
    assert {name for name, _, _ in DEFAULTS} == set(TABLE["default"])
    for name, answer, verdict in DEFAULTS:
        assert answer.verdict is verdict, name
        # The table's own words, where it has a word for our verdict; two rows are refined by the code.
        refined = {"events_received_zero": "NOT_RECEIVED", "not_sent": "NOT_SENT"}
        assert verdict.name == refined.get(name, TABLE["default"][name]), name


@pytest.mark.parametrize(
    ("content", "verdict", "received"),
    [
        ({"events_received": 3, "messages": [], "fbtrace_id": "Abc"}, Verdict.ACCEPTED, 3),
        ({"events_received": "3"}, Verdict.ACCEPTED, 3),
        ({"events_received": 4}, Verdict.UNKNOWN, 4),
        ({"events_received": 0}, Verdict.NOT_RECEIVED, 0),
        ({"events_received": True}, Verdict.UNKNOWN, None),
        ({"events_received": None}, Verdict.UNKNOWN, None),
        ({"events_received": [3]}, Verdict.UNKNOWN, None),
        ({"events_received": 10**30}, Verdict.UNKNOWN, None),
        ({"error": {"code": 190}}, Verdict.UNKNOWN, None),
        ({}, Verdict.UNKNOWN, None),
        ([], Verdict.UNKNOWN, None),
        (3, Verdict.UNKNOWN, None),
    ],
)
def test_only_the_number_of_events_received_is_a_receipt(
    content: object, verdict: Verdict, received: int | None
) -> None:
    answer = read_answer(200, {}, json.dumps(content).encode(), sent=3)
    assert (answer.verdict, answer.events_received) == (verdict, received)
    assert (answer.reason is None) == (verdict is Verdict.ACCEPTED)


@pytest.mark.parametrize(
    ("status", "verdict", "reason", "pause"),
    [
        (301, Verdict.RETRY, "redirected", None),
        (302, Verdict.RETRY, "redirected", None),
        (400, Verdict.RETRY, "not_graph", None),
        (401, Verdict.CONFIG, "http_401", PauseReason.TOKEN),
        (403, Verdict.CONFIG, "http_403", PauseReason.PERMISSION),
        (404, Verdict.CONFIG, "http_404", PauseReason.LINK),
        (407, Verdict.RETRY, "not_graph", None),
        (408, Verdict.UNKNOWN, "server_error_unclear", None),
        (413, Verdict.SPLIT_DROP, "http_413", None),
        (429, Verdict.THROTTLE, "http_429", PauseReason.THROTTLE),
        (500, Verdict.UNKNOWN, "server_error_unclear", None),
        (502, Verdict.UNKNOWN, "server_error_unclear", None),
        (504, Verdict.UNKNOWN, "server_error_unclear", None),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><h1>Sorry, something went wrong.</h1></html>",
        b'{"error":"nope"}',
        b'{"error":{}}',
        b'{"error":{"code":NaN}}',
        b'{"error":{"code":99999999999999999999}}',
        b"\xff\xfe\x00",
        b"[" * 50_000,
        b"9" * 5000,
    ],
)
def test_an_answer_without_a_graph_error_is_judged_by_its_status(
    status: int, body: bytes, verdict: Verdict, reason: str, pause: PauseReason | None
) -> None:
    answer = read_answer(status, {}, body, sent=1)
    assert (answer.verdict, answer.reason, answer.pause, answer.code) == (verdict, reason, pause, None)


@pytest.mark.parametrize("code", ["190", 190, 190.0])
def test_a_code_is_read_as_text_and_as_a_number(code: object) -> None:
    assert answer_to({"code": code, "error_subcode": "463"}).reason == "meta_190_463"


def test_a_request_level_100_is_configuration_and_not_an_event_s_fault() -> None:
    answer = answer_to({"code": 100, "message": "(#100) param data must be an array."})
    assert (answer.verdict, answer.pause) == (Verdict.CONFIG, PauseReason.PERMISSION)


def test_a_throttle_stays_one_whatever_is_transient_says() -> None:
    for is_transient in (True, False):
        assert answer_to({"code": 4, "is_transient": is_transient}).verdict is Verdict.THROTTLE


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30),
        ({"retry-after": " 7 "}, 7),
        ({"Retry-After": "999999"}, 86400),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        (
            {"Retry-After": "Sun, 22 Nov 2026 12:01:00 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"},
            60,
        ),
        (
            {"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"},
            0,
        ),
        ({"Retry-After": "Sun, 22 Nov 2026 12:01:00 GMT"}, None),
        (
            {
                "Retry-After": "30",
                "X-Business-Use-Case-Usage": '{"1":[{"call_count":100,"estimated_time_to_regain_access":2}]}',
            },
            120,
        ),
    ],
)
def test_the_time_to_wait_is_the_longest_that_was_named(headers: dict[str, str], seconds: int | None) -> None:
    assert answer_to({"code": 4}, headers=headers).retry_after_seconds == seconds


def test_what_is_kept_of_an_error() -> None:
    error = {
        "message": "Invalid parameter",
        "code": 100,
        "error_subcode": 2804087,
        "is_transient": False,
        "error_user_title": "Messaging Event Invalid Ctwa Clid",
        "error_user_msg": "O parâmetro ctwa_clid é inválido",
        "error_data": '{"blame_field_specs":[["user_data","ctwa_clid"]]}',
        "fbtrace_id": "A6UyEgg_HdoiRX9duxcBOjb",
    }
    headers = {"X-Ad-Api-Version-Warning": "The call has been auto-upgraded to v26.0"}
    answer = answer_to(error, headers=headers)
    assert answer == Answer(
        verdict=Verdict.SPLIT_DROP,
        reason="meta_100_2804087",
        http_status=400,
        code=100,
        subcode=2804087,
        title="Messaging Event Invalid Ctwa Clid",
        message="Invalid parameter: O parâmetro ctwa_clid é inválido",
        blamed_fields=("user_data.ctwa_clid",),
        fbtrace_id="A6UyEgg_HdoiRX9duxcBOjb",
        is_transient=False,
        event_level=True,
        warning="The call has been auto-upgraded to v26.0",
    )
    assert answer_to({**error, "error_data": json.loads(error["error_data"])}, headers=headers) == answer  # type: ignore[arg-type]


def test_meta_s_text_is_kept_without_secrets_and_control_characters() -> None:
    click_id, token = "ARAkLmZ19xPqRs77uVwXyZ0123", "EAABsbCS1234ZCpQ"
    text = f"a\x00b\r\nc\x1b[31m {click_id} {token} 120210000000000001 page_id\u202e short-id\ud800 " + "x" * 900
    body = json.dumps({"error": {"code": 1, "message": text}}).encode()
    message = read_answer(500, {}, body, sent=1, hide=["short-id"]).message or ""
    assert message.startswith("a b c [31m [removed] [removed] 120210000000000001 page_id [removed]")
    assert len(message) == 500
    assert message.isprintable()


def test_an_odd_trace_id_is_left_out() -> None:
    assert answer_to({"code": 1, "fbtrace_id": "<script>"}).fbtrace_id is None
    assert answer_to({"code": 1, "fbtrace_id": 7}).fbtrace_id is None
    assert answer_to({"code": 1}, headers={"X-FB-Trace-ID": "Bx1"}).fbtrace_id == "Bx1"


@pytest.mark.parametrize(
    ("answer", "proves"),
    [
        (answer_to({"code": 100, "message": "(#100) param data must be non-empty"}), True),
        (answer_to({"code": 100, "message": "x", "error_subcode": 2804019}), True),
        (answer_to(status=200, sent=0, events_received=0), True),
        (answer_to({"code": 100, "message": "(#100) Missing Permission"}), False),
        (answer_to({"code": 100, "error_subcode": 33}), False),
        (answer_to({"code": 190}), False),
        (answer_to({"code": 4}), False),
        (not_sent(RESET), False),
    ],
)
def test_a_probe_shows_access_only_when_meta_found_fault_with_the_empty_data(answer: Answer, proves: bool) -> None:
    assert proves_access(answer) is proves


def test_an_outage_is_no_usable_answer_or_a_5xx() -> None:
    assert not_sent(RESET).is_outage
    assert no_answer(RESET).is_outage
    assert read_answer(200, {}, b'{"events_recei', sent=1).is_outage
    assert read_answer(200, {}, b"<html>", sent=1).is_outage
    assert answer_to({"code": 2}, status=500).is_outage
    assert not answer_to({"code": 2}, status=400).is_outage
    assert not answer_to(status=200, events_received=1).is_outage


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ERRORS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("code", "error_subcode", "message", "error_user_title", "error_user_msg", "error_data", "is_transient"), JSON
    ),
)


@given(
    status=st.integers(100, 599),
    content=JSON | st.fixed_dictionaries({"error": ERRORS | JSON}) | st.fixed_dictionaries({"events_received": JSON}),
    headers=st.dictionaries(
        st.sampled_from(["Retry-After", "Date", "X-App-Usage", "X-Business-Use-Case-Usage", "X-FB-Trace-ID"]), st.text()
    ),
    sent=st.integers(0, 1000),
)
def test_no_answer_makes_it_raise_and_only_an_exact_receipt_is_acceptance(
    status: int, content: object, headers: dict[str, str], sent: int
) -> None:
    answer = read_answer(status, headers, json.dumps(content).encode(), sent=sent)
    if answer.verdict is Verdict.ACCEPTED:
        assert 200 <= status < 300
        assert answer.events_received == sent
    elif answer.reason is None:
        pytest.fail("everything but acceptance needs a reason")


@given(body=st.binary(), status=st.sampled_from([200, 302, 400, 503]))
def test_no_bytes_make_it_raise(body: bytes, status: int) -> None:
    assert read_answer(status, {}, body, sent=1).verdict in Verdict
