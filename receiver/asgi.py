"""The ASGI front: reads requests whole, in the event loop, and only then runs the Flask application.

A body that comes slowly, or never whole, costs a coroutine here, where it would cost a WSGI server one of its threads
for as long as the sender likes. The view runs in the event loop too: it computes, and what waits (for the body before
it, for the commit after it) is awaited here. docs/decisions/0005 has the measurements.
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from flask import Flask

from receiver.admission import NEWCOMERS, Refused
from receiver.exchange import HEAD, LOOK_SECONDS, MAKE_TICKET, TICKET, VERDICT, Admitted, Entrance
from receiver.head import Head
from receiver.inbox import NotStored, Sink, Ticket
from receiver.inflight import InFlight, Request
from shared.db.webhooks import NewWebhook
from shared.logs import get_logger

log = get_logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

_ENVIRON = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


class LoopTicket(Ticket):
    """A ticket that a task of an event loop waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, webhook: NewWebhook, provider: str) -> None:
        super().__init__(webhook, provider)
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()

    @classmethod
    def settled(cls, tickets: Sequence[Ticket]) -> None:
        """Wakes all of them with one call into the event loop."""
        ours = [ticket for ticket in tickets if isinstance(ticket, LoopTicket)]
        ours[0].loop.call_soon_threadsafe(_settle, ours)

    async def wait(self) -> Sink:
        """Where the webhook was stored. Raises NotStored."""
        await self.future
        return self.outcome()


def _settle(tickets: Sequence[LoopTicket]) -> None:
    for ticket in tickets:
        if not ticket.future.done():
            ticket.future.set_result(None)


class Front:
    """The ASGI application. `start` and `stop` are called with the server's lifespan."""

    def __init__(
        self,
        app: Flask,
        *doors: Entrance,
        start: Callable[[], None],
        stop: Callable[[], None],
        in_flight: InFlight | None = None,
    ) -> None:
        self._app = app
        self._doors = doors
        self._start = start
        self._stop = stop
        self._in_flight = in_flight or InFlight()
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="large-bodies")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        environ = make_environ(scope)
        request = self._in_flight.begin()
        try:
            status, headers, content = await self._answer(environ, request, receive)
        finally:
            self._in_flight.end(request)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, environ: dict[str, Any], request: Request, receive: Receive) -> Answer:
        for door in self._doors:
            head = door.head(environ)
            if head is not None:
                return await self._answer_at(door, head, environ, request, receive)
        return run_wsgi(self._app, environ)

    async def _answer_at(
        self, door: Entrance, head: Head, environ: dict[str, Any], request: Request, receive: Receive
    ) -> Answer:
        verdict = door.admit(head)
        if isinstance(verdict, Refused) and verdict.reason in NEWCOMERS and await self._looked_again(door):
            verdict = door.admit(head)
        if not isinstance(verdict, Refused) and (head.length or head.has_transfer_encoding):
            refused = await self._read(environ, request, receive, door.max_body)
            verdict = verdict.refuse(refused) if refused else verdict
        environ |= {HEAD: head, VERDICT: verdict}
        if isinstance(verdict, Refused):
            return run_wsgi(self._app, environ)
        return await self._take_in(environ, request, verdict, door.inline_bytes)

    async def _take_in(
        self, environ: dict[str, Any], request: Request, admitted: Admitted, inline_bytes: int
    ) -> Answer:
        """Runs the view, and holds its answer back until the webhook is durable."""
        loop = asyncio.get_running_loop()
        environ[MAKE_TICKET] = partial(LoopTicket, loop)
        if request.size > inline_bytes:
            answer = await loop.run_in_executor(self._beside, run_wsgi, self._app, environ)
        else:
            answer = run_wsgi(self._app, environ)
        ticket: LoopTicket | None = environ.get(TICKET)
        refused = await self._refused(ticket, request) if ticket else None
        if refused:
            environ[VERDICT] = admitted.refuse(refused)
            return run_wsgi(self._app, environ)
        return answer

    async def _refused(self, ticket: LoopTicket, request: Request) -> str | None:
        """Waits for the commit; the reason for a refusal if there was none in time."""
        self._in_flight.committing(request)
        try:
            await ticket.wait()
        except NotStored as error:
            return error.reason
        except asyncio.CancelledError as error:
            return _given_up(request, error)
        return None

    async def _looked_again(self, door: Entrance) -> bool:
        looking = door.look_again()
        if looking is None:
            return False
        await asyncio.wait({asyncio.wrap_future(looking)}, timeout=LOOK_SECONDS)
        return True

    async def _read(self, environ: dict[str, Any], request: Request, receive: Receive, max_body: int) -> str | None:
        """Reads the body into `environ`; the reason for a refusal if it can't be had."""
        parts: list[bytes] = []
        more = True
        self._in_flight.reading(request)
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return "incomplete"
                part = message.get("body", b"")
                parts.append(part)
                self._in_flight.grow(request, len(part))
                if request.refused or request.size > max_body:
                    return request.refused or "too_large"
                more = message.get("more_body", False)
        except asyncio.CancelledError as error:
            return _given_up(request, error)
        finally:
            self._in_flight.whole(request)
        environ["wsgi.input"] = io.BytesIO(b"".join(parts))
        return None

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self._start()
                except Exception as error:  # noqa: BLE001 - a server that serves without its threads is worse than none.
                    log.error("receiver cannot start", error=type(error).__name__)
                    await send({"type": "lifespan.startup.failed"})
                    return
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


def _given_up(request: Request, error: asyncio.CancelledError) -> str:
    """Why the request was given up; a cancellation that comes from elsewhere goes on."""
    if request.refused is None or request.task is None:
        raise error
    request.task.uncancel()
    return request.refused
