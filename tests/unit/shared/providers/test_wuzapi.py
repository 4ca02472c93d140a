"""WuzAPI's forms, event types and signature; its payloads are fixtures (test_every_provider)."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.providers.base import Parsed, Request, UnparsableError
from shared.providers.wuzapi import OTHER_TYPES, parse, sign, verify
from tests.unit.shared.providers.cases import load

SECRETS = {"token": "t0ken"}
#: Made with `openssl dgst -sha256 -hmac t0ken`.
BODY = b"instanceName=shop&jsonData=%7B%22type%22%3A%22Message%22%7D&userID=1"
SIGNATURE = "5b6def8a7e387aafbd09f49d93ded15d09857ee376cc8a934d5bec092bea9cc1"


def posted(body: dict[str, Any]) -> Parsed:
    return parse(Request(body=json.dumps(body).encode()))


def as_form(event: Any, **more: str) -> Request:
    return Request(body=urlencode({"jsonData": json.dumps(event), **more}).encode())


def changed(**info: Any) -> dict[str, Any]:
    body: dict[str, Any] = load("wuzapi/ad")
    body["event"]["Info"] |= info
    return body


@pytest.mark.parametrize("name", OTHER_TYPES)
def test_an_ad_in_any_other_event_is_left_out(name: str) -> None:
    assert posted(load("wuzapi/ad") | {"type": name}) == Parsed(ignored={OTHER_TYPES[name]: 1})


def test_an_event_nobody_documents_is_left_out() -> None:
    assert posted(load("wuzapi/ad") | {"type": "FBMessage"}).ignored == {"other_event_type": 1}


def test_the_form_and_the_json_of_one_event_say_the_same() -> None:
    event = load("wuzapi/ad")
    named = {name: event.pop(name) for name in ("instanceName", "userID")}
    assert parse(as_form(event, **named)) == posted({**event, **named})
    assert posted({"jsonData": event, **named}) == posted({**event, **named})


@pytest.mark.parametrize("text", ["{", "", "not json", "[" * 100_000])
def test_a_form_whose_event_is_unreadable_is_refused(text: str) -> None:
    with pytest.raises(UnparsableError):
        parse(Request(body=urlencode({"jsonData": text, "token": "x"}).encode()))


@pytest.mark.parametrize("event", [[], None, 7, "x"])
def test_a_form_whose_event_is_no_object_is_unparsed(event: Any) -> None:
    assert parse(as_form(event, token="x")).ignored == {"unparsed": 1}


@pytest.mark.parametrize(
    ("info", "ignored"),
    [
        ({"IsFromMe": True}, "from_me"),
        ({"IsGroup": True}, "group"),
        ({"Chat": "120363000000000001@g.us"}, "group"),
        ({"Chat": "status@broadcast"}, "status_story"),
        ({"Chat": "1790000000@broadcast"}, "broadcast"),
        ({"Chat": "120363000000000001@newsletter"}, "newsletter"),
        ({"Edit": "1"}, "edit"),
        ({"Edit": "7"}, "revoke"),
        ({"Chat": None, "Sender": None}, "no_sender"),
        ({"ID": ""}, "no_message_id"),
    ],
)
def test_only_a_person_writing_to_the_business_counts(info: dict[str, Any], ignored: str) -> None:
    assert posted(changed(**info)).ignored == {ignored: 1}


def test_an_unwrapped_edit_is_told_by_its_flag() -> None:
    body = changed()
    body["event"]["IsEdit"] = True
    assert posted(body).ignored == {"edit": 1}


# Proof.


def test_the_signature_is_over_the_bytes_that_came() -> None:
    headers = sign(Request(body=BODY), SECRETS)
    assert headers == {"x-hmac-signature": SIGNATURE}
    assert verify(Request(body=BODY, headers=headers), [SECRETS])
    assert verify(Request(body=BODY, headers=headers), [{"token": "newer"}, SECRETS])
    assert not verify(Request(body=BODY + b"&x=1", headers=headers), [SECRETS])
    assert not verify(Request(body=BODY, headers={"x-hmac-signature": SIGNATURE.upper()}), [SECRETS])


@pytest.mark.parametrize(
    "request_",
    [
        as_form({}, token="t0ken"),
        Request(body=b'{"type": "Message", "token": "t0ken"}'),
        Request(body=b"{}", headers={"x-webhook-secret": "t0ken"}),
    ],
)
def test_versions_without_a_signature_are_known_by_the_token(request_: Request) -> None:
    assert verify(request_, [SECRETS])
    assert not verify(request_, [{"token": "another"}])


@pytest.mark.parametrize("body", [b"", b"token", b"token=", b"jsonData=%7B%22token%22%3A%22t0ken%22%7D", b"\xff\xfe"])
def test_a_body_without_the_token_is_refused_whatever_it_is(body: bytes) -> None:
    assert not verify(Request(body=body), [SECRETS])
