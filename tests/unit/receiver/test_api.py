"""The API's door, with what it does I/O with taken away."""

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from receiver.admission import REFUSALS
from receiver.api import CallDoor
from receiver.calls import SCOPE_OF, WORDS
from receiver.inbox import Sink
from shared.api_keys import PREFIX
from shared.domain.submission_forms import MAX_ITEMS, parse_items
from shared.domain.submissions import KINDS
from shared.ids import item_id
from shared.limits import RefusalLimit
from tests.unit.receiver.makers import API_KEY, RING, FakeInbox, app, call_door, door

SALE = {
    "contact": {"phone": "+15550100123"},
    "event_name": "Purchase",
    "occurred_at": "2026-05-02T18:00:00+02:00",
    "value": "19.99",
    "currency": "EUR",
    "order_id": "A-1",
}
BODIES: Mapping[str, dict[str, Any]] = {
    "conversions": SALE,
    "contacts/stage": {"contact": {"id": 5}, "stage": "won"},
    "contacts/tags": {"contact": {"id": 5}, "add": ["vip"]},
    "contacts/consent": {"contact": {"id": 5}, "given": True},
}


def call(
    calls: CallDoor,
    body: object = SALE,
    *,
    path: str = "/v1/conversions",
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    key: str | None = API_KEY,
) -> TestResponse:
    given = {"Content-Type": "application/json"} | ({} if key is None else {"Authorization": f"Bearer {key}"})
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    client = app(door(), calls).test_client()
    return client.open(path, method=method, data=raw, headers={**given, **(headers or {})})


def test_every_kind_is_kept_like_a_webhook_and_its_items_are_promised() -> None:
    assert BODIES.keys() == SCOPE_OF.keys()
    for kind, body in BODIES.items():
        inbox = FakeInbox()
        answer = call(call_door(inbox=inbox), {"data": [body, body]}, path=f"/v1/{kind}")
        assert answer.status_code == 202, answer.text
        (kept,) = inbox.taken
        assert (kept.source, kept.source_id, kept.path, kept.method) == ("api_key", 3, kind, "POST")
        opened = RING.open(kept.body)
        assert json.loads(opened) == {"data": [body, body]}
        assert len(parse_items(kept.path, opened, received_at=kept.received_at)) == 2
        promised = answer.get_json()["data"]
        assert [UUID(one["id"]) for one in promised] == [item_id(kept.id, 0), item_id(kept.id, 1)]
        what = "conversions" if kind == "conversions" else "submissions"
        assert promised[1]["status_url"] == f"https://console.example/api/v1/{what}/{promised[1]['id']}"


def test_nothing_that_is_kept_beside_the_body_holds_the_key() -> None:
    inbox = FakeInbox()
    call(call_door(inbox=inbox), headers={"X-Request-Id": API_KEY, "Idempotency-Key": '"r-1"', "Cookie": "a=b"})
    (kept,) = inbox.taken
    assert kept.headers == {
        "content-type": "application/json",
        "idempotency-key": "r-1",
        "x-request-id": "[secret]",
        "user-agent": kept.headers["user-agent"],
    }


def test_a_form_problem_in_one_item_keeps_nothing_and_names_all_that_is_wrong() -> None:
    inbox = FakeInbox()
    body = {"data": [SALE, SALE | {"currency": "EU", "value": -1}, SALE | {"contact": {"phone": "secret"}}]}
    answer = call(call_door(inbox=inbox), body)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert {(one["item"], one["field"]) for one in answer.get_json()["errors"]} == {
        (1, "currency"),
        (1, "value"),
        (2, "contact.phone"),
    }
    assert "secret" not in answer.text
    assert not inbox.taken


def test_a_compressed_body_is_read_and_kept_as_it_came() -> None:
    inbox = FakeInbox()
    raw = gzip.compress(json.dumps(SALE).encode())
    assert call(call_door(inbox=inbox), raw, headers={"Content-Encoding": "gzip"}).status_code == 202
    assert RING.open(inbox.taken[0].body) == raw


@pytest.mark.parametrize(
    ("status", "reason", "change"),
    [
        (401, "no_key", {"key": None}),
        (401, "no_key", {"key": "short"}),
        (401, "unknown_key", {"key": PREFIX + "x" * 43}),
        (403, "scope", {"scopes": ("results:read",)}),
        (404, "unknown_path", {"path": "/v1/conversion"}),
        (404, "unknown_path", {"path": "/v1/touchpoints"}),
        (405, "method", {"method": "GET"}),
        (405, "method", {"method": "OPTIONS"}),
        (413, "too_large", {"max_body": 100}),
        (415, "media_type", {"headers": {"Content-Type": "text/plain"}}),
        (415, "content_encoding", {"headers": {"Content-Encoding": "br"}}),
        (400, "idempotency_key", {"headers": {"Idempotency-Key": "x" * 197}}),
        (422, "unreadable", {"body": b"[]"}),
        (422, "unreadable", {"body": {"data": [SALE] * (MAX_ITEMS + 1)}}),
        (422, "malformed", {"body": {}}),
        (503, "keys_unknown", {"known": False}),
        (503, "not_durable", {"inbox": FakeInbox("not_durable")}),
        (503, "late", {"inbox": FakeInbox("late")}),
    ],
)
def test_every_refusal_is_a_problem_that_says_what_to_do(status: int, reason: str, change: Mapping[str, Any]) -> None:
    of_door = {name: change[name] for name in ("scopes", "max_body", "known", "inbox") if name in change}
    of_call = {name: value for name, value in change.items() if name not in of_door}
    answer = call(call_door(**of_door), **of_call)
    assert answer.status_code == status == REFUSALS[reason]
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json()
    assert (problem["type"], problem["status"]) == (f"urn:ctwa:problem:{reason}", status)
    assert problem["title"] == WORDS[reason][0]
    assert problem["detail"].endswith(".")
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert ("Allow" in answer.headers) == (status == 405)


def test_whoever_guesses_keys_is_told_to_wait_and_a_good_key_still_works() -> None:
    calls = call_door(refusals=RefusalLimit(burst=2, per_second=0))
    guesses = [call(calls, key=PREFIX + str(n) * 43).status_code for n in range(4)]
    assert guesses == [401, 401, 429, 429]
    assert call(calls).status_code == 202


def test_a_caller_without_a_console_address_still_gets_the_path() -> None:
    answer = call(call_door(console_url=""))
    assert re.fullmatch(r"/api/v1/conversions/[0-9a-f-]{36}", answer.get_json()["data"][0]["status_url"])


def test_what_the_spool_takes_is_promised_as_well() -> None:
    assert call(call_door(inbox=FakeInbox(Sink.SPOOL))).status_code == 202


def test_every_path_is_a_kind_and_every_reason_has_its_words() -> None:
    reached: Sequence[str] = [reason for reason in REFUSALS if reason in WORDS]
    assert set(SCOPE_OF) <= set(KINDS)
    assert set(WORDS) == set(reached)


def test_the_document_is_served_without_a_key() -> None:
    answer = app(door()).test_client().get("/v1/openapi.json")
    assert answer.status_code == 200
    document = answer.get_json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {f"/v1/{kind}" for kind in SCOPE_OF}
