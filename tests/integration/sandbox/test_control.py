import time
from typing import Any

import pytest

CLICK = "ARAkSyntheticClickId_0001"


def lead(event_id: str = "lead-1", **changes: Any) -> dict[str, Any]:
    return {
        "event_name": "LeadSubmitted",
        "event_time": int(time.time()),
        "event_id": event_id,
        "action_source": "business_messaging",
        "messaging_channel": "whatsapp",
        "user_data": {"whatsapp_business_account_id": "100000000000001", "ctwa_clid": CLICK},
        **changes,
    }


def test_received_events_can_be_filtered_and_paged(graph: Any) -> None:
    graph.events([lead(str(number)) for number in range(5)])
    graph.events([lead("p", event_name="Purchase", custom_data={"value": 1, "currency": "EUR"})])
    assert [row["event_id"] for row in graph.received(limit=2, offset=3)] == ["3", "4"]
    assert [row["event_id"] for row in graph.received(event_name="Purchase")] == ["p"]
    assert graph.received(event_id="4", dataset="1000000000000001")[0]["event"]["event_id"] == "4"
    assert graph.control("GET", "received", limit=0)["matching"] == 6
    assert graph.received(dataset="1000000000000003") == []


@pytest.mark.parametrize("query", [{"limit": "many"}, {"limit": 10_001}, {"offset": -1}, {"nothing": "x"}])
def test_a_wrong_question_is_refused(graph: Any, query: dict[str, Any]) -> None:
    answer = graph.http.get(f"{graph.url}/__sandbox/received", params=query, timeout=10)
    assert answer.status_code == 400
    assert set(answer.json()["problems"]) == set(query)


def test_every_call_is_on_record_with_its_outcome(graph: Any) -> None:
    graph.events([lead()])
    graph.events([lead(event_name="Lead")])
    graph.events([])
    graph.control("POST", "faults", {"kind": "http_408", "times": 1})
    graph.events([lead()])
    found = graph.control("GET", "requests")
    assert [call["outcome"] for call in found["requests"]] == ["accepted", "refused", "probe", "fault"]
    assert [call["events"] for call in found["requests"]] == [1, 1, None, 1]
    totals = found["totals"]
    assert (totals["requests"], totals["requests_refused"], totals["requests_probe"]) == (4, 1, 1)
    assert graph.control("GET", "requests", fault="http_408")["matching"] == 1


def test_a_configuration_is_merged_while_it_runs(graph: Any) -> None:
    document = {
        "datasets": [{"id": "5555555555555555", "waba_id": "500000000000005"}],
        "tokens": [{"token": "added-token", "datasets": ["5555555555555555"]}],
        "usage_percent": 80,
    }
    shown = graph.control("POST", "config", document)
    assert "added-token" not in str(shown)
    event = lead(user_data={"whatsapp_business_account_id": "500000000000005", "ctwa_clid": CLICK})
    headers = {"Authorization": "Bearer added-token"}
    answer = graph.events([event], dataset="5555555555555555", headers=headers)
    assert answer.json()["events_received"] == 1
    assert '"call_count": 80' in answer.headers["X-App-Usage"]
    assert graph.events([lead()]).json()["events_received"] == 1


def test_a_token_can_die_and_live_again(graph: Any) -> None:
    graph.control("POST", "config", {"tokens": [{"token": "good-token", "state": "expired"}]})
    assert graph.events([lead()]).json()["error"]["error_subcode"] == 463
    graph.control("POST", "config", {"tokens": [{"token": "good-token"}]})
    assert graph.events([lead()]).json()["events_received"] == 1


def test_a_wrong_configuration_changes_nothing(graph: Any) -> None:
    before = graph.control("GET", "config")
    wrong = {"datasets": [{"id": "5555555555555555"}], "usage_percent": 900}
    answer = graph.http.post(f"{graph.url}/__sandbox/config", json=wrong, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["problems"].keys() == {"usage_percent"}
    assert graph.control("GET", "config") == before


def test_a_reset_brings_back_the_start(graph: Any) -> None:
    before = graph.control("GET", "config")
    graph.events([lead()])
    graph.control("POST", "config", {"datasets": [{"id": "5555555555555555"}]})
    graph.control("POST", "faults", {"kind": "http_408"})
    graph.control("POST", "clock", {"offset": 8 * 24 * 3600})
    graph.control("POST", "latency", {"seconds": 0.01})
    graph.control("POST", "reset")
    assert graph.control("GET", "config") == before
    assert graph.control("GET", "clock")["offset"] == 0
    assert graph.received() == []
    assert set(graph.control("GET", "received")["totals"].values()) == {0}
    assert graph.events([lead()]).json()["events_received"] == 1


def test_every_answer_of_graph_can_be_slowed_down(graph: Any) -> None:
    graph.control("POST", "latency", {"seconds": 0.3})
    started = time.monotonic()
    graph.events([lead()])
    assert time.monotonic() - started >= 0.3
    assert graph.last_request()["latency_ms"] >= 300
    started = time.monotonic()
    graph.graph("GET", "/v25.0/1000000000000001")
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "nothing", 404), ("DELETE", "clock", 405), ("POST", "faults", 400)]
)
def test_a_wrong_control_call_is_answered_in_json(graph: Any, method: str, path: str, status: int) -> None:
    answer = graph.http.request(method, f"{graph.url}/__sandbox/{path}", timeout=10)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_the_page_shows_what_happened_and_no_secret(graph: Any) -> None:
    empty = graph.http.get(graph.url, timeout=10)
    assert empty.status_code == 200
    assert "every valid event is accepted" in empty.text
    graph.events([lead(), lead("<b>bold</b>")])
    graph.events([lead(event_name="Lead")])
    graph.control("POST", "faults", {"kind": "http_408", "times": 2})
    graph.events([lead()])
    page = graph.http.get(graph.url, timeout=10)
    assert "Shop Event Data" in page.text
    assert "ARAkSy…" in page.text
    assert CLICK not in page.text
    assert "good-token" not in page.text
    assert "&lt;b&gt;bold" in page.text
    assert "Event 1 of 1: The event name parameter value" in page.text
    assert "http_408" in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert page.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'self'"
    style = graph.http.get(f"{graph.url}/__sandbox/style.css", timeout=10)
    assert style.headers["Content-Type"].startswith("text/css")
    assert "prefers-color-scheme: dark" in style.text
