"""The Cloud API's signature and handshake; its payloads are fixtures (test_every_provider)."""

import hashlib
import hmac
from urllib.parse import urlencode

import pytest

from shared.providers.base import Request
from shared.providers.meta_cloud import PROVIDER, handshake, sign, verify

SECRETS = {"app_secret": "app-secret", "verify_token": "verify-me"}
BODY = b'{"text": "ol\\u00e1 \xf0\x9f\x98\x80"}'
GOOD = "sha256=" + hmac.new(b"app-secret", BODY, hashlib.sha256).hexdigest()


def request(signature: str, body: bytes = BODY) -> Request:
    return Request(headers={"x-hub-signature-256": signature}, body=body)


def challenge(**changes: str) -> Request:
    query = {
        "hub.mode": "subscribe",
        "hub.challenge": "1158201444",
        "hub.verify_token": "verify-me",
        **changes,
    }
    return Request(method="GET", query=urlencode(query))


def test_the_signature_is_over_the_raw_bytes() -> None:
    assert verify(request(GOOD), [SECRETS])
    assert not verify(request(GOOD, '{"text": "olá 😀"}'.encode()), [SECRETS])
    assert sign(Request(body=BODY), SECRETS) == {"X-Hub-Signature-256": GOOD}


@pytest.mark.parametrize(
    "signature",
    [
        "",
        GOOD.upper(),
        GOOD.replace("sha256=", "SHA256="),
        GOOD.replace("sha256=", "sha1="),
        GOOD.removeprefix("sha256="),
        GOOD + "\n",
        " " + GOOD,
        f"{GOOD},{GOOD}",
        GOOD[:-1] + "é",
        GOOD[:-1] + "٣",
        "sha256=" + "\udcff" * 64,
    ],
)
def test_a_signature_of_another_form_is_refused(signature: str) -> None:
    assert not verify(request(signature), [SECRETS])


def test_an_empty_body_can_be_signed_too() -> None:
    signature = sign(Request(), SECRETS)["X-Hub-Signature-256"]
    assert verify(request(signature, b""), [SECRETS])


def test_the_handshake_answers_the_challenge_to_who_knows_the_token() -> None:
    assert PROVIDER.handshake is handshake
    assert handshake(challenge(), [SECRETS]) == "1158201444"
    assert handshake(challenge(), [{"verify_token": "new"}, SECRETS]) == "1158201444"


@pytest.mark.parametrize(
    "changes",
    [
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
        {"hub.verify_token": "verify-m"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "vérify-me"},
        {"hub.challenge": ""},
        {"hub.challenge": "<script>alert(1)</script>"},
        {"hub.challenge": "1158201444\n"},
        {"hub.challenge": "1" * 129},
        {"hub.challenge": "١١"},
    ],
)
def test_the_handshake_refuses_everything_else(changes: dict[str, str]) -> None:
    assert handshake(challenge(**changes), [SECRETS]) is None


@pytest.mark.parametrize("secrets", [[], [{}], [{"verify_token": ""}], [{"verify_token": " "}]])
def test_the_handshake_is_refused_without_a_token_of_ours(secrets: list[dict[str, str]]) -> None:
    assert handshake(challenge(), secrets) is None
    assert handshake(challenge(**{"hub.verify_token": ""}), secrets) is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "hub.mode=subscribe",
        challenge().query + "&hub.challenge=2",
        challenge().query + "&hub.verify_token=other",
        "&".join(["a=1"] * 100),
        "%ff=%ff&hub.mode",
    ],
)
def test_an_odd_query_is_refused(query: str) -> None:
    assert handshake(Request(method="GET", query=query), [SECRETS]) is None
