"""UAZAPI's events and its token; its payloads are fixtures (test_every_provider)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.messages import MessageClass
from shared.providers.base import Parsed, Request
from shared.providers.uazapi import OTHER_EVENTS, parse, verify
from tests.unit.shared.providers.cases import load

TOKEN = "SYNTH-TOKEN"


def posted(body: dict[str, Any]) -> Parsed:
    return parse(Request(body=json.dumps(body).encode()))


def changed(case: str = "uazapi/ad", **message: Any) -> dict[str, Any]:
    body: dict[str, Any] = load(case)
    body["message"] |= message
    return body


@pytest.mark.parametrize("name", OTHER_EVENTS)
def test_an_ad_in_any_other_event_is_left_out(name: str) -> None:
    assert posted(changed() | {"EventType": name}) == Parsed(ignored={OTHER_EVENTS[name]: 1})


@pytest.mark.parametrize(
    ("update", "ignored"),
    [
        ({}, {"statuses": 1}),
        ({"event": {"MessageIDs": ["a", "b", "c"]}}, {"statuses": 3}),
        ({"event": None, "type": None}, {"statuses": 1}),
        ({"type": "SomethingElse"}, {"message_update": 1}),
    ],
)
def test_receipts_are_counted_by_message(update: dict[str, Any], ignored: dict[str, int]) -> None:
    assert posted(load("uazapi/statuses") | update).ignored == ignored


@pytest.mark.parametrize(
    ("message", "ignored"),
    [
        ({"fromMe": True}, "from_me"),
        ({"fromMe": "True"}, "from_me"),
        ({"wasSentByApi": True}, "api_send"),
        ({"isGroup": True}, "group"),
        ({"chatid": "120363000000000001@g.us"}, "group"),
        ({"chatid": "status@broadcast"}, "status_story"),
        ({"chatid": "120363000000000001@newsletter"}, "newsletter"),
        ({"messageType": "ReactionMessage"}, "reaction"),
        ({"reaction": "3EB0"}, "reaction"),
        ({"messageType": "PollUpdateMessage"}, "action"),
        ({"messageType": "ProtocolMessage", "content": {"type": 14}}, "edit"),
        ({"messageType": "ProtocolMessage", "content": {"type": 0}}, "revoke"),
        ({"edited": "3EB0"}, "edit"),
        ({"messageid": None, "id": None}, "no_message_id"),
    ],
)
def test_only_a_person_writing_to_the_business_counts(message: dict[str, Any], ignored: str) -> None:
    assert posted(changed(**message)).ignored == {ignored: 1}


def test_a_group_is_told_by_the_chat_too() -> None:
    body = changed()
    body["chat"]["wa_isGroup"] = "True"
    assert posted(body).ignored == {"group": 1}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"messageid": "3EB0", "id": "15550100999:3EB1"}, "3EB0"),
        ({"messageid": None, "id": "15550100999:3EB1"}, "3EB1"),
        ({"messageid": "", "id": "3EB2"}, "3EB2"),
    ],
)
def test_the_id_is_whatsapps_own(message: dict[str, Any], expected: str) -> None:
    assert posted(changed(**message)).messages[0].message_id == expected


def test_the_phone_is_the_chat_when_the_sender_is_a_lid() -> None:
    (message,) = posted(changed(sender="9@lid", sender_pn="", chatid="15550100142:4@s.whatsapp.net")).messages
    assert (message.phone, message.lid) == ("15550100142", "9@lid")


def test_the_time_is_in_milliseconds() -> None:
    (message,) = posted(changed(messageTimestamp=1785817572632)).messages
    assert message.sent_at == datetime(2026, 8, 4, 4, 26, 12, 632_000, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["ExtendedTextMessage", "", None, "Text", "ImageMessage"])
def test_the_ad_is_found_whatever_the_type_says(kind: str | None) -> None:
    (message,) = posted(changed(messageType=kind)).messages
    assert message.message_class is MessageClass.AD


# Proof.


@pytest.mark.parametrize(
    "request_",
    [
        Request(body=b'{"token": "SYNTH-TOKEN", "EventType": "messages"}'),
        Request(body=b"{}", headers={"x-webhook-secret": TOKEN}),
        Request(body=b"", headers={"authorization": f"Bearer {TOKEN}"}),
    ],
)
def test_the_token_is_taken_from_the_body_or_a_header(request_: Request) -> None:
    assert verify(request_, [{"token": TOKEN}])
    assert verify(request_, [{"token": "newer"}, {"token": TOKEN}])
    assert not verify(request_, [{"token": "newer"}])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"SYNTH-TOKEN"',
        b'{"token": ["SYNTH-TOKEN"]}',
        b'{"token": "synth-token"}',
        b'{"message": {"token": "SYNTH-TOKEN"}}',
        b'{"token": "SYNTH-TOKEN", }',
        b'{"token":' + b"[" * 100_000,
        b'{"token": "\\ud800"}',
    ],
)
def test_a_body_without_the_token_is_refused_whatever_it_is(body: bytes) -> None:
    assert not verify(Request(body=body), [{"token": TOKEN}])


def test_the_token_of_the_body_reaches_nothing() -> None:
    assert TOKEN not in json.dumps(posted(changed()).as_json()) + repr(posted(changed()))
