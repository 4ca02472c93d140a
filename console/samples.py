"""Sending a sample webhook as its provider would: made new, signed, posted to a running receiver."""

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import requests

from console.errors import InvalidError
from shared.crypto import KeyRing
from shared.db.channels import Channel, open_secrets
from shared.db.datasets import dataset_by_id
from shared.providers import get_provider
from shared.providers.base import Request
from shared.providers.samples import UnknownSampleError, list_samples, load_sample

_TIMEOUT = (3.0, 15.0)
_ANSWER_BYTES = 2000


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What came of one posted webhook; `status` is None when nobody answered, and `problem` says why."""

    status: int | None
    answer: str
    milliseconds: int
    problem: str | None = None


def best_sample(provider: str) -> str:
    """The sample nearest to an ad lead: not every provider carries a click id, or anything of the ad."""
    known = list_samples(provider)
    return next(name for name in ("ad", "ad_without_click_id", "organic") if name in known)


def refuse_real_leads(conn: psycopg.Connection[Any], channel: Channel, *, graph_url: str) -> None:
    """A sample through a live channel would be reported to Meta as a lead that nobody is. Raises InvalidError."""
    dataset = dataset_by_id(conn, channel.dataset_id) if channel.dataset_id else None
    to_meta = (urlsplit(graph_url).hostname or "").endswith("facebook.com")
    if dataset and to_meta and dataset.sending == "on" and not (channel.is_test or dataset.is_test):
        raise InvalidError(
            f"{channel.name} is live: the sample would be sent to Meta. Use a test channel (--test when it is added),"
            f" try without sending (ctwa datasets set {dataset.name} --sending dry-run), or say --live."
        )


def counts_as_test(conn: psycopg.Connection[Any], channel: Channel) -> bool:
    """Whether what comes by a channel is marked as a test, and left out of every total."""
    dataset = dataset_by_id(conn, channel.dataset_id) if channel.dataset_id else None
    return channel.is_test or (dataset is not None and dataset.is_test)


def make_samples(
    provider: str, case: str, *, count: int, click_id: str | None = None, phone: str | None = None
) -> Iterator[bytes]:
    """Yields `count` bodies of a sample, each a new message. Several come from as many made-up people.

    Raises InvalidError for an unknown case.
    """
    now = datetime.now(UTC)
    for number in range(count):
        sender = phone or (f"1555{secrets.randbelow(10**7):07d}" if count > 1 else None)
        try:
            yield load_sample(provider, case, now=now + timedelta(microseconds=number), click_id=click_id, phone=sender)
        except UnknownSampleError as error:
            raise InvalidError(str(error)) from error


def signed_headers(ring: KeyRing, channel: Channel, url: str, body: bytes) -> Mapping[str, str]:
    """The headers the provider would send with this body. An unsigned channel's have no signature.

    Raises CannotDecrypt.
    """
    form = not body.lstrip().startswith((b"{", b"["))
    headers = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
    if channel.unsigned:
        return headers
    request = Request(
        method="POST",
        headers={"content-type": headers["Content-Type"]},
        body=body,
        url=url,
        received_at=datetime.now(UTC),
    )
    held = open_secrets(ring, channel.secrets)
    return {**headers, **get_provider(channel.provider).sign(request, held[0] if held else {})}


def post_sample(url: str, body: bytes, headers: Mapping[str, str]) -> Sent:
    """Posts one body to a receiver; never raises for what the network does."""
    started = time.monotonic()
    with requests.Session() as http:
        http.trust_env = False
        try:
            response = http.post(url, data=body, headers=dict(headers), timeout=_TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            return Sent(status=None, answer="", milliseconds=_since(started), problem=type(error).__name__)
        answer = response.content[:_ANSWER_BYTES].decode("utf-8", "replace")
        return Sent(status=response.status_code, answer=answer, milliseconds=_since(started))


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
