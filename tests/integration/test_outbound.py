"""The guarded client against real sockets: what must not be reached is not even knocked at."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests.adapters
from pytest_httpserver import HTTPServer

from shared import outbound
from shared.outbound import MAX_ANSWER_BYTES, Reply, post
from tests.integration.tls import make_certificate

NAME = "hooks.example.test"


class Canary:
    """A listener on loopback that nobody may reach."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.socket = socket.create_server((address, port))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]

    @property
    def hits(self) -> int:
        try:
            self.socket.accept()[0].close()
        except BlockingIOError:
            return 0
        return 1


@pytest.fixture
def canary() -> Iterator[Canary]:
    one = Canary()
    yield one
    one.socket.close()


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Gives a name these answers, one more look-up each; returns the list of names that were looked up."""
    real = socket.getaddrinfo

    def set_up(*answers: list[str]) -> list[str]:
        left, asked = list(answers), []

        def getaddrinfo(host: str, port: object, *args: object, **kwargs: object) -> object:
            if host != NAME:
                return real(host, port, *args, **kwargs)  # type: ignore[arg-type]
            asked.append(host)
            addresses = left.pop(0) if len(left) > 1 else left[0]
            return [row for address in addresses for row in real(address, port, *args, **kwargs)]  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return set_up


def send(url: str, *, allow_private: bool = True, **changes: float) -> Reply:
    return post(url, b'{"a":1}', headers={"Content-Type": "application/json"}, allow_private=allow_private, **changes)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", NAME]
)
def test_no_spelling_of_a_private_address_is_knocked_at(
    canary: Canary, resolver: Callable[..., list[str]], host: str
) -> None:
    resolver(["127.0.0.1"])
    assert send(f"https://{host}:{canary.port}/x", allow_private=False).problem == "address_refused"
    assert canary.hits == 0


def test_a_private_address_is_reached_when_it_is_expressly_allowed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("taken", status=202)
    assert send(httpserver.url_for("/hook?a=b")) == Reply(status=202, body=b"taken")
    request, _ = httpserver.log[0]
    assert (request.data, request.query_string) == (b'{"a":1}', b"a=b")
    assert request.headers["Host"] == f"{httpserver.host}:{httpserver.port}"


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"])
def test_metadata_addresses_are_out_of_reach_even_where_private_ones_are_allowed(
    resolver: Callable[..., list[str]], address: str
) -> None:
    resolver([address])
    assert send(f"http://{NAME}/latest/meta-data/").problem == "address_refused"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "canary"])
def test_no_redirect_is_followed(httpserver: HTTPServer, canary: Canary, status: int, target: str) -> None:
    location = f"http://127.0.0.1:{canary.port}/" if target == "canary" else target
    httpserver.expect_request("/").respond_with_data("", status=status, headers={"Location": location})
    reply = send(httpserver.url_for("/"))
    assert (reply.status, reply.problem) == (status, f"answered_{status}")
    assert canary.hits == 0
    assert len(httpserver.log) == 1


def test_a_name_that_answers_otherwise_the_second_time_gains_nothing(
    httpserver: HTTPServer, resolver: Callable[..., list[str]]
) -> None:
    rebound = Canary("127.0.0.2", httpserver.port)
    try:
        asked = resolver(["127.0.0.1"], ["127.0.0.2"])
        httpserver.expect_request("/").respond_with_data("ok")
        assert send(f"http://{NAME}:{httpserver.port}/").status == 200
        assert asked == [NAME]
        assert rebound.hits == 0
        assert httpserver.log[0][0].headers["Host"] == f"{NAME}:{httpserver.port}"
    finally:
        rebound.socket.close()


def test_of_a_name_with_good_and_bad_addresses_only_the_good_ones_are_tried(
    canary: Canary, resolver: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "is_permitted", lambda address, **_: str(address) == "127.0.0.3")
    resolver(["127.0.0.1", "127.0.0.3"])
    assert send(f"https://{NAME}:{canary.port}/").problem == "connection_failed"
    assert canary.hits == 0


def test_the_next_address_is_tried_when_nothing_was_sent_to_the_first(
    httpserver: HTTPServer, resolver: Callable[..., list[str]]
) -> None:
    resolver(["127.0.0.9", "127.0.0.1"])
    httpserver.expect_request("/").respond_with_data("ok")
    assert send(f"http://{NAME}:{httpserver.port}/").status == 200


def test_proxies_of_the_environment_are_not_used(
    httpserver: HTTPServer, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    httpserver.expect_request("/").respond_with_data("ok")
    assert send(httpserver.url_for("/")).status == 200
    assert canary.hits == 0


def test_a_long_answer_is_cut(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data(b"x" * (MAX_ANSWER_BYTES + 5))
    assert send(httpserver.url_for("/")).body == b"x" * MAX_ANSWER_BYTES


def test_a_name_that_nobody_knows_is_told_and_one_that_takes_too_long_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert send(f"https://{NAME}/").problem == "name_unknown"
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30) and [])
    assert send(f"https://{NAME}/", seconds=0.2).problem == "timed_out"
    released.set()


@contextmanager
def serving(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A raw server on loopback; its port. The event is set when it is to end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            connection, _ = server.accept()
            with connection:
                serve(connection, over)

        thread = threading.Thread(target=run)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()


def trickle(connection: socket.socket, over: threading.Event) -> None:
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not over.wait(0.05):
            connection.sendall(b"x")
    except OSError:
        """The other side has gone, as it should."""


def trickle_in_the_handshake(connection: socket.socket, over: threading.Event) -> None:
    try:
        # A handshake record of 16 kB that never ends.
        connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
        while not over.wait(0.05):
            connection.sendall(b"\x00")
    except OSError:
        """The other side has gone, as it should."""


@pytest.mark.parametrize(("scheme", "serve"), [("http", trickle), ("https", trickle_in_the_handshake)])
def test_a_server_that_trickles_is_ended_by_the_clock(
    scheme: str, serve: Callable[[socket.socket, threading.Event], None]
) -> None:
    with serving(serve) as port:
        assert send(f"{scheme}://127.0.0.1:{port}/", seconds=1).problem == "timed_out"


def test_a_connection_that_is_cut_before_an_answer_is_told_from_one_that_never_was() -> None:
    with serving(lambda connection, over: connection.recv(10) and None) as port:
        assert send(f"http://127.0.0.1:{port}/").problem == "no_reply"
    assert send(f"http://127.0.0.1:{port}/").problem == "connection_failed"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for NAME that signs itself, and its key, in one file."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "server.pem", f"DNS:{NAME}")


def test_tls_asks_for_the_names_own_certificate_although_the_address_is_pinned(
    certificate: Path, resolver: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver(["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = HTTPServer(ssl_context=context)
    server.expect_request("/").respond_with_data("ok")
    server.start()
    try:
        assert send(f"https://{NAME}:{server.port}/").problem == "tls_failed"
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(certificate))
        assert send(f"https://{NAME}:{server.port}/").status == 200
        assert send(f"https://127.0.0.1:{server.port}/").problem == "tls_failed"
    finally:
        server.stop()
