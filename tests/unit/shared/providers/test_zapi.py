"""Z-API's callbacks, flags and token; its payloads are fixtures (test_every_provider)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.providers.base import Parsed, Request
from shared.providers.zapi import CONTENTS, FLAGS, OTHER_CALLBACKS, PROVIDER, parse, verify
from tests.unit.shared.providers.cases import load

SECRETS = {"token": "t0ken"}


def posted(**changed: Any) -> Parsed:
    return parse(Request(body=json.dumps(load("zapi/ad") | changed).encode()))


@pytest.mark.parametrize("name", ["MessageStatusCallback", "DeliveryCallback", "PresenceChatCallback"])
def test_an_ad_in_any_other_callback_is_left_out(name: str) -> None:
    assert posted(type=name) == Parsed(ignored={OTHER_CALLBACKS[name.lower()]: 1})


@pytest.mark.parametrize("name", ["ReceivedCallback", "ReceivedCallBack"])
def test_both_spellings_of_the_callback_in_the_documentation_are_read(name: str) -> None:
    assert len(posted(type=name).messages) == 1


def test_a_body_without_a_type_is_unparsed() -> None:
    assert posted(type=None).ignored == {"unparsed": 1}


@pytest.mark.parametrize(
    ("changed", "ignored"),
    [
        *(({flag: True}, reason) for flag, reason in FLAGS.items()),
        ({"fromMe": True}, "from_me"),
        ({"fromMe": True, "fromApi": True}, "api_send"),
        ({"fromApi": True}, "api_send"),
        ({"fromMe": [1]}, "malformed"),
        ({"phone": "120363000000000001-group"}, "group"),
        ({"phone": "120363000000000001@newsletter"}, "newsletter"),
        ({"phone": "status@broadcast"}, "status_story"),
        ({"notification": "CALL_MISSED_VOICE"}, "calls"),
        ({"notification": "REVOKE"}, "revoke"),
        ({"notification": "GROUP_CREATE"}, "groups"),
        ({"notification": "E2E_ENCRYPTED"}, "system"),
        ({"notification": "CIPHERTEXT"}, "system"),
        ({"reaction": {"value": "x"}}, "reaction"),
        ({"pollVote": {"options": []}}, "action"),
        ({"pinMessage": {"action": "pin"}}, "action"),
        ({"phone": None}, "no_sender"),
        ({"messageId": ""}, "no_message_id"),
    ],
)
def test_only_a_person_writing_to_the_business_counts(changed: dict[str, Any], ignored: str) -> None:
    assert posted(**changed).ignored == {ignored: 1}


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_message_of_any_content_counts(kind: str) -> None:
    (message,) = posted(**{"text": None, kind: {"x": 1}}).messages
    assert message.kind == kind


def test_the_placeholder_is_counted_and_the_message_after_it_is_the_one() -> None:
    assert posted(waitingMessage=True, externalAdReply=None).ignored == {"placeholder": 1}
    (message,) = posted(waitingMessage=False).messages
    assert message.message_id == load("zapi/ad")["messageId"]


def test_the_time_is_in_milliseconds() -> None:
    (message,) = posted(momment=1790000600250).messages
    assert message.sent_at == datetime(2026, 9, 21, 14, 23, 20, 250_000, tzinfo=UTC)


# Proof.


@pytest.mark.parametrize(
    "request_",
    [
        Request(headers={"z-api-token": "t0ken"}),
        Request(path="t0ken"),
        Request(path="/t0ken/"),
        Request(headers={"authorization": "Bearer t0ken"}),
    ],
)
def test_the_token_is_taken_from_its_header_or_the_url(request_: Request) -> None:
    assert verify(request_, [SECRETS])
    assert verify(request_, [{"token": "newer"}, SECRETS])
    assert not verify(request_, [{"token": "newer"}])


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        Request(path="t0ken/x"),
        Request(path="x/t0ken"),
        Request(query="token=t0ken"),
        Request(body=b'{"token": "t0ken"}'),
        Request(headers={"client-token": "t0ken"}),
    ],
)
def test_the_token_elsewhere_proves_nothing(request_: Request) -> None:
    assert not verify(request_, [SECRETS])


def test_a_sample_is_signed_with_the_header_that_was_seen() -> None:
    assert PROVIDER.sign(Request(), SECRETS) == {"z-api-token": "t0ken"}
