"""The one place that talks to Meta.

`POST {base}/{version}/{dataset id}/events` with the token in the Authorization header, never in the URL
(https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api). Every outcome comes back
as an `Answer`; nothing raises for what the network or Meta does.
"""

import contextlib
import ipaddress
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3.exceptions

from shared.capi.answers import Answer, PauseReason, Verdict, no_answer, not_sent, read_answer, read_content
from shared.capi.inspection import FORM, Inspection, inspection_body, read_inspection
from shared.capi.versions import VERSION_FORM
from shared.transport import Exchange, ExchangeAdapter

META = "https://graph.facebook.com"
# Servers close kept connections without a word, and a request on such a one may or may not have arrived.
# So a connection that has been idle this long is not used again.
LONGEST_IDLE_SECONDS = 15
_EMPTY_BODY = b'{"data":[]}'
_CHUNK = 16 * 1024
#: A page of insights has some hundred kB.
LONGEST_READING = 4 * 1024 * 1024
_TOKEN_FORM = re.compile(r"[\x21-\x7e]{1,4096}")


@dataclass(frozen=True)
class Reading:
    """What came of a question: the answer's JSON object, or None and `answer` says why."""

    content: dict[str, Any] | None = field(repr=False)
    answer: Answer


class _Sessions(threading.local):
    """A thread's session; made anew after a fork, whose parent goes on using the old one's socket."""

    session: requests.Session | None = None
    pid = 0
    used_at = 0.0


