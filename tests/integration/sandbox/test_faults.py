import json
import socket
import struct
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sandbox.faults import FAULTS, HUGE_BYTES

CLICK = "ARAkSyntheticClickId_0001"
DEADLINE = 20


def leads(count: int = 3) -> list[dict[str, Any]]:
    return [
        {
            "event_name": "LeadSubmitted",
            "event_time": int(time.time()),
            "event_id": f"lead-{number}",
            "action_source": "business_messaging",
            "messaging_channel": "whatsapp",
            "user_data": {"whatsapp_business_account_id": "100000000000001", "ctwa_clid": CLICK},
        }
        for number in range(count)
    ]


def until(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        threading.Event().wait(0.02)


# Kind: HTTP status (None: no usable answer), Graph's code and subcode, how many of three events are kept.
EXPECTED: dict[str, tuple[int | None, int | None, int | None, int]] = {
    "token_expired": (401, 190, 463, 0),
    "token_expired_400": (400, 190, 463, 0),
    "object_missing": (400, 100, 33, 0),
    "permission": (403, 200, None, 0),
    "access_level": (400, 270, None, 0),
    "policy_block": (400, 368, None, 0),
    "unknown_error": (500, 1, None, 0),
    "service_unavailable": (500, 2, None, 0),
    "graph_500": (500, 99, None, 0),
    "graph_error": (400, 100, None, 0),
    "throttle_app": (400, 4, None, 0),
    "throttle_user": (400, 17, 2446079, 0),
    "throttle_custom": (400, 613, None, 0),
    "throttle_business": (400, 80004, 2446079, 0),
    "http_429": (429, None, None, 0),
    "http_408": (408, None, None, 0),
    "http_502_empty": (502, None, None, 0),
    "http_503_html": (503, None, None, 0),
    "received_zero": (200, None, None, 0),
    "received_short": (200, None, None, 2),
    "ok_not_json": (200, None, None, 0),
    "ok_empty": (200, None, None, 0),
    "ok_without_messages": (200, None, None, 3),
    "auto_upgrade": (200, None, None, 3),
    "localised_error": (400, 100, 2804003, 0),
    "error_data_string": (400, 100, 2804001, 0),
    "redirect": (302, None, None, 0),
    "huge_answer": (200, None, None, 3),
    "hang_before_reading": (None, None, None, 0),
    "reset_before_reading": (None, None, None, 0),
    "commit_then_drop": (None, None, None, 3),
    "commit_then_reset": (None, None, None, 3),
    "commit_then_504": (504, None, None, 3),
    "commit_then_hang": (200, None, None, 3),
    "trickle": (200, None, None, 3),
    "half_body": (None, None, None, 3),
}


def test_the_table_of_expectations_is_whole() -> None:
    assert set(EXPECTED) == set(FAULTS)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_strikes_once_as_it_says_and_the_next_call_is_unharmed(graph: Any, kind: str) -> None:
    status, code, subcode, kept = EXPECTED[kind]
    graph.control("POST", "faults", {"kind": kind, "times": 1, "delay": 0.2})
    if status is None:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            graph.events(leads())
    else:
        answer = graph.events(leads(), allow_redirects=False)
        assert answer.status_code == status
        error = _json(answer).get("error", {})
        assert (error.get("code"), error.get("error_subcode")) == (code, subcode)
    assert len(graph.received()) == kept
    call = graph.last_request()
    assert (call["fault"], call["outcome"], call["kept"]) == (kind, "fault", kept)
    until(lambda: graph.last_request()["latency_ms"] is not None)
    until(lambda: graph.control("GET", "faults")["faults"] == [])
    assert graph.events([leads(9)[8]]).json()["events_received"] == 1


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        found = json.loads(answer.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@pytest.mark.parametrize(("kind", "count"), [("received_zero", 0), ("received_short", 2)])
def test_the_count_can_be_less_than_what_was_sent(graph: Any, kind: str, count: int) -> None:
    graph.control("POST", "faults", {"kind": kind, "times": 1})
    assert graph.events(leads()).json()["events_received"] == count
    assert len(graph.received()) == count


def test_the_special_answers_are_what_they_say(graph: Any) -> None:
    def under(kind: str, **options: Any) -> requests.Response:
        graph.control("POST", "faults", {"kind": kind, "times": 1, **options})
        return graph.events(leads(), allow_redirects=False)

    assert "messages" not in under("ok_without_messages").json()
    assert "auto-upgraded" in under("auto_upgrade").headers["X-Ad-Api-Version-Warning"]
    assert len(under("huge_answer").content) > HUGE_BYTES
    assert under("http_503_html").headers["Content-Type"].startswith("text/html")
    assert under("http_429", retry_after=3).headers["Retry-After"] == "3"
    assert under("http_429").content == b""
    throttled = under("throttle_business", regain_minutes=5).headers["X-Business-Use-Case-Usage"]
    assert json.loads(throttled)["1000000000000001"][0]["estimated_time_to_regain_access"] == 5
    assert isinstance(under("error_data_string").json()["error"]["error_data"], str)
    assert under("graph_error", status=500, code=5000).json()["error"]["code"] == 5000


def test_a_redirect_leads_to_a_page_that_is_no_success(graph: Any) -> None:
    graph.control("POST", "faults", {"kind": "redirect", "times": 1})
    answer = graph.events(leads())
    assert answer.status_code == 200
    assert _json(answer) == {}
    assert graph.received() == []


def test_a_gateway_error_can_come_after_the_commit(graph: Any) -> None:
    graph.control("POST", "faults", {"kind": "http_503_html", "times": 1, "commit": True})
    assert graph.events(leads()).status_code == 503
    assert len(graph.received()) == 3


def test_a_commit_fault_keeps_nothing_of_an_invalid_request(graph: Any) -> None:
    graph.control("POST", "faults", {"kind": "commit_then_504", "times": 1})
    assert graph.events([*leads(), {"event_name": "Lead"}]).status_code == 504
    assert graph.received() == []


def test_a_hanging_call_is_seen_and_released_by_deleting_its_fault(graph: Any) -> None:
    graph.control("POST", "faults", {"kind": "commit_then_hang", "times": 1})
    answers: list[requests.Response] = []
    url = f"{graph.url}/v25.0/1000000000000001/events"
    body = {"data": leads(), "access_token": "good-token"}
    sender = threading.Thread(target=lambda: answers.append(requests.post(url, json=body, timeout=60)))
    sender.start()
    until(lambda: [fault["waiting"] for fault in graph.control("GET", "faults")["faults"]] == [1])
    until(lambda: len(graph.received()) == 3)
    assert graph.last_request()["latency_ms"] is None
    assert answers == []
    graph.control("DELETE", "faults")
    sender.join(timeout=DEADLINE)
    assert answers[0].json()["events_received"] == 3


def test_a_hang_ends_when_its_sender_gives_up(graph: Any) -> None:
    graph.control("POST", "faults", {"kind": "commit_then_hang", "times": 1})
    with pytest.raises(requests.ReadTimeout):
        graph.events(leads(), timeout=0.3)
    graph.http.close()
    until(lambda: graph.control("GET", "faults")["faults"] == [])


def test_a_hang_before_reading_takes_not_a_byte_of_the_body(graph: Any) -> None:
    graph.control("POST", "faults", {"kind": "hang_before_reading", "times": 1, "delay": 0.3})
    place = urlsplit(graph.url)
    with socket.create_connection((place.hostname, place.port), timeout=DEADLINE) as sock:
        sock.sendall(
            b"POST /v25.0/1000000000000001/events HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        )
        assert sock.recv(100) == b""
    assert graph.last_request()["events"] is None


def test_a_reset_is_a_reset_and_a_drop_is_an_end(graph: Any) -> None:
    def sent(kind: str) -> socket.socket:
        graph.control("POST", "faults", {"kind": kind, "times": 1})
        place = urlsplit(graph.url)
        sock = socket.create_connection((place.hostname, place.port), timeout=DEADLINE)
        body = json.dumps({"data": leads(), "access_token": "good-token"}).encode()
        sock.sendall(
            b"POST /v25.0/1000000000000001/events HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        return sock

    with sent("commit_then_reset") as sock, pytest.raises(ConnectionResetError):
        sock.recv(100)
    with sent("commit_then_drop") as sock:
        assert sock.recv(100) == b""


def test_a_trickle_comes_byte_by_byte_and_in_the_end_whole(graph: Any) -> None:
    graph.control("POST", "faults", {"kind": "trickle", "times": 1, "delay": 0.5})
    started = time.monotonic()
    answer = graph.events(leads())
    assert answer.json()["events_received"] == 3
    assert time.monotonic() - started >= 0.5


def test_a_fault_can_be_for_one_dataset_and_persist(graph: Any) -> None:
    added = graph.control("POST", "faults", {"kind": "http_502_empty", "dataset": "1000000000000001"})
    assert [graph.events(leads()).status_code for _ in range(3)] == [502] * 3
    assert graph.events([], dataset="1000000000000003").status_code == 400
    graph.control("DELETE", f"faults/{added['id']}")
    assert graph.events(leads()).status_code == 200


def test_a_wrong_fault_is_refused_with_the_place(graph: Any) -> None:
    answer = graph.http.post(f"{graph.url}/__sandbox/faults", json={"kind": "nothing", "times": 0}, timeout=10)
    assert answer.status_code == 400
    assert set(answer.json()["problems"]) == {"kind", "times"}


def test_a_sender_that_goes_away_in_mid_body_harms_nobody(graph: Any) -> None:
    place = urlsplit(graph.url)
    with socket.create_connection((place.hostname, place.port), timeout=DEADLINE) as sock:
        sock.sendall(
            b"POST /v25.0/1000000000000001/events HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        )
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert graph.events(leads()).json()["events_received"] == 3
    assert len(graph.received()) == 3
