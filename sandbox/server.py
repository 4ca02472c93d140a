"""The HTTP server: Werkzeug's threaded one, with keep-alive and a way for a fault to reach the socket.

Werkzeug's own handler closes every connection after one answer, because it cannot tell where a body that
nobody read ends. This one counts the body, so it can drain the rest and keep the connection.
"""

import threading
from collections.abc import Callable
from socket import socket
from typing import IO, Any, Self, cast

from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wsgi import LimitedStream

from sandbox.app import create_app
from sandbox.delivery import DELIVERY
from sandbox.state import State

IDLE_SECONDS = 75.0
DRAIN_AT_MOST = 64 * 1024 * 1024


class Handler(WSGIRequestHandler):
    """One connection: many calls, no log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def run_wsgi(self) -> None:
        """Serve one call: run the application to its end, then send, then drain what it left unread."""
        self.environ = environ = self.make_environ()
        if not environ.get("wsgi.input_terminated"):
            length = environ.get("CONTENT_LENGTH") or "0"
            if not (length.isascii() and length.isdigit()):
                self.send_error(400)
                return
            environ["wsgi.input"] = LimitedStream(cast(IO[bytes], self.rfile), int(length))
            environ["wsgi.input_terminated"] = True
        status, headers, body = self._answer(environ)
        deliver: Callable[[socket, bytes, bytes], bool] = environ.get(DELIVERY, _whole)
        head = self._head(status, headers)
        try:
            stays = deliver(self.connection, head, b"" if self.command == "HEAD" else body)
        except OSError:
            stays = False
        if not (stays and self._drained(environ["wsgi.input"])):
            self.close_connection = True

    def _answer(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
            started[:] = [status, headers]
            return lambda _data: None

        parts = self.server.app(environ, start_response)
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        return started[0], started[1], body

    def _head(self, status: str, headers: list[tuple[str, str]]) -> bytes:
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        lines += [f"Date: {self.date_time_string()}", "Connection: close" if self.close_connection else ""]
        return ("\r\n".join(filter(None, lines)) + "\r\n\r\n").encode("latin-1")

    def _drained(self, body: Any) -> bool:
        """Read and drop what is left of the body; False where that is too much, or the caller has gone."""
        left = DRAIN_AT_MOST
        try:
            while left > 0 and (chunk := body.read(64 * 1024)):
                left -= len(chunk)
        except (OSError, ValueError, HTTPException):
            return False
        return left > 0

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  Werkzeug's name
        """Nothing is logged: a path may carry a token."""


def _whole(sock: socket, head: bytes, body: bytes) -> bool:
    sock.sendall(head + body)
    return True


class Sandbox:
    """A running sandbox, in a thread of this process; also a context manager.

    `port` 0 takes a free one: `url` says which.
    """

    def __init__(self, state: State, host: str = "127.0.0.1", port: int = 0) -> None:
        self.state = state
        self._server: BaseWSGIServer = make_server(
            host, port, create_app(state), threaded=True, request_handler=Handler
        )
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.port}"

    def serve(self) -> None:
        """Serve until `stop` is called from another thread."""
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Stop serving, release every hanging call, close the record."""
        self.state.stopping.set()
        self.state.board.delete()
        self._server.shutdown()
        self.state.store.close()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve, name="sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join()
