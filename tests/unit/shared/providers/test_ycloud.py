"""YCloud's signature; its payloads are fixtures (test_every_provider)."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from shared.providers.base import Request
from shared.providers.ycloud import sign, verify

SECRETS = {"signing_secret": "whsec_synth"}
BODY = b'{"text": "ol\\u00e1 \xf0\x9f\x98\x80"}'
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
T = str(int(NOW.timestamp()))
S = hmac.new(b"whsec_synth", T.encode() + b"." + BODY, hashlib.sha256).hexdigest()


def request(signature: str, body: bytes = BODY) -> Request:
    return Request(headers={"ycloud-signature": signature}, body=body, received_at=NOW)


def test_time_and_body_are_signed() -> None:
    assert verify(request(f"t={T},s={S}"), [SECRETS])
    assert verify(request(f"t={T}, s={S}"), [{"signing_secret": "new"}, SECRETS])
    assert not verify(request(f"t={T},s={S}", BODY + b"\n"), [SECRETS])
    assert sign(Request(body=BODY, received_at=NOW), SECRETS) == {"YCloud-Signature": f"t={T},s={S}"}


def test_another_time_beside_the_same_signature_is_refused() -> None:
    assert not verify(request(f"t={int(T) + 1},s={S}"), [SECRETS])


@pytest.mark.parametrize(
    "signature",
    [
        "",
        S,
        f"s={S},t={T}",
        f"t={T},s={S.upper()}",
        f"t={T},v1={S}",
        f"t={T},s={S},s={S}",
        f"t={T}.5,s={S}",
        f"t=,s={S}",
        f"t={'9' * 5000},s={S}",
        f"t=١,s={S}",
        f"t={T},s={S}\n",
    ],
)
def test_a_signature_of_another_form_is_refused(signature: str) -> None:
    assert not verify(request(signature), [SECRETS])
