"""HS256 tokens, against a known example and against everything that isn't one."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.providers.json_web_token import read_token, sign_token

# The example that https://jwt.io shows for HS256.
KEY = "your-256-bit-secret"
KNOWN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ"
    ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)


def test_a_known_token_is_made_and_read() -> None:
    claims = {"sub": "1234567890", "name": "John Doe", "iat": 1516239022}
    assert sign_token(claims, KEY) == KNOWN
    assert read_token(KNOWN, KEY) == claims


def test_another_key_or_a_changed_character_is_refused() -> None:
    assert read_token(KNOWN, KEY + "x") is None
    for at, char in enumerate(KNOWN):
        assert read_token(KNOWN[:at] + ("A" if char != "A" else "B") + KNOWN[at + 1 :], KEY) is None


@pytest.mark.parametrize("algorithm", ["none", "hs256", "HS512", None])
def test_another_algorithm_is_refused_even_when_the_signature_is_right(algorithm: str | None) -> None:
    head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).rstrip(b"=").decode()
    signed_by_us = sign_token({"a": 1}, KEY)
    forged = f"{head}.{signed_by_us.split('.')[1]}."
    assert read_token(forged, KEY) is None
    assert read_token(forged + signed_by_us.split(".")[2], KEY) is None


@given(st.text(), st.text())
def test_reading_never_raises(token: str, key: str) -> None:
    assert read_token(token, key) is None
