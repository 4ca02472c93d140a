import json
from typing import Any

import pytest
import requests
import responses

from shared.capi.answers import PauseReason, Verdict
from workers.capi.client import GraphClient

META = "https://graph.facebook.com"
URL = f"{META}/v26.0/1234567890/events"
TOKEN = "EAABsbCS1234ZCpQtoken"
CLICK_ID = "ARAkLmZ19xPqRs77uVwXyZ0123"
BODY = json.dumps({"data": [{"event_name": "LeadSubmitted", "user_data": {"ctwa_clid": CLICK_ID}}]}).encode()


def make_client(base_url: str = META, **settings: Any) -> GraphClient:
    return GraphClient(base_url, "v26.0", **settings)


@responses.activate
def test_events_are_posted_as_json_with_the_token_in_the_header_only() -> None:
    responses.post(URL, json={"events_received": 1, "messages": [], "fbtrace_id": "Abc"})
    answer = make_client().post_events("1234567890", TOKEN, BODY)
    assert (answer.verdict, answer.events_received, answer.fbtrace_id) == (Verdict.ACCEPTED, 1, "Abc")
    request = responses.calls[0].request
    assert request.url == URL
    assert request.body == BODY
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Accept-Encoding"] == "identity"


@responses.activate
def test_fewer_received_than_sent_is_not_acceptance() -> None:
    responses.post(URL, json={"events_received": 1})
    body = json.dumps({"data": json.loads(BODY)["data"] * 2}).encode()
    assert make_client().post_events("1234567890", TOKEN, body).verdict is Verdict.UNKNOWN


@responses.activate
def test_what_meta_repeats_of_the_request_is_not_kept() -> None:
    error = {"code": 100, "error_subcode": 2804087, "message": f"bad {CLICK_ID} short-id by {TOKEN}"}
    responses.post(URL, status=400, json={"error": error})
    body = BODY.replace(CLICK_ID.encode(), b"short-id")
    answer = make_client().post_events("1234567890", TOKEN, body)
    assert answer.message == "bad [removed] [removed] by [removed]"


@responses.activate
def test_a_probe_posts_no_event() -> None:
    responses.post(URL, status=400, json={"error": {"code": 100, "message": "(#100) param data must be non-empty"}})
    answer = make_client().probe("1234567890", TOKEN)
    assert responses.calls[0].request.body == b'{"data":[]}'
    assert answer.code == 100


@responses.activate
def test_an_error_of_a_transport_that_is_not_ours_proves_nothing() -> None:
    responses.post(URL, body=requests.ConnectionError("no route to graph.facebook.com"))
    answer = make_client().post_events("1234567890", TOKEN, BODY)
    assert (answer.verdict, answer.message) == (Verdict.UNKNOWN, "ConnectionError")


@pytest.mark.parametrize("token", ["", "two words", "EAAB\n", "EAAB\r\nX-Header: 1", "EAÄB", "x" * 5000])
@responses.activate
def test_a_token_that_cannot_be_one_is_configuration_and_is_not_sent(token: str) -> None:
    answer = make_client().post_events("1234567890", token, BODY)
    assert (answer.verdict, answer.pause) == (Verdict.CONFIG, PauseReason.TOKEN)
    assert len(responses.calls) == 0
    assert not token or token not in repr(answer)


@pytest.mark.parametrize("dataset", ["", "12a", "12/../me", "12?x=1", "12\n", "١٢٣"])
def test_a_dataset_id_is_digits_only(dataset: str) -> None:
    with pytest.raises(ValueError, match="digits only"):
        make_client().post_events(dataset, TOKEN, BODY)


@pytest.mark.parametrize(
    "base_url",
    [META, f"{META}/", "http://127.0.0.1:8080", "http://localhost:8080", "https://[::1]:8443", "http://127.9.9.9"],
)
def test_tokens_go_to_meta_or_to_this_machine(base_url: str) -> None:
    assert repr(make_client(base_url)) == f"GraphClient({base_url.rstrip('/')}/v26.0)"


@pytest.mark.parametrize(
    "base_url",
    [
        "http://graph.facebook.com",
        "https://graph.facebook.com:8443",
        "https://graph.facebook.com.example.org",
        "https://graph.facebook.com@example.org",
        "https://user@graph.facebook.com",
        "https://graph.facebook.com/v1",
        "https://graph.facebook.com?x",
        "https://example.org",
        "http://10.0.0.1",
        "http://127.0.0.1.example.org",
        "ftp://127.0.0.1",
        "graph.facebook.com",
        "",
    ],
)
def test_tokens_go_nowhere_else(base_url: str) -> None:
    with pytest.raises(ValueError, match=r"graph\.facebook\.com"):
        make_client(base_url)


def test_another_host_must_be_allowed_expressly() -> None:
    assert "staging.example.org" in repr(make_client("https://staging.example.org", allow_any_host=True))
    with pytest.raises(ValueError, match="base URL"):
        make_client("https://user:secret@staging.example.org", allow_any_host=True)


@pytest.mark.parametrize("version", ["26.0", "v26", "v26.0/..", "", "v26.0\n"])
def test_a_malformed_version_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        GraphClient(META, version)
