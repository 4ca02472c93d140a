"""Whapi's header and its three modes; its payloads are fixtures (test_every_provider)."""

import json
from typing import Any

import pytest

from shared.providers.base import Parsed, Request
from shared.providers.whapi import parse, sign, verify
from tests.unit.shared.providers.cases import load

SECRETS = {"header": "X-Ctwa-Key", "token": "s3cret-t0ken"}


@pytest.mark.parametrize(
    ("secrets", "headers"),
    [
        ({"token": "t"}, {"x-webhook-secret": "t"}),
        ({"token": " t "}, {"x-webhook-secret": "t"}),
        (SECRETS, {"x-ctwa-key": "s3cret-t0ken"}),
        (SECRETS, {"authorization": "Bearer s3cret-t0ken"}),
        (SECRETS, {"authorization": "bearer s3cret-t0ken"}),
        ({"header": "Authorization", "token": "t"}, {"authorization": "t"}),
        ({"header": "Authorization", "token": "Bearer t"}, {"authorization": "Bearer t"}),
        ({"token": "clé"}, {"x-webhook-secret": "clé"}),
    ],
)
def test_the_token_is_taken_from_its_header_or_as_bearer(secrets: dict[str, str], headers: dict[str, str]) -> None:
    assert verify(Request(headers=headers), [secrets])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-webhook-secret": "s3cret-t0ken"},
        {"x-ctwa-key": "s3cret-t0ke"},
        {"x-ctwa-key": "s3cret-t0ken,s3cret-t0ken"},
        {"x-ctwa-key": "Bearer s3cret-t0ken"},
        {"authorization": "Basic s3cret-t0ken"},
        {"authorization": "s3cret-t0ken"},
        {"authorization": "Bearer"},
    ],
)
def test_another_header_or_value_is_refused(headers: dict[str, str]) -> None:
    assert not verify(Request(headers=headers, query="token=s3cret-t0ken"), [SECRETS])


def test_a_signed_request_carries_the_header_by_its_configured_name() -> None:
    assert sign(Request(), SECRETS) == {"X-Ctwa-Key": "s3cret-t0ken"}
    assert sign(Request(), {"token": "t"}) == {"X-Webhook-Secret": "t"}


def without_event() -> dict[str, Any]:
    body: dict[str, Any] = load("whapi/ad")
    del body["event"]
    return body


def posted(body: dict[str, Any], method: str = "POST", path: str = "") -> Parsed:
    return parse(Request(method=method, path=path, body=json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("method", "path", "ignored"),
    [
        ("POST", "", {}),
        ("PUT", "", {}),
        ("POST", "/messages/post", {}),
        ("POST", "messages/put", {}),
        ("POST", "/messages/patch", {"message_update": 1}),
        ("POST", "/messages/delete/", {"revoke": 1}),
        ("POST", "/statuses/post", {"other_event": 1}),
        ("PATCH", "", {"message_update": 1}),
        ("DELETE", "", {"revoke": 1}),
        ("POST", "/elsewhere", {}),
    ],
)
def test_the_event_is_read_from_the_path_or_the_verb_when_the_body_has_none(
    method: str, path: str, ignored: dict[str, int]
) -> None:
    parsed = posted(without_event(), method, path)
    assert parsed.ignored == ignored
    assert len(parsed.messages) == (0 if ignored else 1)


def test_the_event_in_the_body_goes_before_the_verb() -> None:
    body = without_event() | {"event": {"type": "messages", "method": "post"}}
    assert len(posted(body, "PATCH", "/messages/patch").messages) == 1


def test_a_token_of_another_length_is_read_in_full() -> None:
    body = without_event()
    token = "QWZT" * 500
    body["messages"][0]["context"]["conversion"]["data"] = token
    (message,) = posted(body).messages
    assert message.referral is not None
    assert message.referral.conversion_data == token
