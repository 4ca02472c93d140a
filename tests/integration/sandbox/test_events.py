import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.versions import serve
from workers.capi.client import GraphClient

GUIDE, PIXEL = "1000000000000002", "1000000000000003"
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


def by_the_guide(**changes: Any) -> dict[str, Any]:
    return {
        "event_name": "Lead",
        "event_time": int(time.time()),
        "event_id": "token-1",
        "action_source": "business_messaging",
        "user_data": {"ctwa_clid": CLICK},
        **changes,
    }


def website(event_id: str = "web-1", **changes: Any) -> dict[str, Any]:
    return {
        "event_name": "Lead",
        "event_time": int(time.time()),
        "event_id": event_id,
        "action_source": "website",
        "user_data": {"em": "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"},
        **changes,
    }


def test_a_valid_event_is_received_and_recorded(graph: Any) -> None:
    event = lead(custom_data={"currency": "BRL", "value": 12.5, "order_id": "A-1"})
    answer = graph.events([event])
    assert answer.status_code == 200
    body = answer.json()
    assert body["events_received"] == 1
    assert body["messages"] == []
    assert json.loads(answer.headers["x-app-usage"])["call_count"] == 1
    assert "1000000000000001" in json.loads(answer.headers["x-business-use-case-usage"])
    [row] = graph.received()
    assert row["event"] == event
    call = graph.last_request()
    assert (call["status"], call["outcome"], call["events"], call["kept"]) == (200, "accepted", 1, 1)
    assert call["fbtrace_id"] == body["fbtrace_id"]
    assert call["latency_ms"] > 0


@pytest.mark.parametrize("way", ["json", "json text", "form", "form of texts", "multipart", "query"])
def test_data_and_token_are_taken_in_every_form(graph: Any, way: str) -> None:
    events = [lead("a"), lead("b")]
    text, token = json.dumps(events), {"access_token": "good-token"}
    sent: dict[str, dict[str, Any]] = {
        "json": {"json": {"data": events, **token}},
        "json text": {"json": {"data": text, **token}},
        "form": {"json": None, "data": {"data": text, **token}},
        "form of texts": {"json": None, "data": {"data": json.dumps([json.dumps(e) for e in events]), **token}},
        "multipart": {"json": None, "files": {"data": (None, text), "access_token": (None, "good-token")}},
        "query": {"json": {"data": events}, "params": token},
    }
    answer = graph.events(None, headers={}, **sent[way])
    assert answer.json().get("events_received") == 2, answer.text
    assert [row["event_id"] for row in graph.received()] == ["a", "b"]


def test_a_large_form_is_taken(graph: Any) -> None:
    events = [lead(str(number), custom_data={"note": "x" * 2000}) for number in range(1000)]
    answer = graph.events(None, json=None, data={"data": json.dumps(events)})
    assert answer.json()["events_received"] == 1000
    files = {"data": (None, json.dumps(events))}
    assert graph.events(None, json=None, files=files).json()["events_received"] == 1000


@pytest.mark.parametrize(
    ("token", "status", "code", "subcode"),
    [
        (None, 400, 104, None),
        ("nobody's-token", 401, 190, None),
        ("expired-token", 401, 190, 463),
        ("revoked-token", 401, 190, 458),
        ("narrow-token", 400, 100, 33),
        ("scopeless-token", 400, 270, None),
        ("proof-token", 400, 100, None),
        ("write-token", 200, None, None),
    ],
)
def test_a_token_may_do_what_it_may(
    graph: Any, token: str | None, status: int, code: int | None, subcode: int | None
) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = graph.events([lead()], headers=headers)
    error = answer.json().get("error", {})
    assert (answer.status_code, error.get("code"), error.get("error_subcode")) == (status, code, subcode)
    assert len(graph.received()) == (1 if status == 200 else 0)


def test_a_token_with_an_app_secret_wants_its_proof(graph: Any) -> None:
    proof = hmac.new(b"synthetic-app-secret", b"proof-token", hashlib.sha256).hexdigest()
    headers = {"Authorization": "Bearer proof-token"}
    assert graph.events([lead()], headers=headers, params={"appsecret_proof": "0" * 64}).status_code == 400
    assert graph.events([lead()], headers=headers, params={"appsecret_proof": proof}).status_code == 200


def test_an_unknown_dataset_is_told_like_a_missing_permission(graph: Any) -> None:
    answer = graph.events([lead()], dataset="9999999999999999")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 100, 33)
    assert error["type"] == "GraphMethodException"
    assert "'9999999999999999'" in error["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"data": []}, "(#100) param data must be non-empty"),
        ({}, "(#100) param data is required"),
        ({"data": 7}, "(#100) param data must be an array of JSON objects"),
        ({"data": [{}] * 1001}, "(#100) param data must have at most 1000 elements"),
    ],
)
def test_a_call_without_events_is_refused(graph: Any, body: dict[str, Any], message: str) -> None:
    answer = graph.events(None, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["message"]) == (400, 100, message)
    assert "error_subcode" not in error


