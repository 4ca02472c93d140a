"""Vonage's token; its payloads are fixtures (test_every_provider)."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.providers.base import Request
from shared.providers.vonage import verify

SECRETS = {"signature_secret": "a-signature-secret-of-sane-length"}
BODY = b'{"text": "ol\\u00e1 \xf0\x9f\x98\x80"}'
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
T = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iat": T,
    "jti": "00000000-0000-4000-8000-000000000001",
    "iss": "Vonage",
    "payload_hash": hashlib.sha256(BODY).hexdigest(),
    "api_key": "synth",
    "application_id": "00000000-0000-4000-8000-000000000002",
}


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def token(
    claims: Any = CLAIMS, head: Any = None, key: str = SECRETS["signature_secret"], digest: str = "sha256"
) -> str:
    """Return a token made without any of our code."""
    parts = [encoded(json.dumps(part).encode()) for part in (head or {"alg": "HS256", "typ": "JWT"}, claims)]
    signed = ".".join(parts)
    return f"{signed}.{encoded(hmac.new(key.encode(), signed.encode(), digest).digest())}"


def request(written: str, body: bytes = BODY, scheme: str = "Bearer") -> Request:
    return Request(headers={"authorization": f"{scheme} {written}"}, body=body, received_at=NOW)


def without(claim: str) -> dict[str, Any]:
    return {name: value for name, value in CLAIMS.items() if name != claim}


@pytest.mark.parametrize(
    "claims",
    [
        CLAIMS,
        {**CLAIMS, "exp": T + 1},
        {**CLAIMS, "iat": T - 300},
        {**CLAIMS, "iat": T + 300},
        {**CLAIMS, "payload_hash": CLAIMS["payload_hash"].upper()},
    ],
)
def test_a_fresh_token_over_the_body_is_authentic(claims: dict[str, Any]) -> None:
    assert verify(request(token(claims)), [SECRETS])
    assert verify(request(token(claims), scheme="bearer"), [{"signature_secret": "new"}, SECRETS])


@pytest.mark.parametrize(
    "claims",
    [
        {**CLAIMS, "iat": T - 301},
        {**CLAIMS, "iat": T + 301},
        {**CLAIMS, "iat": str(T)},
        {**CLAIMS, "iat": True},
        {**CLAIMS, "iat": None},
        {**CLAIMS, "exp": T},
        {**CLAIMS, "exp": T - 1},
        {**CLAIMS, "exp": "never"},
        {**CLAIMS, "exp": None},
        {**CLAIMS, "payload_hash": hashlib.sha256(b"other").hexdigest()},
        {**CLAIMS, "payload_hash": None},
        {**CLAIMS, "payload_hash": ""},
        without("iat"),
        without("payload_hash"),
        [],
        "claims",
    ],
    ids=range(16),
)
def test_other_claims_are_refused(claims: Any) -> None:
    assert not verify(request(token(claims)), [SECRETS])


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "..",
        "a.b.c",
        token(head={"alg": "none"}).rpartition(".")[0] + ".",
        token(head={"alg": "none"}),
        token(head={"alg": "HS512"}, digest="sha512"),
        token(head={"alg": "HS512"}),
        token(head={"alg": "RS256"}),
        token(key="another"),
        token() + "=",
        token() + " ",
        token() + "." + token(),
    ],
    ids=range(13),
)
def test_a_token_of_another_kind_is_refused(written: str) -> None:
    assert not verify(request(written), [SECRETS])


def test_a_changed_body_and_another_scheme_are_refused() -> None:
    assert not verify(request(token(), BODY + b" "), [SECRETS])
    assert not verify(request(token(), scheme="Basic"), [SECRETS])
    assert not verify(Request(query=f"token={token()}", body=BODY, received_at=NOW), [SECRETS])
