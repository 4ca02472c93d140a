import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import wire
from sandbox.errors import GraphError

EVENT = {"event_name": "LeadSubmitted", "event_time": 1}


@pytest.mark.parametrize(
    "data",
    [
        [EVENT, EVENT],
        json.dumps([EVENT, EVENT]),
        [json.dumps(EVENT), json.dumps(EVENT)],
        json.dumps([json.dumps(EVENT), json.dumps(EVENT)]),
        [EVENT, json.dumps(EVENT)],
    ],
)
def test_data_comes_in_every_form(data: object) -> None:
    assert wire.events(data) == [EVENT, EVENT]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (None, wire.DATA_MISSING),
        ([], wire.DATA_EMPTY),
        ("[]", wire.DATA_EMPTY),
        ({}, wire.DATA_NOT_A_LIST),
        ("", wire.DATA_NOT_A_LIST),
        ("not json", wire.DATA_NOT_A_LIST),
        (7, wire.DATA_NOT_A_LIST),
        ([1], wire.DATA_NOT_A_LIST),
        (["not json"], wire.DATA_NOT_A_LIST),
        ([[EVENT]], wire.DATA_NOT_A_LIST),
        ([None], wire.DATA_NOT_A_LIST),
        ('[{"value": NaN}]', wire.DATA_NOT_A_LIST),
        ("[" * 100_000, wire.DATA_NOT_A_LIST),
        ([EVENT] * 1001, wire.DATA_TOO_LONG),
    ],
)
def test_data_that_is_no_list_of_events_is_refused(data: object, error: GraphError) -> None:
    assert wire.events(data) is error


def test_a_thousand_events_are_taken() -> None:
    taken = wire.events([EVENT] * 1000)
    assert isinstance(taken, list)
    assert len(taken) == 1000


@pytest.mark.parametrize(
    ("authorization", "params", "found"),
    [
        ("Bearer from-header", {}, "from-header"),
        ("bearer from-header", {"access_token": "from-body"}, "from-header"),
        ("OAuth from-header", {}, "from-header"),
        (None, {"access_token": "from-body"}, "from-body"),
        ("Basic abc", {"access_token": "from-body"}, "from-body"),
        ("Bearer ", {"access_token": "from-body"}, "from-body"),
        (None, {"access_token": ""}, None),
        (None, {"access_token": 7}, None),
        (None, {}, None),
    ],
)
def test_the_token_is_found_where_it_may_be(
    authorization: str | None, params: dict[str, Any], found: str | None
) -> None:
    assert wire.token(authorization, params) == found


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff", b'"text"', b"9" * 5000])
def test_a_body_that_is_no_json_object_counts_as_empty(body: bytes) -> None:
    assert wire.json_parameters({"a": "1"}, body) == {"a": "1"}


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_proof_is_right_only_for_its_own_secret_and_token(app_secret: str, secret: str) -> None:
    right = hmac.new(app_secret.encode(), secret.encode(), hashlib.sha256).hexdigest()
    assert wire.proof_is_right(app_secret, secret, right)
    assert not wire.proof_is_right(app_secret + "x", secret, right)
    assert not wire.proof_is_right(app_secret, secret, right[:-1])
    assert not wire.proof_is_right(app_secret, secret, None)