class GraphClient:
    """Posts events to Meta's Graph API, from any number of threads.

    `deadline` is the longest one request may take in all, in seconds; `read_timeout` the longest silence
    within it. A given `session` is set up like our own (no redirects, retries, cookies or proxies) and serves
    all threads.
    """

    def __init__(
        self,
        base_url: str,
        version: str,
        *,
        session: requests.Session | None = None,
        connect_timeout: float = 3,
        read_timeout: float = 15,
        deadline: float = 20,
        max_answer_bytes: int = 262144,
        allow_any_host: bool = False,
    ) -> None:
        """ValueError when the version is malformed or the address is neither Meta's nor loopback."""
        if not VERSION_FORM.fullmatch(version):
            raise ValueError("The Graph API version must look like v26.0.")
        self._root = f"{_checked_base_url(base_url, allow_any_host)}/{version}"
        self._timeouts = (connect_timeout, read_timeout)
        self._deadline = deadline
        self._max_answer_bytes = max_answer_bytes
        self._given_session = _set_up(session) if session else None
        self._sessions = _Sessions()

    def __repr__(self) -> str:
        return f"GraphClient({self._root})"

    def post_events(self, dataset_meta_id: str, token: str, body: bytes) -> Answer:
        """Post a body of `shared.capi.payload.build_body` and return what came of it.

        ValueError when the dataset id is not a number or the body is not ours.
        """
        events = json.loads(body)["data"]
        click_ids = [event["user_data"]["ctwa_clid"] for event in events]
        return self._post(dataset_meta_id, token, body, sent=len(events), hide=[token, *click_ids])

    def probe(self, dataset_meta_id: str, token: str) -> Answer:
        """Post no events at all. `shared.capi.answers.proves_access` says whether the answer shows access.

        Reading the dataset is no test: tokens made in Events Manager may only write.
        """
        return self._post(dataset_meta_id, token, _EMPTY_BODY, sent=0, hide=[token])

    def inspect(self, token: str) -> Inspection:
        """Ask Meta about a token, by itself, with the token in the body and in no URL."""
        if not _TOKEN_FORM.fullmatch(token):
            return Inspection(result="token_malformed")
        with Exchange(self._deadline).running() as exchange:
            try:
                _, _, answered = self._ask(exchange, f"{self._root}/", inspection_body(token), {"Content-Type": FORM})
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
                return Inspection(result="not_sent" if exchange.surely_not_sent else "no_answer")
        return read_inspection(answered)

    def read(self, path: str, token: str, query: Mapping[str, str], *, post: bool = False) -> Reading:
        """Ask for what `path` names, such as `act_42/insights`; `post` asks Meta to prepare it.

        ValueError when the path is none of ours. Repeating a question changes nothing, so every failure is a reading.
        """
        if not re.fullmatch(r"(act_)?[0-9]{1,32}(/[a-z]{1,32})?", path):
            raise ValueError("A path at Meta is an id and the name of an edge.")
        if not _TOKEN_FORM.fullmatch(token):
            return Reading(None, Answer(verdict=Verdict.CONFIG, reason="token_malformed", pause=PauseReason.TOKEN))
        url, form = f"{self._root}/{path}", urlencode(query)
        headers = {"Authorization": f"Bearer {token}"}
        with Exchange(self._deadline).running() as exchange:
            try:
                if post:
                    answered = self._ask(exchange, url, form.encode(), {**headers, "Content-Type": FORM})
                else:
                    answered = self._ask(exchange, f"{url}?{form}", None, headers, longest=LONGEST_READING)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                name = "DeadlineExceeded" if exchange.is_expired else type(error).__name__
                return Reading(None, not_sent(name) if exchange.surely_not_sent else no_answer(name))
        answer, content = read_content(*answered, hide=[token])
        return Reading(content, answer)

    def _post(self, dataset_meta_id: str, token: str, body: bytes, *, sent: int, hide: list[str]) -> Answer:
        if not re.fullmatch(r"[0-9]{1,32}", dataset_meta_id):
            raise ValueError("A dataset's id at Meta consists of digits only.")
        # requests would put a token with a line break into the text of its exception.
        if not _TOKEN_FORM.fullmatch(token):
            return Answer(verdict=Verdict.CONFIG, reason="token_malformed", pause=PauseReason.TOKEN)
        with Exchange(self._deadline).running() as exchange:
            try:
                return self._exchange(exchange, f"{self._root}/{dataset_meta_id}/events", token, body, sent, hide)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                name = "DeadlineExceeded" if exchange.is_expired else type(error).__name__
                return not_sent(name) if exchange.surely_not_sent else no_answer(name)

    def _exchange(self, exchange: Exchange, url: str, token: str, body: bytes, sent: int, hide: list[str]) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        status, answer_headers, answered = self._ask(exchange, url, body, headers)
        return read_answer(status, answer_headers, answered, sent=sent, hide=hide)

    def _ask(
        self,
        exchange: Exchange,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        longest: int | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Posts `body`, or asks without one; status, headers and body of the answer, empty when it was cut off."""
        with contextlib.closing(
            self._session().request(
                "GET" if body is None else "POST",
                url,
                data=body,
                headers=headers,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )
        ) as response:
            answered = self._read(response, longest or self._max_answer_bytes)
            if exchange.is_expired:
                answered = b""
            self._sessions.used_at = time.monotonic()
            return response.status_code, response.headers, answered

    def _read(self, response: requests.Response, longest: int) -> bytes:
        """The answer's body, or nothing when it is cut off or too long: half an answer is no receipt."""
        parts: list[bytes] = []
        length = 0
        try:
            for part in response.iter_content(_CHUNK):
                length += len(part)
                if length > longest:
                    return b""
                parts.append(part)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            return b""
        return b"".join(parts)

    def _session(self) -> requests.Session:
        """This thread's session, without a connection that has been idle for long."""
        if self._given_session:
            return self._given_session
        mine = self._sessions
        if mine.session is None or mine.pid != os.getpid():
            mine.session, mine.pid = _set_up(requests.Session()), os.getpid()
        elif time.monotonic() - mine.used_at > LONGEST_IDLE_SECONDS:
            mine.session.close()
        return mine.session


def _set_up(session: requests.Session) -> requests.Session:
    """No proxies and no .netrc from the environment, no cookies, no compressed answers, our own transport."""
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
    session.headers["User-Agent"] = "ctwa-attribution"
    for scheme in ("https://", "http://"):
        session.mount(scheme, ExchangeAdapter())
    return session


def _checked_base_url(base_url: str, allow_any_host: bool) -> str:
    """The base URL without a trailing slash. ValueError unless it is Meta's, loopback or allowed."""
    url = base_url.rstrip("/")
    parts = urlsplit(url)
    plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if not plain or parts.path or parts.query or parts.fragment:
        raise ValueError(
            "The Graph API's base URL must be a scheme and a host only, such as https://graph.facebook.com."
        )
    if url != META and not allow_any_host and not _is_loopback(parts.hostname or ""):
        raise ValueError(
            "Tokens are sent to https://graph.facebook.com or to this machine only; allow others expressly."
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
