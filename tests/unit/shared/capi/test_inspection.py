import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.capi.inspection import Inspection, inspection_body, read_inspection

TOKEN = "EAAB|sbCS1&234=ZCpQ token"
SOON = 1_796_000_000


def batch(data: Any, code: int = 200) -> bytes:
    return json.dumps([{"code": code, "body": json.dumps(data)}]).encode()


def error(code: Any, subcode: Any = None) -> dict[str, Any]:
    return {"error": {"message": "x", "code": code, "error_subcode": subcode}}


def test_the_token_stands_in_the_form_and_is_asked_about_by_itself() -> None:
    form = {name: values[0] for name, values in parse_qs(inspection_body(TOKEN).decode()).items()}
    [call] = json.loads(form["batch"])
    assert form["access_token"] == TOKEN
    assert call["method"] == "GET"
    path, _, query = call["relative_url"].partition("?")
    assert path == "debug_token"
    assert parse_qs(query) == {"input_token": [TOKEN]}


def test_what_meta_knows_of_a_living_token_is_read() -> None:
    data = {"is_valid": True, "expires_at": SOON, "data_access_expires_at": 0, "scopes": ["b", "a", "a"]}
    assert read_inspection(batch({"data": data})) == Inspection(
        result="ok", expires_at=datetime.fromtimestamp(SOON, UTC), scopes=("a", "b")
    )


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (batch({"data": {"is_valid": False, "error": {"code": 190}}}), "invalid"),
        (batch(error(190, 463), 400), "invalid"),
        (json.dumps(error(190)).encode(), "invalid"),
        (batch(error(100), 400), "meta_100"),
        (batch(error(4, 1504022), 400), "meta_4_1504022"),
        (json.dumps(error(2)).encode(), "meta_2"),
        (batch(error("190")), "answer_unreadable"),
        (batch(error(True)), "answer_unreadable"),
        (batch({"data": {}}), "answer_unreadable"),
        (batch({}), "answer_unreadable"),
        (b"[null]", "answer_unreadable"),
        (b"[]", "answer_unreadable"),
        (b"<html>", "answer_unreadable"),
        (b"", "answer_unreadable"),
        (b"[" * 100_000, "answer_unreadable"),
    ],
)
def test_what_is_no_answer_about_a_living_token_is_told_apart(body: bytes, result: str) -> None:
    assert read_inspection(body) == Inspection(result=result)


@pytest.mark.parametrize("value", [0, None, "1796000000", True, -1, 10**30, 1.5])
def test_a_time_that_is_none_means_that_it_does_not_end(value: Any) -> None:
    assert read_inspection(batch({"data": {"is_valid": True, "expires_at": value}})).expires_at is None


_NAMES = st.sampled_from(["data", "error", "code", "body", "scopes"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner),
)


@given(_JSON)
def test_nothing_that_is_answered_raises(answer: Any) -> None:
    assert read_inspection(json.dumps(answer).encode()).result
    assert read_inspection(batch(answer)).result
