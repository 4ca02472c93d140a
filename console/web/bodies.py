"""Bodies of requests, read whole before anything else is done, and so many at a time.

The server has a thread wait for a body, for as long as its sender takes. Whoever sends a few bodies by half would have
all threads wait for the rest, and nobody would get a page. So there are fewer bodies under way than threads, fewer yet
of one network, and whoever comes on top is told to come again.
"""

import io
import json
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from console.team.throttle import network_of
from console.web.security import LARGEST_FILE
from console.web.turns import Turns
from shared.logs import get_logger

log = get_logger(__name__)
#: Less than the threads of a process (server.THREADS), so that some are left for whoever only looks.
AT_ONCE = 6
OF_ONE_NETWORK = 4
#: More than any view takes: one that says to be larger is refused by that.
_MOST_BYTES = LARGEST_FILE + 1024 * 1024 + 1
_WITHOUT = ("GET", "HEAD", "OPTIONS")
_WORDS = "Too much is being sent to this service at the moment. Try again in a few seconds."


class Bodies:
    """WSGI middleware; within it a body is in memory."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._turns = Turns(most=AT_ONCE, each=OF_ONE_NETWORK)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = _length(environ)
        if environ["REQUEST_METHOD"] in _WITHOUT or not 0 < length <= _MOST_BYTES:
            return self._app(environ, start_response)
        network = network_of(environ.get("REMOTE_ADDR"))
        if not self._turns.begin(network):
            log.warning("a body was not read: too many are under way", most=AT_ONCE, of_one_network=OF_ONE_NETWORK)
            return _come_again(environ, start_response)
        try:
            body = _read(environ["wsgi.input"], length)
        finally:
            self._turns.end(network)
        return self._app({**environ, "wsgi.input": io.BytesIO(body)}, start_response)


def _length(environ: WSGIEnvironment) -> int:
    """How long the body is, as it says; of one that comes in chunks, how much of it is read."""
    text = environ.get("CONTENT_LENGTH") or ""
    if text.isascii() and text.isdigit():
        return int(text[:20])
    return _MOST_BYTES if environ.get("HTTP_TRANSFER_ENCODING") else 0


def _read(source: Any, length: int) -> bytes:
    parts, left = [], length
    while left and (part := source.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _come_again(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    is_api = str(environ.get("PATH_INFO", "")).startswith("/api/")
    problem = {"type": "about:blank", "title": "Service unavailable", "status": 503, "detail": _WORDS}
    kind, body = ("application/problem+json", json.dumps(problem)) if is_api else ("text/plain", f"{_WORDS}\n")
    headers = [("Content-Type", kind), ("Retry-After", "3"), ("Cache-Control", "no-store"), ("Connection", "close")]
    start_response("503 Service Unavailable", headers)
    return [body.encode()]
