"""Sinch's signature; its payloads are fixtures (test_every_provider)."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.providers.base import Request
from shared.providers.sinch import sign, verify

# The vector of Sinch's own library:
# https://github.com/sinch/sinch-sdk-dotnet/blob/main/tests/Sinch.Tests/Conversation/WebhooksTests.cs
SECRETS = {"secret": "foo_secret1234"}
BODY = (
    b'{"app_id":"","accepted_time":"2021-10-18T17:49:13.813615Z","project_id":"e2df3a34-a71b-4448-9db5-a8d2baad28e4",'
    b'"contact_create_notification":{"contact":{"id":"01FJA8B466Y0R2GNXD78MD9SM1","channel_identities":[{"channel":"SMS",'
    b'"identity":"48123456789","app_id":""}],"display_name":"New Test Contact","email":"new.contact@email.com",'
    b'"external_id":"","metadata":"","language":"EN_US"}},"message_metadata":""}'
)
HEADERS = {
    "x-sinch-webhook-signature": "6bpJoRmFoXVjfJIVglMoJzYXxnoxRujzR4k2GOXewOE=",
    "x-sinch-webhook-signature-nonce": "01FJA8B4A7BM43YGWSG9GBV067",
    "x-sinch-webhook-signature-timestamp": "1634579353",
    "x-sinch-webhook-signature-algorithm": "HmacSHA256",
}
GOOD = Request(headers=HEADERS, body=BODY, received_at=datetime.fromtimestamp(1634579353, UTC))


def with_header(part: str, value: str) -> Request:
    return replace(GOOD, headers={**HEADERS, f"x-sinch-webhook-signature{part}": value})


def test_sinchs_own_vector_is_authentic() -> None:
    assert verify(GOOD, [SECRETS])
    assert verify(with_header("-algorithm", ""), [{"secret": "new"}, SECRETS])
    assert not verify(GOOD, [{"secret": "new"}])
    assert not verify(replace(GOOD, body=BODY + b" "), [SECRETS])


@pytest.mark.parametrize(
    "changed",
    [
        with_header("", ""),
        with_header("", HEADERS["x-sinch-webhook-signature"].rstrip("=")),
        with_header("-nonce", ""),
        with_header("-nonce", "01FJA8B4A7BM43YGWSG9GBV068"),
        with_header("-timestamp", ""),
        with_header("-timestamp", "1634579354"),
        with_header("-timestamp", "2021-10-18T17:49:13Z"),
        with_header("-timestamp", "9" * 5000),
        with_header("-algorithm", "HmacSHA1"),
        with_header("-algorithm", "none"),
    ],
)
def test_every_header_counts(changed: Request) -> None:
    assert not verify(changed, [SECRETS])


def test_a_piece_of_the_body_cannot_be_passed_off_as_the_nonce() -> None:
    body, dot, rest = BODY.rpartition(b".")
    nonce = f"{rest.decode()}{dot.decode()}{HEADERS['x-sinch-webhook-signature-nonce']}"
    assert not verify(replace(with_header("-nonce", nonce), body=body), [SECRETS])


def test_two_samples_of_one_moment_have_different_nonces() -> None:
    nonces = {sign(replace(GOOD, body=body), SECRETS)["x-sinch-webhook-signature-nonce"] for body in (b"{}", b"[]")}
    assert len(nonces) == 2
