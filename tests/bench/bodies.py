"""Webhooks by the thousand: one sample of a provider, with another message, person and click in each."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

from shared.providers import PROVIDERS, parse_body
from shared.providers.base import Request
from shared.providers.samples import load_sample
from tests.faults.servers import CLICK_CANARY, PHONE_CANARY, Target

_MESSAGE = "BENCHMESSAGE0000000000"
_PHONE = f"{PHONE_CANARY}000000"
_CLICK = f"{CLICK_CANARY}BENCH000000000000000000"

#: Numbers of two channels' webhooks this far apart are other people's: one click is one Lead, wherever it comes in.
APART = 500_000


class Bodies:
    """Makes bodies of one provider; numbers make them differ, and the same ones are the same."""

    def __init__(self, provider: str, case: str = "ad") -> None:
        self._sample = load_sample(
            provider, case, now=datetime.now(UTC), message_id=_MESSAGE, phone=_PHONE, click_id=_CLICK
        )
        message = parse_body(provider, self._sample).messages[0]
        self._token = (message.referral.conversion_data or "").encode() if message.referral else b""
        self._bsuid = (message.bsuid or "").encode()

    def body(self, number: int) -> bytes:
        body = (
            self._sample.replace(_MESSAGE.encode(), b"BENCHMESSAGE%010d" % number)
            .replace(_PHONE.encode(), f"{PHONE_CANARY}{number % 10**6:06d}".encode())
            .replace(_CLICK.encode(), f"{CLICK_CANARY}BENCH{number:018d}".encode())
        )
        if self._bsuid:
            # Else all of them would be one person's, whose batches wait for each other.
            body = body.replace(self._bsuid, b"US.1%019d" % number)
        return body.replace(self._token, base64.b64encode(b"sample %060d" % number)) if self._token else body


def requests_to(
    target: Target, *, first: int, count: int, path: str | None = None, case: str = "ad"
) -> Iterator[bytes]:
    """Whole HTTP requests, signed as the provider signs; made while they are taken."""
    bodies = Bodies(target.provider, case)
    for number in range(first, first + count):
        yield as_request(target, bodies.body(number), path=path)


def as_request(target: Target, body: bytes, *, path: str | None = None) -> bytes:
    """One signed POST as it goes over the socket."""
    path = path or f"/webhooks/{target.key}"
    headers = {"content-type": "application/json"}
    request = Request(
        method="POST", headers=headers, body=body, url=f"http://127.0.0.1{path}", received_at=datetime.now(UTC)
    )
    headers |= PROVIDERS[target.provider].sign(request, target.secrets)
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
