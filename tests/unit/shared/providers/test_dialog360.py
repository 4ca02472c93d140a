"""360dialog's signature, or the static header without one; its payloads are fixtures (test_every_provider)."""

import hashlib
import hmac

import pytest

from shared.providers.base import Request
from shared.providers.dialog360 import sign, verify

BODY = b'{"text": "ol\\u00e1 \xf0\x9f\x98\x80"}'
DIGITS = hmac.new(b"platform", BODY, hashlib.sha256).hexdigest()
PARTNER = {"platform_secret": "platform", "header": "X-Webhook-Secret", "token": "t0ken"}
DIRECT = {"header": "X-Webhook-Secret", "token": "t0ken"}


@pytest.mark.parametrize("signature", [DIGITS, f"sha256={DIGITS}"])
def test_the_body_is_signed_with_the_platform_secret(signature: str) -> None:
    request = Request(headers={"x-360dialog-signature": signature}, body=BODY)
    assert verify(request, [PARTNER])
    assert verify(request, [{**PARTNER, "platform_secret": "new"}, PARTNER])
    assert not verify(Request(headers=request.headers, body=BODY + b" "), [PARTNER])
    assert sign(Request(body=BODY), PARTNER) == {"x-360dialog-signature": DIGITS}


@pytest.mark.parametrize("signature", [DIGITS.upper(), f"sha1={DIGITS}", DIGITS + "\n", DIGITS[:-1], "é" * 64, ""])
def test_a_signature_of_another_form_is_refused(signature: str) -> None:
    assert not verify(Request(headers={"x-360dialog-signature": signature}, body=BODY), [PARTNER])


@pytest.mark.parametrize(
    "headers",
    [
        {"x-webhook-secret": "t0ken"},
        {"authorization": "Bearer t0ken"},
        {"authorization": "Basic YW55b25lOnQwa2Vu"},
    ],
)
def test_without_a_platform_secret_the_token_is_the_proof(headers: dict[str, str]) -> None:
    assert verify(Request(headers=headers, body=BODY), [DIRECT])
    assert not verify(Request(headers=headers, body=BODY), [PARTNER])
    assert sign(Request(body=BODY), DIRECT) == {"X-Webhook-Secret": "t0ken"}


def test_metas_own_signature_is_no_proof() -> None:
    assert not verify(Request(headers={"x-hub-signature-256": f"sha256={DIGITS}"}, body=BODY), [PARTNER, DIRECT])
