"""Evolution's events, its header and its web token; its payloads are fixtures (test_every_provider)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.messages import MessageClass
from shared.providers.base import Parsed, Request
from shared.providers.evolution import OTHER_EVENTS, RESEND_SECONDS, parse, sign, verify
from shared.providers.json_web_token import sign_token
from tests.unit.shared.providers.cases import load

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRETS = {"header": "X-Ctwa", "token": "t0ken"}
WITH_KEY = {**SECRETS, "jwt_key": "k3y"}


def posted(body: dict[str, Any], path: str = "") -> Parsed:
    return parse(Request(path=path, body=json.dumps(body).encode()))


def event(name: str | None, data: Any = None) -> dict[str, Any]:
    body = {**load("evolution/ad"), "event": name}
    return body if data is None else {**body, "data": data}


@pytest.mark.parametrize("name", ["messages.upsert", "MESSAGES_UPSERT", "messages-upsert"])
def test_the_event_is_known_in_every_spelling(name: str) -> None:
    assert len(posted(event(name)).messages) == 1


@pytest.mark.parametrize("path", ["/messages-upsert", "messages-upsert/"])
def test_the_event_is_read_from_the_path_when_the_body_has_none(path: str) -> None:
    assert len(posted(event(None), path).messages) == 1
    assert posted(event(None), "/messages-set").ignored == {"history": 1}
    assert posted(event("messages.set"), path).ignored == {"history": 1}


@pytest.mark.parametrize("name", OTHER_EVENTS)
def test_an_ad_in_any_other_event_is_left_out(name: str) -> None:
    assert posted(event(name)) == Parsed(ignored={OTHER_EVENTS[name]: 1})


def test_an_event_nobody_documents_is_left_out() -> None:
    assert posted(event("messages.upsert.v3")).ignored == {"other_event_type": 1}


@pytest.mark.parametrize(
    ("key", "ignored"),
    [
        ({"fromMe": True}, "from_me"),
        ({"fromMe": "true"}, "from_me"),
        ({"fromMe": "maybe"}, "malformed"),
        ({"remoteJid": "120363000000000001@g.us"}, "group"),
        ({"remoteJid": "status@broadcast"}, "status_story"),
        ({"remoteJid": "1790000000@broadcast"}, "broadcast"),
        ({"remoteJid": "120363000000000001@newsletter"}, "newsletter"),
        ({"remoteJid": "0@s.whatsapp.net"}, "system"),
        ({"remoteJid": "867051314767696@bot"}, "system"),
        ({"remoteJid": None}, "no_sender"),
        ({"id": None}, "no_message_id"),
    ],
)
def test_only_a_person_writing_to_the_business_counts(key: dict[str, Any], ignored: str) -> None:
    body = load("evolution/ad")
    body["data"]["key"].update(key)
    assert posted(body).ignored == {ignored: 1}


@pytest.mark.parametrize(
    ("key", "phone", "lid"),
    [
        ({"remoteJid": "15550100123:7@s.whatsapp.net"}, "15550100123", None),
        ({"remoteJid": "9@lid", "remoteJidAlt": "15550100123@s.whatsapp.net"}, "15550100123", "9@lid"),
        ({"remoteJid": "9@lid", "senderPn": "15550100123@s.whatsapp.net"}, "15550100123", "9@lid"),
        ({"senderLid": "9@lid"}, "15550100123", "9@lid"),
        ({"remoteJid": "9@lid"}, None, "9@lid"),
    ],
)
def test_the_sender_is_known_by_all_of_their_names(key: dict[str, Any], phone: str | None, lid: str | None) -> None:
    body = load("evolution/ad")
    body["data"]["key"].update(key)
    (message,) = posted(body).messages
    assert (message.phone, message.lid, message.provider_id) == (phone, lid, None)


def test_the_business_in_the_envelope_is_never_the_sender() -> None:
    body = load("evolution/ad")
    del body["data"]["key"]["remoteJid"]
    assert posted(body).ignored == {"no_sender": 1}


def test_the_apikey_of_the_body_reaches_nothing() -> None:
    body = event("messages.upsert")
    assert body["apikey"] not in json.dumps(posted(body).as_json()) + repr(posted(body))


# Proof.


@pytest.mark.parametrize("headers", [{"x-ctwa": "t0ken"}, {"authorization": "Bearer t0ken"}])
def test_the_token_is_taken_from_its_header_or_as_bearer(headers: dict[str, str]) -> None:
    assert verify(Request(headers=headers, received_at=NOW), [SECRETS])
    assert not verify(Request(headers=headers, received_at=NOW), [{**SECRETS, "token": "another"}])


def test_the_apikey_in_the_body_proves_nothing() -> None:
    assert not verify(Request(body=b'{"apikey": "t0ken", "token": "t0ken"}'), [SECRETS])


def with_token(claims: dict[str, Any], key: str = "k3y", scheme: str = "Bearer") -> Request:
    return Request(headers={"authorization": f"{scheme} {sign_token(claims, key)}"}, received_at=NOW)


def claims(**changed: Any) -> dict[str, Any]:
    made = int(NOW.timestamp())
    return {"iat": made, "exp": made + 600, "app": "evolution", "action": "webhook"} | changed


def test_a_web_token_is_taken_where_the_channel_has_its_key() -> None:
    assert verify(with_token(claims()), [WITH_KEY])
    assert not verify(with_token(claims()), [SECRETS])
    assert not verify(with_token(claims(), key="another"), [WITH_KEY])
    assert not verify(with_token(claims(), scheme="Basic"), [WITH_KEY])


def test_the_token_header_no_longer_counts_where_there_is_a_key() -> None:
    assert not verify(Request(headers={"x-ctwa": "t0ken"}, received_at=NOW), [WITH_KEY])


@pytest.mark.parametrize(
    "changed",
    [{"app": "another"}, {"app": None}, {"action": "api"}, {"iat": None}, {"exp": "soon"}, {"iat": True}],
)
def test_a_web_token_for_something_else_is_refused(changed: dict[str, Any]) -> None:
    assert not verify(with_token(claims(**changed)), [WITH_KEY])


@pytest.mark.parametrize(
    ("age", "accepted"), [(0, True), (600, True), (600 + RESEND_SECONDS, True), (601 + RESEND_SECONDS, False)]
)
def test_a_web_token_outlives_its_end_by_the_time_evolution_resends(age: int, accepted: bool) -> None:
    request = Request(headers=with_token(claims()).headers, received_at=NOW + timedelta(seconds=age))
    assert verify(request, [WITH_KEY]) is accepted


def test_a_web_token_from_the_future_is_refused() -> None:
    request = Request(headers=with_token(claims()).headers, received_at=NOW - timedelta(minutes=6))
    assert not verify(request, [WITH_KEY])


@pytest.mark.parametrize("secrets", [SECRETS, WITH_KEY])
def test_what_we_sign_we_accept_when_it_comes(secrets: dict[str, str]) -> None:
    headers = {name.lower(): value for name, value in sign(Request(received_at=NOW), secrets).items()}
    assert verify(Request(headers=headers, received_at=NOW), [secrets])


def test_secrets_of_both_kinds_may_follow_each_other() -> None:
    for request in (with_token(claims()), Request(headers={"x-ctwa": "t0ken"}, received_at=NOW)):
        assert verify(request, [WITH_KEY, SECRETS])


def test_a_post_is_kept_with_its_click_id_but_is_no_ad() -> None:
    (message,) = posted(load("evolution/post")).messages
    assert message.message_class is MessageClass.POST
    assert message.referral is not None
    assert message.referral.click_id is not None
    assert message.referral.click_id.startswith("AR")
