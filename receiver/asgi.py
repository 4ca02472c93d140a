"""The ASGI front: reads requests whole, in the event loop, and only then runs the Flask application.

A body that comes slowly, or never whole, costs a coroutine here, where it would cost a WSGI server one of its threads
for as long as the sender likes. The view runs in the event loop too: it computes, and what waits (for the body before
it, for the commit after it) is awaited here. docs/decisions/0005 has the measurements.
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from receiver.admission import Admitted, Refused
from receiver.bodies import Bodies, Body
from receiver.inbox import NotStored, Ticket
from receiver.webhooks import COMMIT_SECONDS, LOOK_SECONDS, TICKETS, VERDICT, Door
from shared.logs import get_logger

log = get_logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

#: Bodies larger than this are hashed and sealed beside the event loop.
INLINE_BYTES = 64 * 1024
#: Requests for anything but a webhook need no body.
_OTHER_BODY_BYTES = 0
_ENVIRON = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


class ClientGone(Exception):
    """The sender hung up before its body was whole."""


class Front:
    """The ASGI application. `start` and `stop` are called with the server's lifespan."""

    def __init__(
        self,
        app: Flask,
        door: Door,
        *,
        start: Callable[[], None],
        stop: Callable[[], None],
        bodies: Bodies | None = None,
    ) -> None:
        self._app = app
        self._door = door
        self._start = start
        self._stop = stop
        self._bodies = bodies or Bodies()
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="large-bodies")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        environ = make_environ(scope)
        body = self._bodies.begin()
        try:
            status, headers, content = await self._handle(environ, body, receive)
        except ClientGone:
            status, headers, content = 400, [], b""
        finally:
            self._bodies.end(body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _handle(self, environ: dict[str, Any], body: Body, receive: Receive) -> Answer:
        head = self._door.head(environ)
        if head is None:
            self._bodies.finish(body)
            return run_wsgi(self._app, environ)
        verdict = self._door.admit(head)
        if isinstance(verdict, Refused) and verdict.reason == "unknown_channel" and await self._looked_again():
            verdict = self._door.admit(head)
        if isinstance(verdict, Admitted) and (head.length or head.has_transfer_encoding):
            refused = await self._read(environ, body, receive)
            verdict = Refused(refused, verdict.channel.id) if refused else verdict
        self._bodies.finish(body)
        tickets: list[Ticket] = []
        environ |= {VERDICT: verdict, TICKETS: tickets}
        if body.size > INLINE_BYTES:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._beside, run_wsgi, self._app, environ)
        else:
            answer = run_wsgi(self._app, environ)
        problem = await _not_durable(tickets)
        if problem and isinstance(verdict, Admitted):
            return run_wsgi(self._app, environ | {VERDICT: Refused(problem, verdict.channel.id)})
        return answer

    async def _looked_again(self) -> bool:
        looking = self._door.channels.look_again()
        if looking is None:
            return False
        await asyncio.wait({asyncio.wrap_future(looking)}, timeout=LOOK_SECONDS)
        return True

    async def _read(self, environ: dict[str, Any], body: Body, receive: Receive) -> str | None:
        """Reads the body into `environ`; the reason for a refusal if it can't be had. Raises ClientGone."""
        parts: list[bytes] = []
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part = message.get("body", b"")
                parts.append(part)
                self._bodies.grow(body, len(part))
                if body.size > self._door.max_body:
                    return "too_large"
                more = message.get("more_body", False)
        except asyncio.CancelledError:
            if body.refused is None:
                raise
        if body.refused:
            return body.refused
        whole = b"".join(parts)
        environ["wsgi.input"] = io.BytesIO(whole)
        return None

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._stop()
                self._beside.shutdown(wait=False)
                await send({"type": "lifespan.shutdown.complete"})
                return


def make_environ(scope: Message) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of an ASGI request, with an empty body."""
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    environ = _ENVIRON | {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "RAW_URI": scope.get("raw_path", b"").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:
            # x_y would become the same variable as x-y, and pass for it.
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = f"HTTP_{name}"
        environ[name] = f"{environ[name]},{value}" if name in environ else value
    return environ


def run_wsgi(app: Flask, environ: dict[str, Any]) -> Answer:
    """Runs the application: status, headers, body."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        started.append((status, headers))
        return _no_write

    chunks: Iterable[bytes] = app(environ, start_response)
    content = b"".join(chunks)
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    status, headers = started[-1]
    lowered = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return int(status[:3]), lowered, content


def _no_write(data: bytes) -> object:
    raise NotImplementedError("the application returns its body")


async def _not_durable(tickets: list[Ticket]) -> str | None:
    """Waits for the commit; the reason for a refusal if there was none in time."""
    for ticket in tickets:
        try:
            await asyncio.wait_for(asyncio.wrap_future(ticket), COMMIT_SECONDS)
        except NotStored as error:
            return error.reason
        except TimeoutError:
            return "late"
    return None