def test_a_probe_proves_token_and_dataset_first(graph: Any) -> None:
    assert graph.events([]).json()["error"]["message"] == "(#100) param data must be non-empty"
    assert graph.last_request()["outcome"] == "probe"
    assert graph.events([], headers={"Authorization": "Bearer nobody"}).json()["error"]["code"] == 190
    assert graph.events([], dataset="999").json()["error"]["error_subcode"] == 33


def test_one_invalid_event_refuses_the_whole_request_without_saying_which(graph: Any) -> None:
    answer = graph.events([lead("a"), lead("b", event_name="Lead"), lead("c")])
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 100, 2804066)
    assert error["error_user_title"] == "Messaging Event Invalid Event Type"
    assert "Event 2" not in answer.text
    assert graph.received() == []
    assert graph.last_request()["reason"].startswith("Event 2 of 3: ")


def test_the_guide_and_todays_api_differ(graph: Any) -> None:
    assert graph.events([by_the_guide()], GUIDE, version="v19.0").json()["events_received"] == 1
    today = graph.events([by_the_guide(messaging_channel="whatsapp")]).json()["error"]
    assert today["error_subcode"] == 2804066
    renamed = by_the_guide(messaging_channel="whatsapp", event_name="LeadSubmitted")
    assert graph.events([renamed]).json()["error"]["error_subcode"] == 2804116


def test_strict_mode_takes_registered_click_ids_only(graph: Any) -> None:
    graph.control("POST", "config", {"click_ids": {"strict": True}})
    assert graph.events([lead()]).json()["error"]["error_subcode"] == 2804087
    click = {
        "value": CLICK,
        "waba_id": "100000000000001",
        "ad_id": "120000000000000001",
        "clicked_at": "2026-01-01T00:00:00Z",
    }
    graph.control("POST", "config", {"click_ids": {"registered": [click]}})
    assert graph.events([lead()]).json()["events_received"] == 1
    assert graph.received()[0]["ad_id"] == "120000000000000001"


def test_a_click_id_can_be_listed_as_bad(graph: Any) -> None:
    graph.control("POST", "config", {"click_ids": {"bad": [CLICK]}})
    error = graph.events([lead()]).json()["error"]
    assert (error["error_subcode"], error["error_user_title"]) == (
        2804087,
        "Messaging Event Invalid Ctwa Clid",
    )


def test_a_messaging_event_sent_again_is_counted_again(graph: Any) -> None:
    for _ in range(3):
        assert graph.events([lead()]).json()["events_received"] == 1
    assert [row["duplicate"] for row in graph.received()] == [False, True, True]
    assert len(graph.received(duplicate="true")) == 2
    assert graph.control("GET", "received")["totals"]["duplicates"] == 2


def test_a_website_event_sent_again_within_48_hours_is_dropped(graph: Any) -> None:
    graph.events([website()], PIXEL)
    assert graph.events([website()], PIXEL).json()["events_received"] == 1
    graph.control("POST", "clock", {"offset": 49 * 3600})
    graph.events([website()], PIXEL)
    assert [row["deduplicated"] for row in graph.received()] == [False, True, False]
    totals = graph.control("GET", "received")["totals"]
    assert (totals["deduplicated"], totals["duplicates"]) == (1, 1)


def test_the_clock_decides_what_is_too_old(graph: Any) -> None:
    event = lead()
    graph.control("POST", "clock", {"offset": 8 * 24 * 3600})
    assert graph.events([event]).json()["error"]["error_subcode"] == 2804003
    graph.control("POST", "clock", {"offset": -3600})
    assert graph.events([event]).json()["error"]["error_subcode"] == 2804004


