"""The client against real sockets: every way a connection can end."""

import gzip
import json
import os
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer

from shared.capi.answers import Answer, Verdict
from shared.transport import Exchange
from tests.integration.tls import make_certificate
from workers.capi import client as client_module
from workers.capi.client import GraphClient

TOKEN = "EAABsbCS1234ZCpQtoken"
EVENT = {"event_name": "LeadSubmitted", "user_data": {"ctwa_clid": "ARAkLmZ19xPqRs77uVwXyZ0123"}}
BODY = json.dumps({"data": [EVENT]}).encode()
PATH = "/v26.0/123/events"
RECEIPT = b'{"events_received":1}'


class Script:
    """A raw server on loopback: `serve` gets each connection; `requests` counts those that sent a whole head."""

    def __init__(self, serve: Callable[["Script", socket.socket], None]) -> None:
        self.connections = 0
        self.requests = 0
        self.released = threading.Event()
        script = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                script.connections += 1
                serve(script, self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that has gone is what these tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def read_request(self, connection: socket.socket) -> bool:
        """Read one request whole; False when the client has closed instead."""
        data = b""
        while b"\r\n\r\n" not in data or not data.endswith(BODY):
            part = connection.recv(65536)
            if not part:
                return False
            data += part
        self.requests += 1
        return True


@contextmanager
def serving(serve: Callable[[Script, socket.socket], None]) -> Iterator[Script]:
    script = Script(serve)
    thread = threading.Thread(target=script.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.released.set()
        script.server.shutdown()
        script.server.server_close()
        thread.join()


def reset(connection: socket.socket) -> None:
    """Close with RST rather than FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


def head(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode()


def post(url: str, **settings: Any) -> Answer:
    return GraphClient(url, "v26.0", **settings).post_events("123", TOKEN, BODY)


def trickle(connection: socket.socket, script: Script, start: bytes, drop: bytes) -> None:
    """Send `drop` every 50 ms: far within any read timeout, and without end."""
    connection.sendall(start)
    while not script.released.wait(0.05):
        connection.sendall(drop)


TRICKLES = {
    "status line": (b"HTTP/1.1 200 O", b"K"),
    "headers": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "body with a length": (head(RECEIPT, length=10**6), b" "),
    "body until closed": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
    "whole receipt that does not end": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + RECEIPT, b" "),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@pytest.mark.parametrize("part", TRICKLES)
def test_a_server_that_trickles_is_ended_by_the_clock(part: str) -> None:
    def serve(script: Script, connection: socket.socket) -> None:
        script.read_request(connection)
        trickle(connection, script, *TRICKLES[part])

    with serving(serve) as script:
        started = time.monotonic()
        answer = post(script.url, deadline=1)
        took = time.monotonic() - started
    assert answer.verdict is Verdict.UNKNOWN
    assert 0.9 < took < 5
    assert script.requests == 1


def test_silence_ends_at_the_read_timeout() -> None:
    def serve(script: Script, connection: socket.socket) -> None:
        script.read_request(connection)
        script.released.wait(10)

    with serving(serve) as script:
        started = time.monotonic()
        answer = post(script.url, read_timeout=0.3)
    assert time.monotonic() - started < 5
    assert (answer.verdict, answer.reason, answer.message) == (Verdict.UNKNOWN, "no_answer", "ReadTimeout")


CUTS = {
    "closed before the head was read": lambda script, connection: connection.close(),
    # Not before something has come: a reset may otherwise meet the client while it still connects.
    "reset before the head was read": lambda script, connection: (
        connection.recv(1, socket.MSG_PEEK) and reset(connection)
    ),
    "closed without an answer": lambda script, connection: script.read_request(connection) and connection.close(),
    "reset without an answer": lambda script, connection: script.read_request(connection) and reset(connection),
    "not HTTP": lambda script, connection: script.read_request(connection) and connection.sendall(b"HELLO\r\n\r\n"),
    "half a head": lambda script, connection: script.read_request(connection) and connection.sendall(b"HTTP/1.1 2"),
    "half a body": lambda script, connection: (
        script.read_request(connection) and connection.sendall(head(RECEIPT, length=500) + RECEIPT)
    ),
    "receipt, then garbage": lambda script, connection: (
        script.read_request(connection) and connection.sendall(head(RECEIPT + b"x") + RECEIPT + b"x")
    ),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_connection_that_ends_after_bytes_left_is_unknown(cut: str) -> None:
    with serving(CUTS[cut]) as script:
        answer = post(script.url)
    assert answer.verdict is Verdict.UNKNOWN
    assert script.connections == 1


def test_half_of_an_error_answer_is_still_a_refusal_and_took_nothing() -> None:
    def serve(script: Script, connection: socket.socket) -> None:
        script.read_request(connection)
        connection.sendall(head(b"", "400 Bad Request", length=500) + b'{"error":{"code":100')

    with serving(serve) as script:
        assert post(script.url).verdict is Verdict.RETRY


def test_an_answer_over_the_limit_is_no_receipt_and_is_not_read_on(httpserver: HTTPServer) -> None:
    padding = b" " * 300_000
    httpserver.expect_request(PATH).respond_with_data(RECEIPT + padding)
    assert post(httpserver.url_for("")).verdict is Verdict.UNKNOWN
    assert post(httpserver.url_for(""), max_answer_bytes=400_000).verdict is Verdict.ACCEPTED


def test_a_compressed_bomb_is_cut_at_the_limit(httpserver: HTTPServer) -> None:
    bomb = gzip.compress(RECEIPT + b" " * 50_000_000)
    httpserver.expect_request(PATH).respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    assert post(httpserver.url_for("")).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request(PATH).respond_with_data("", status=status, headers={"Location": "/elsewhere"})
    answer = post(httpserver.url_for(""))
    assert (answer.verdict, answer.reason) == (Verdict.RETRY, "redirected")
    assert [request.path for request, _ in httpserver.log] == [PATH]


def test_a_refused_connection_sent_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}").verdict is Verdict.NOT_SENT


def test_an_unknown_host_name_sent_nothing() -> None:
    assert post("https://graph.invalid", allow_any_host=True).verdict is Verdict.NOT_SENT


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "server.pem", "IP:127.0.0.1")


@contextmanager
def tls_server(certificate: Path, body: bytes = RECEIPT) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(ssl_context=context) as server:
        server.expect_request(PATH).respond_with_data(body)
        yield server


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(certificate: Path) -> None:
    with tls_server(certificate) as server:
        answer = post(f"https://127.0.0.1:{server.port}")
        assert (answer.verdict, answer.message) == (Verdict.NOT_SENT, "SSLError")
        assert server.log == []


def trusting(certificate: Path) -> requests.Session:
    session = requests.Session()
    session.verify = str(certificate)
    return session


def test_a_certificate_for_another_name_is_refused_and_a_good_one_is_used(certificate: Path) -> None:
    with tls_server(certificate) as server:
        wrong_name = post(f"https://localhost:{server.port}", session=trusting(certificate))
        assert wrong_name.verdict is Verdict.NOT_SENT
        good = post(f"https://127.0.0.1:{server.port}", session=trusting(certificate))
        assert good.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("end", [reset, socket.socket.close])
def test_a_connection_lost_in_the_tls_handshake_sent_nothing(end: Callable[[socket.socket], None]) -> None:
    def serve(script: Script, connection: socket.socket) -> None:
        connection.recv(100)
        end(connection)

    with serving(serve) as script:
        assert post(script.url.replace("http:", "https:")).verdict is Verdict.NOT_SENT


def test_a_silent_tls_handshake_sent_nothing() -> None:
    with serving(lambda script, connection: script.released.wait(10) and None) as script:
        answer = post(script.url.replace("http:", "https:"), connect_timeout=0.2)
    assert answer.verdict is Verdict.NOT_SENT


def test_a_trickle_over_tls_is_ended_by_the_clock(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(script: Script, connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            script.read_request(secured)
            trickle(secured, script, head(RECEIPT, length=10**6), b" ")

    with serving(serve) as script:
        started = time.monotonic()
        url = script.url.replace("http:", "https:")
        answer = post(url, session=trusting(certificate), deadline=1)
    assert answer.verdict is Verdict.UNKNOWN
    assert time.monotonic() - started < 5


def test_nothing_is_sent_when_connecting_took_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(script: Script, connection: socket.socket) -> None:
        if script.read_request(connection):
            connection.sendall(head(RECEIPT) + RECEIPT)

    resolve = socket.getaddrinfo

    def slow_names(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.4)  # a resolver that hangs is the very thing under test
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow_names)
    with serving(serve) as script:
        answer = post(script.url, deadline=0.6)
    assert answer.verdict is Verdict.NOT_SENT
    assert script.requests == 0


def keep_serving(script: Script, connection: socket.socket) -> None:
    while script.read_request(connection):
        connection.sendall(head(RECEIPT) + RECEIPT)


def test_a_connection_is_kept_and_used_again() -> None:
    with serving(keep_serving) as script:
        client = GraphClient(script.url, "v26.0")
        for _ in range(3):
            assert client.post_events("123", TOKEN, BODY).verdict is Verdict.ACCEPTED
        assert (script.connections, script.requests) == (1, 3)


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LONGEST_IDLE_SECONDS", -1)
    with serving(keep_serving) as script:
        client = GraphClient(script.url, "v26.0")
        for _ in range(2):
            assert client.post_events("123", TOKEN, BODY).verdict is Verdict.ACCEPTED
        assert script.connections == 2


def test_a_kept_connection_that_the_server_has_closed_is_replaced() -> None:
    def serve_once(script: Script, connection: socket.socket) -> None:
        if script.read_request(connection):
            connection.sendall(head(RECEIPT) + RECEIPT)

    with serving(serve_once) as script:
        client = GraphClient(script.url, "v26.0")
        assert client.post_events("123", TOKEN, BODY).verdict is Verdict.ACCEPTED
        # The close must have arrived; the client then sees it before it uses the connection.
        deadline = time.monotonic() + 5
        while not _is_closed_by_the_server(client) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert client.post_events("123", TOKEN, BODY).verdict is Verdict.ACCEPTED
        assert script.connections == 2


def _is_closed_by_the_server(client: GraphClient) -> bool:
    session = client._sessions.session
    assert session is not None
    pool = session.get_adapter("http://").poolmanager.connection_from_url(client._root)
    kept = [connection for connection in list(pool.pool.queue) if connection]
    return all(not connection.is_connected for connection in kept)


def test_a_reset_on_a_kept_connection_is_unknown_for_the_server_may_have_read_the_request() -> None:
    def serve(script: Script, connection: socket.socket) -> None:
        if script.read_request(connection):
            connection.sendall(head(RECEIPT) + RECEIPT)
        if script.read_request(connection):
            reset(connection)

    with serving(serve) as script:
        client = GraphClient(script.url, "v26.0")
        assert client.post_events("123", TOKEN, BODY).verdict is Verdict.ACCEPTED
        assert client.post_events("123", TOKEN, BODY).verdict is Verdict.UNKNOWN
        assert (script.connections, script.requests) == (1, 2)


def test_every_thread_has_its_own_connection() -> None:
    answers: list[Answer] = []
    together = threading.Barrier(3, timeout=10)

    def serve(script: Script, connection: socket.socket) -> None:
        if script.read_request(connection):
            together.wait()
            connection.sendall(head(RECEIPT) + RECEIPT)

    with serving(serve) as script:
        client = GraphClient(script.url, "v26.0")
        threads = [
            threading.Thread(target=lambda: answers.append(client.post_events("123", TOKEN, BODY))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [answer.verdict for answer in answers] == [Verdict.ACCEPTED] * 3
    assert script.connections == 3


def test_the_deadline_of_one_request_never_cuts_the_next() -> None:
    ours, servers = socket.socketpair()
    with ours, servers:
        with Exchange(60).running() as exchange:
            exchange.connecting()
            exchange.about_to_send(ours)
        exchange._cut()  # as the watchdog does when it fires just as the answer is done
        ours.sendall(b"next")
        assert servers.recv(4) == b"next"
        assert not exchange.is_expired


def test_proxies_of_the_environment_are_not_used(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request(PATH).respond_with_data(RECEIPT)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert post(httpserver.url_for("")).verdict is Verdict.ACCEPTED
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_netrc_and_cookies_play_no_part(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    httpserver.expect_request(PATH).respond_with_data(RECEIPT, headers={"Set-Cookie": "a=b"})
    client = GraphClient(httpserver.url_for(""), "v26.0")
    for _ in range(2):
        client.post_events("123", TOKEN, BODY)
    for request, _ in httpserver.log:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert "Cookie" not in request.headers


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the test's server is a thread
def test_a_forked_child_does_not_use_its_parent_s_connection() -> None:
    with serving(keep_serving) as script:
        client = GraphClient(script.url, "v26.0")
        assert client.post_events("123", TOKEN, BODY).verdict is Verdict.ACCEPTED
        pid = os.fork()
        if pid == 0:
            accepted = False
            try:
                accepted = client.post_events("123", TOKEN, BODY).verdict is Verdict.ACCEPTED
            finally:
                os._exit(0 if accepted else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert client.post_events("123", TOKEN, BODY).verdict is Verdict.ACCEPTED
        assert (script.connections, script.requests) == (2, 3)
