"""The proxy does to a connection what it says: a fault that isn't made proves nothing."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.local.ports import Ports
from tests.faults.proxy import PASS, Link, Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(1024):
                    connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.fixture
def proxy(echo: int, tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(Ports(tmp_path).pick("proxy"), echo) as made:
        yield made


def _ask(proxy: Proxy, data: bytes = b"hello", seconds: float = 5.0) -> bytes:
    """What comes back, until as much came as was sent or the connection ends."""
    answer = b""
    with socket.create_connection(("127.0.0.1", proxy.port), seconds) as connection:
        connection.settimeout(seconds)
        connection.sendall(data)
        while len(answer) < len(data) and (part := connection.recv(1024)):
            answer += part
    return answer


def test_it_passes_everything_on(proxy: Proxy) -> None:
    assert _ask(proxy) == b"hello"
    assert proxy.struck == 0


def test_a_refusing_link_resets_what_is_open_and_refuses_what_comes(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        proxy.set(Link(refuse=True))
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        _ask(proxy)
    proxy.set(PASS)
    assert _ask(proxy) == b"hello"


def test_a_frozen_link_holds_everything_back_and_loses_nothing(proxy: Proxy) -> None:
    proxy.set(Link(frozen=True))
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as connection:
        connection.sendall(b"later")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        proxy.set(PASS)
        connection.settimeout(5)
        assert connection.recv(5) == b"later"
    assert proxy.struck


def test_an_answer_can_be_cut_before_any_of_it_goes_out(proxy: Proxy) -> None:
    proxy.set(Link(reset_after=0))
    with pytest.raises(ConnectionResetError):
        _ask(proxy)
    assert proxy.struck


def test_an_answer_can_end_early(proxy: Proxy) -> None:
    proxy.set(Link(half_close=True))
    assert _ask(proxy) == b""


def test_an_answer_can_be_slow(proxy: Proxy) -> None:
    proxy.set(Link(bytes_per_second=2))
    began = time.monotonic()
    assert _ask(proxy, b"four") == b"four"
    assert time.monotonic() - began >= 2