@pytest.mark.parametrize("version", ["v26.0", "v18.0", "v12.0"])
def test_the_version_that_serves_is_told_with_its_warning(graph: Any, version: str) -> None:
    served = serve(version, datetime.now(UTC).date())
    assert served is not None
    answer = graph.events([lead()], version=version)
    assert answer.json()["events_received"] == 1
    assert answer.headers["facebook-api-version"] == served.version
    assert answer.headers.get("X-Ad-Api-Version-Warning") == served.warning


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v99.0/1000000000000001/events", 2500),
        ("/v25.0", 2500),
        ("/v25.0/1/2/3/4", 2500),
        ("/beta/1000000000000001/events", 2635),
    ],
)
def test_a_path_that_never_existed_is_refused(graph: Any, path: str, code: int) -> None:
    answer = graph.graph("POST", path, json={"data": [lead()]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_events_cannot_be_read_back(graph: Any) -> None:
    error = graph.graph("GET", "/v25.0/1000000000000001/events").json()["error"]
    assert (error["code"], error["error_subcode"]) == (100, 33)


def test_a_test_event_code_is_recorded_and_changes_nothing(graph: Any) -> None:
    answer = graph.events(None, json={"data": [lead()], "test_event_code": "TEST123"})
    assert answer.json()["events_received"] == 1
    assert graph.last_request()["test_event_code"] == "TEST123"


def test_an_account_has_one_dataset_that_is_made_once(graph: Any) -> None:
    known = graph.graph("POST", "/v25.0/100000000000001/dataset").json()
    assert known == {"id": "1000000000000001"}
    assert graph.graph("GET", "/v25.0/100000000000002/dataset").json() == {"data": []}
    made = graph.graph("POST", "/v25.0/100000000000002/dataset").json()["id"]
    assert made.isdigit()
    assert graph.graph("POST", "/v25.0/100000000000002/dataset").json() == {"id": made}
    assert graph.graph("GET", "/v25.0/100000000000002/dataset").json() == {"data": [{"id": made}]}
    name = graph.graph("GET", f"/v25.0/{made}", params={"fields": "name"}).json()["name"]
    assert name == "New shop Event Data"
    event = lead(user_data={"whatsapp_business_account_id": "100000000000002", "ctwa_clid": CLICK})
    assert graph.events([event], dataset=made).json()["events_received"] == 1
    missing = graph.graph("POST", "/v25.0/999999/dataset").json()["error"]
    assert missing["error_subcode"] == 33


def test_a_write_only_token_can_post_and_not_read(graph: Any) -> None:
    path = "/v25.0/1000000000000001"
    assert graph.graph("GET", path).json() == {"id": "1000000000000001", "name": "Shop Event Data"}
    refused = graph.graph("GET", path, token="write-token")
    assert refused.json()["error"]["message"] == "(#100) Missing Permission"


@pytest.mark.parametrize(
    ("token", "valid", "scopes"),
    [
        ("good-token", True, 5),
        ("write-token", True, 1),
        ("expired-token", False, 5),
        ("revoked-token", False, 5),
        ("nobody's-token", False, 0),
    ],
)
def test_a_token_can_be_looked_at(graph: Any, token: str, valid: bool, scopes: int) -> None:
    answer = graph.graph("GET", "/v25.0/debug_token", params={"input_token": token})
    data = answer.json()["data"]
    assert (data["is_valid"], len(data["scopes"])) == (valid, scopes)
    assert ("error" in data) is not valid


def in_batch(graph: Any, *urls: str, token: str = "good-token") -> Any:
    calls = json.dumps([{"method": "GET", "relative_url": url} for url in urls])
    return graph.http.post(f"{graph.url}/v25.0/", data={"access_token": token, "batch": calls}, timeout=30).json()


def test_a_token_can_be_looked_at_without_a_url_that_holds_it(graph: Any) -> None:
    ends = "2030-01-01T00:00:00+00:00"
    graph.control("POST", "config", {"tokens": [{"token": "short-lived", "expires_at": ends}]})
    living, unknown, other = in_batch(
        graph, "debug_token?input_token=short-lived", "debug_token?input_token=nobodys", "1/2/3"
    )
    assert json.loads(living["body"])["data"]["expires_at"] == int(datetime.fromisoformat(ends).timestamp())
    assert json.loads(unknown["body"])["data"]["is_valid"] is False
    assert (living["code"], other["code"]) == (200, 400)
    assert in_batch(graph, "debug_token", token="nobodys")["error"]["code"] == 190
    assert "batch" in in_batch(graph)["error"]["message"]
    assert "50 at most" in in_batch(graph, *["debug_token"] * 51)["error"]["message"]


def test_our_own_client_learns_from_it_when_a_token_ends(graph: Any) -> None:
    ends = datetime(2030, 1, 1, tzinfo=UTC)
    graph.control("POST", "config", {"tokens": [{"token": "short-lived", "data_access_expires_at": ends.isoformat()}]})
    client = GraphClient(graph.url, "v25.0")
    found = client.inspect("short-lived")
    assert (found.result, found.expires_at, found.data_access_expires_at) == ("ok", None, ends)
    assert client.inspect("nobodys").result == "invalid"
    assert client.inspect("two words").result == "token_malformed"
    assert GraphClient("http://127.0.0.1:9", "v25.0").inspect("short-lived").result == "not_sent"
