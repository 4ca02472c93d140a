"""GOWA's events, senders and signature; its payloads are fixtures (test_every_provider)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.providers.base import Parsed, Request
from shared.providers.gowa import CONTENTS, OTHER_EVENTS, parse, sign, verify
from tests.unit.shared.providers.cases import load

SECRETS = {"webhook_secret": "s3cret"}
BODY = b'{"event":"message","payload":{"id":"3EB0"}}'
#: Made with `openssl dgst -sha256 -hmac s3cret`.
SIGNATURE = "sha256=79fd0fd9fcc1d56698d100a15a4f78098f6a8544ec202989f719a183987dbe87"


def posted(body: dict[str, Any]) -> Parsed:
    return parse(Request(body=json.dumps(body).encode()))


def changed(**payload: Any) -> dict[str, Any]:
    body: dict[str, Any] = load("gowa/ad")
    body["payload"] |= payload
    return body


@pytest.mark.parametrize("name", OTHER_EVENTS)
def test_an_ad_in_any_other_event_is_left_out(name: str) -> None:
    assert posted(changed() | {"event": name}) == Parsed(ignored={OTHER_EVENTS[name]: 1})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("group.participants", "groups"),
        ("newsletter.message", "newsletter"),
        ("label.edit", "labels"),
        ("call.offer", "calls"),
        ("archive", "other_event_type"),
        (None, "unparsed"),
    ],
)
def test_events_of_a_family_share_its_reason(name: str | None, reason: str) -> None:
    assert posted(changed() | {"event": name}).ignored == {reason: 1}


@pytest.mark.parametrize(
    ("payload", "ignored"),
    [
        ({"is_from_me": True}, "from_me"),
        ({"is_from_me": None, "from": "15550100999@s.whatsapp.net"}, "from_me"),
        ({"chat_id": "120363000000000001@g.us"}, "group"),
        ({"chat_id": "status@broadcast"}, "status_story"),
        ({"chat_id": "120363000000000001@newsletter"}, "newsletter"),
        ({"from": None, "chat_id": "15550100999@s.whatsapp.net"}, "no_sender"),
        ({"id": None}, "no_message_id"),
    ],
)
def test_only_a_person_writing_to_the_business_counts(payload: dict[str, Any], ignored: str) -> None:
    assert posted(changed(**payload)).ignored == {ignored: 1}


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_message_of_any_content_counts(kind: str) -> None:
    (message,) = posted(changed(**{kind: {"url": "https://x.example"}})).messages
    assert message.kind == kind


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-09-20T10:00:00Z", datetime(2026, 9, 20, 10, tzinfo=UTC)),
        ("2026-09-20T17:00:00+07:00", datetime(2026, 9, 20, 10, tzinfo=UTC)),
        ("2026-09-20T10:00:00", None),
        (1790000000, None),
    ],
)
def test_the_time_is_iso_8601_with_its_zone(written: Any, expected: datetime | None) -> None:
    (message,) = posted(changed(timestamp=written)).messages
    assert message.sent_at == expected


def test_the_signature_is_over_the_bytes_that_came() -> None:
    headers = {name.lower(): value for name, value in sign(Request(body=BODY), SECRETS).items()}
    assert headers == {"x-hub-signature-256": SIGNATURE}
    assert verify(Request(body=BODY, headers=headers), [SECRETS])
    assert not verify(Request(body=BODY + b" ", headers=headers), [SECRETS])


@pytest.mark.parametrize(
    "given",
    [SIGNATURE.removeprefix("sha256="), SIGNATURE.upper(), SIGNATURE.replace("256", "512"), " " + SIGNATURE, "é"],
)
def test_a_signature_in_another_form_is_refused(given: str) -> None:
    assert not verify(Request(body=BODY, headers={"x-hub-signature-256": given}), [SECRETS])
