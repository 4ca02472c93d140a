"""A transport for `requests` that knows whether bytes have left, and that ends at a wall-clock deadline.

The timeouts of `requests` count per read: a server that trickles one byte a second holds a request for ever.
And its exceptions do not tell reliably whether the request had begun to leave: a reset looks the same in the
TLS handshake and after the body. Both are known only to the connection, so these are urllib3's own
connections with three additions: they note when the first byte is about to be written, they refuse to write
late, and a watchdog shuts their socket.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import requests.adapters
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Exchange:
    """One request and its answer: its deadline, and how far it has come."""

    def __init__(self, seconds: float) -> None:
        """Start the clock: the exchange ends `seconds` from now."""
        now = time.monotonic()
        # A request that takes half its time to connect is not begun: the answer would likely be lost.
        self._send_until = now + seconds / 2
        self._lock = threading.Lock()
        self._has_connection = False
        self._sock: socket.socket | None = None
        self._connected: socket.socket | None = None
        self._is_over = False
        self._watchdog = threading.Timer(seconds, self._cut)
        self._watchdog.daemon = True
        self.is_expired = False
        self.has_begun_to_send = False

    def connecting(self) -> None:
        """Note that one of this module's connections is in use."""
        self._has_connection = True

    def connected(self, sock: socket.socket) -> None:
        """Note the socket before TLS is agreed on, for a server may trickle in the handshake, too. TimeoutError when
        the time is over already."""
        with self._lock:
            if self.is_expired:
                raise TimeoutError("connecting took too long")
            # A duplicate, since wrapping a socket in TLS takes its descriptor away.
            self._connected = sock.dup()

    def about_to_send(self, sock: socket.socket) -> None:
        """Note that bytes leave from here on. TimeoutError when it is too late to begin."""
        # Kept here because http.client forgets the socket of an answer that ends by closing.
        self._sock = sock
        if time.monotonic() > self._send_until:
            raise TimeoutError("connecting took too long")
        self.has_begun_to_send = True

    @property
    def surely_not_sent(self) -> bool:
        """True when our own connection was in use and wrote nothing. A foreign transport proves nothing."""
        return self._has_connection and not self.has_begun_to_send

    @contextlib.contextmanager
    def running(self) -> Iterator["Exchange"]:
        """Make this the thread's exchange, under the watchdog, until the block ends."""
        _current.exchange = self
        self._watchdog.start()
        try:
            yield self
        finally:
            with self._lock:
                self._is_over = True
                if self._connected is not None:
                    self._connected.close()
            self._watchdog.cancel()
            _current.exchange = None

    def _cut(self) -> None:
        """End a read that blocks in another thread. Under the lock, lest it hit a later request's socket."""
        with self._lock:
            if self._is_over:
                return
            self.is_expired = True
            for sock in (self._sock, self._connected):
                if sock is not None:
                    with contextlib.suppress(OSError):
                        # Not SSLSocket.shutdown, which tears down TLS state that the reading thread uses.
                        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Current(threading.local):
    exchange: Exchange | None = None


_current = _Current()


class _Noting:
    """What both kinds of connection do more than urllib3's."""

    sock: Any

    def connect(self) -> None:
        if _current.exchange:
            _current.exchange.connecting()
        super().connect()  # type: ignore[misc]

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        if _current.exchange:
            _current.exchange.connected(sock)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        if _current.exchange:
            _current.exchange.connecting()
            _current.exchange.about_to_send(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]


class _PlainConnection(_Noting, HTTPConnection):
    pass


class _TlsConnection(_Noting, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class ExchangeAdapter(requests.adapters.HTTPAdapter):
    """One kept connection, no retries: a request to Meta that is repeated would be counted twice."""

    def __init__(self) -> None:
        """Keep one connection per host."""
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use the connections of this module."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
