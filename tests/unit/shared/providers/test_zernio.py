"""Zernio's signature; its payloads are fixtures (test_every_provider)."""

import hashlib
import hmac

import pytest

from shared.providers.base import Request
from shared.providers.zernio import sign, verify

SECRETS = {"secret": "your_webhook_secret"}
BODY = b'{"text": "ol\\u00e1 \xf0\x9f\x98\x80"}'
GOOD = hmac.new(b"your_webhook_secret", BODY, hashlib.sha256).hexdigest()


def request(signature: str, body: bytes = BODY) -> Request:
    return Request(headers={"x-zernio-signature": signature}, body=body)


def test_the_signature_is_over_the_raw_bytes() -> None:
    assert verify(request(GOOD), [SECRETS])
    assert verify(request(GOOD), [{"secret": "new"}, SECRETS])
    assert not verify(request(GOOD, '{"text": "olá 😀"}'.encode()), [SECRETS])
    assert sign(Request(body=BODY), SECRETS) == {"X-Zernio-Signature": GOOD}


@pytest.mark.parametrize("signature", ["", GOOD.upper(), f"sha256={GOOD}", GOOD + "\n", f"{GOOD},{GOOD}", "é" * 64])
def test_a_signature_of_another_form_is_refused(signature: str) -> None:
    assert not verify(request(signature), [SECRETS])
