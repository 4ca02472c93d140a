"""Reads past messages from Whapi's API: `GET /messages/list`, page by page.

Documentation: https://whapi.readme.io/reference/getmessages (filters `count`, `offset`, `time_from`, `time_to`,
`from_me`, `sort`). It returns the same message objects as the webhooks.
"""

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic, sleep
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from console.errors import InvalidError, UnavailableError

WHAPI = "https://gate.whapi.cloud"
PAGE = 100
#: The longest that Retry-After is obeyed; whoever asks for more is asked again then.
LONGEST_WAIT = 60.0
TRIES = 5
_TIMEOUT = (5.0, 20.0)
#: A page of pictures' previews has some megabytes.
_LONGEST_ANSWER = 32 * 1024 * 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Page:
    """One answer: its messages as they came, and how many there are in all, if Whapi says so."""

    messages: list[Any]
    total: int | None


class _TryAgain(Exception):
    """The answer was none; `seconds` is how long the server wants to be left alone, if it said so."""

    def __init__(self, what: str, seconds: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.seconds = seconds


class WhapiHistory:
    """A channel's past messages. `token` is the channel's API token; everything ends after `seconds` in all."""

    def __init__(self, base_url: str, token: str, *, seconds: float = 900) -> None:
        """Raises InvalidError for an address that is neither https nor this machine's, and a malformed token."""
        self._url = f"{checked_address(base_url)}/messages/list"
        # requests would put a token with a line break into the text of its exception.
        if not re.fullmatch(r"[\x21-\x7e]{1,4096}", token):
            raise InvalidError("This is no API token of Whapi's: it has blanks, line breaks or foreign characters.")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._seconds = seconds

    def pages(self, since: datetime, until: datetime) -> Iterator[Page]:
        """Yields what people wrote between two times, oldest first, until a page is empty or all are there.

        Raises InvalidError when the token is refused, UnavailableError when Whapi can't be read.
        """
        ends = monotonic() + self._seconds
        asked = {
            "count": PAGE,
            "time_from": int(since.timestamp()),
            "time_to": int(until.timestamp()),
            "from_me": "false",
            # The oldest first, up to a fixed time: what comes meanwhile moves no page.
            "sort": "asc",
        }
        offset = 0
        with requests.Session() as http:
            http.trust_env = False
            http.headers.update(self._headers)
            while True:
                page = self._patiently(http, {**asked, "offset": offset}, ends)
                if not page.messages:
                    return
                yield page
                offset += len(page.messages)
                if offset >= page.total if page.total is not None else len(page.messages) < PAGE:
                    return

    def _patiently(self, http: requests.Session, asked: Mapping[str, Any], ends: float) -> Page:
        """One page, asked for again when the server is busy or away."""
        for number in range(TRIES):
            try:
                return self._ask(http, asked, ends)
            except _TryAgain as error:
                wait = min(2.0**number if error.seconds is None else error.seconds, LONGEST_WAIT)
                if number + 1 == TRIES or monotonic() + wait > ends:
                    raise UnavailableError(
                        f"Whapi can't be read now: {error.what}. What was fetched before is kept; run it again later."
                    ) from None
                sleep(wait)
        raise AssertionError("unreachable")

    def _ask(self, http: requests.Session, asked: Mapping[str, Any], ends: float) -> Page:
        try:
            with http.get(self._url, params=asked, timeout=_TIMEOUT, allow_redirects=False, stream=True) as response:
                _check_status(response)
                return _read_page(self._body(response, ends))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # Its text may hold the URL; its name says enough.
            name = type(error).__name__
        raise _TryAgain(f"no answer ({name})")

    def _body(self, response: requests.Response, ends: float) -> bytes:
        """The whole answer. Read piece by piece, for one that trickles outlasts every timeout."""
        parts: list[bytes] = []
        length = 0
        while part := response.raw.read1(_CHUNK, decode_content=True):
            length += len(part)
            if length > _LONGEST_ANSWER:
                raise UnavailableError("Whapi's answer is larger than any page of messages could be.")
            if monotonic() > ends:
                raise _TryAgain("the answer took too long")
            parts.append(part)
        return b"".join(parts)


def checked_address(url: str) -> str:
    """The address without a trailing slash. Raises InvalidError unless it is https, or http on this machine."""
    parts = urlsplit(url.rstrip("/"))
    plain = parts.hostname and "@" not in parts.netloc and not (parts.path or parts.query or parts.fragment)
    if not plain or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))):
        raise InvalidError(f"The address must be https:// and a host only, such as {WHAPI} (http:// for this machine).")
    return url.rstrip("/")


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status in (401, 403):
        raise InvalidError(
            f"Whapi refuses this API token (HTTP {status}). It stands in Whapi's panel, on the channel's page."
        )
    if status == 429:
        raise _TryAgain("it asks us to slow down (HTTP 429)", _retry_after(response.headers.get("Retry-After", "")))
    if status >= 500:
        raise _TryAgain(f"HTTP {status}", _retry_after(response.headers.get("Retry-After", "")))
    if status != 200:
        raise UnavailableError(f"Whapi answered HTTP {status}, which is no list of messages.")


def _read_page(body: bytes) -> Page:
    try:
        answer = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        answer = None
    messages = answer.get("messages") if isinstance(answer, dict) else None
    if not isinstance(messages, list):
        raise UnavailableError("Whapi's answer is no list of messages. Is this the right address?")
    total = answer.get("total") if isinstance(answer, dict) else None
    return Page(messages, total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None)


def _retry_after(written: str) -> float | None:
    """Seconds to wait, from a number or a date (RFC 9110, 10.2.3); None when it says neither."""
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", written):
        return float(written)
    try:
        moment = parsedate_to_datetime(written)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse(_: str) -> NoReturn:
    raise ValueError
