"""WAHA's events and its signature; its payloads are fixtures (test_every_provider)."""

import json
from typing import Any

import pytest

from shared.domain.messages import MessageClass
from shared.providers.base import Parsed, Request
from shared.providers.waha import OTHER_EVENTS, WEBJS_TYPES, parse, sign, verify
from tests.unit.shared.providers.cases import load

SECRETS = {"hmac_key": "my-secret-key"}
#: https://waha.devlike.pro/docs/how-to/events/#hmac-authentication
BODY = b'{"event":"message","session":"default","engine":"WEBJS"}'
SIGNATURE = (
    "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8"
    "097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"
)


def posted(body: dict[str, Any]) -> Parsed:
    return parse(Request(body=json.dumps(body).encode()))


def test_the_documented_signature_is_made_and_accepted() -> None:
    assert sign(Request(body=BODY), SECRETS) == {"X-Webhook-Hmac": SIGNATURE}
    assert verify(Request(body=BODY, headers={"x-webhook-hmac": SIGNATURE}), [SECRETS])


@pytest.mark.parametrize("given", [SIGNATURE.upper(), SIGNATURE[:64], "sha512=" + SIGNATURE, " " + SIGNATURE, "é", ""])
def test_a_signature_in_another_form_is_refused(given: str) -> None:
    assert not verify(Request(body=BODY, headers={"x-webhook-hmac": given}), [SECRETS])


@pytest.mark.parametrize("name", OTHER_EVENTS)
def test_an_ad_in_any_other_event_is_left_out(name: str) -> None:
    assert posted(load("waha/ad") | {"event": name}) == Parsed(ignored={OTHER_EVENTS[name]: 1})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("group.v2.join", "groups"),
        ("presence.update", "presences"),
        ("poll.vote.failed", "action"),
        ("label.chat.added", "labels"),
        ("call.received", "calls"),
        ("engine.event", "other_event_type"),
        (None, "unparsed"),
    ],
)
def test_events_of_a_family_share_its_reason(name: str | None, reason: str) -> None:
    assert posted(load("waha/ad") | {"event": name}).ignored == {reason: 1}


def test_one_message_by_two_events_is_one_message() -> None:
    assert posted(load("waha/ad")).messages == posted(load("waha/message_any")).messages


@pytest.mark.parametrize(
    ("changed", "ignored"),
    [
        ({"fromMe": True}, "from_me"),
        ({"fromMe": True, "source": "api"}, "api_send"),
        ({"fromMe": "perhaps"}, "malformed"),
        ({"from": "120363000000000001@g.us"}, "group"),
        ({"from": "120363000000000001@newsletter"}, "newsletter"),
        ({"from": "status@broadcast", "id": "false_status@broadcast_3A_15550100123@c.us"}, "status_story"),
        ({"from": None, "id": "false_status@broadcast_3A_15550100123@c.us"}, "status_story"),
        ({"from": "0@c.us"}, "system"),
        ({"id": None}, "no_message_id"),
    ],
)
def test_only_a_person_writing_to_the_business_counts(changed: dict[str, Any], ignored: str) -> None:
    body = load("waha/ad")
    body["payload"] |= changed
    assert posted(body).ignored == {ignored: 1}


@pytest.mark.parametrize(("kind", "reason"), WEBJS_TYPES.items())
def test_notices_of_the_webjs_engine_are_no_messages(kind: str, reason: str) -> None:
    body = load("waha/webjs_notice")
    body["payload"]["_data"]["type"] = kind
    assert posted(body).ignored == {reason: 1}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"IsEdit": True}, "edit"), ({"Info": {"Edit": "1"}}, "edit"), ({"Info": {"Edit": "7"}}, "revoke")],
)
def test_an_edit_is_no_message_also_when_its_wrapper_is_gone(changed: dict[str, Any], reason: str) -> None:
    body = load("waha/ad")
    body["payload"]["_data"] |= changed
    assert posted(body).ignored == {reason: 1}


def test_a_bare_click_id_does_not_replace_the_one_of_the_ad_block() -> None:
    body = load("waha/ad")
    context = body["payload"]["_data"]["Message"]["extendedTextMessage"]["contextInfo"]
    context["ctwaClid"] = "AfAnother"
    assert posted(body).messages == posted(load("waha/ad")).messages


def test_the_numbers_that_hide_behind_a_lid_are_found() -> None:
    (message,) = posted(load("waha/lid_with_sender_alt")).messages
    assert (message.phone, message.lid) == ("15550100155", "98765432101251@lid")
    assert message.message_class is MessageClass.AD
