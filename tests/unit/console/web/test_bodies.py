"""Bodies under way: fewer than threads, fewer yet of one network, and whoever only looks is let through."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

from console.web.bodies import AT_ONCE, OF_ONE_NETWORK, Bodies
from console.web.runtime import MOST_OF_ONE
from console.web.server import THREADS

HERE, THERE = "192.0.2.7", "198.51.100.7"


class SlowInput:
    """A body whose second half comes when the test says."""

    def __init__(self, begun: Semaphore, rest: Event) -> None:
        self._parts: list[Callable[[], bytes]] = [lambda: b"half ", self._wait]
        self._begun, self._rest = begun, rest

    def _wait(self) -> bytes:
        self._begun.release()
        assert self._rest.wait(60)
        return b"more"

    def read(self, size: int = 9) -> bytes:
        assert size >= 4
        return self._parts.pop(0)() if self._parts else b""


def app(environ, start_response):
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


def ask(bodies, source, address, method="POST", path="/login", **more):
    said = []
    environ = {"REQUEST_METHOD": method, "REMOTE_ADDR": address, "PATH_INFO": path, "wsgi.input": source, **more}
    body = b"".join(bodies(environ, lambda status, headers: said.append(status)))
    return said[0][:3], body


def test_bodies_that_never_end_leave_threads_for_everybody_else():
    assert OF_ONE_NETWORK < AT_ONCE < THREADS
    assert MOST_OF_ONE < THREADS
    bodies, begun, rest = Bodies(app), Semaphore(0), Event()
    length = {"CONTENT_LENGTH": "9"}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        addresses = [HERE] * OF_ONE_NETWORK + [THERE] * (AT_ONCE - OF_ONE_NETWORK)
        stuck = [threads.submit(ask, bodies, SlowInput(begun, rest), address, **length) for address in addresses]
        for _ in stuck:
            assert begun.acquire(timeout=60)
        try:
            for address, path in ((HERE, "/login"), (THERE, "/login"), ("203.0.113.1", "/api/v1/spend")):
                status, body = ask(bodies, None, address, path=path, **length)
                assert (status, b"Try again" in body) == ("503", True)
        finally:
            rest.set()
        assert [one.result() for one in stuck] == [("200", b"half more")] * AT_ONCE
    assert ask(bodies, SlowInput(begun, rest), HERE, HTTP_TRANSFER_ENCODING="chunked") == ("200", b"half more")


def test_one_network_leaves_room_for_another_and_whoever_only_looks_needs_none():
    bodies, begun, rest = Bodies(app), Semaphore(0), Event()
    with ThreadPoolExecutor(OF_ONE_NETWORK) as threads:
        for _ in range(OF_ONE_NETWORK):
            threads.submit(ask, bodies, SlowInput(begun, rest), HERE, CONTENT_LENGTH="9")
            assert begun.acquire(timeout=60)
        try:
            free = Event()
            free.set()
            assert ask(bodies, SlowInput(begun, free), HERE, CONTENT_LENGTH="9")[0] == "503"
            assert ask(bodies, SlowInput(begun, free), THERE, CONTENT_LENGTH="9") == ("200", b"half more")
            assert ask(bodies, SlowInput(begun, free), HERE, method="GET")[0] == "200"
            assert ask(bodies, SlowInput(begun, free), HERE, CONTENT_LENGTH=str(10**9))[0] == "200", "the view refuses"
        finally:
            rest.set()
