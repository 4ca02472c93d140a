"""Senders of half a request, or of one byte at a time, take nothing from the others."""

import contextlib
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.receiver.harness import META, Receiver, World, request_head, running

#: The wall clock for a body (inflight.BODY_SECONDS) and some slack.
GIVEN_UP_SECONDS = 25


@contextlib.contextmanager
def opened(receiver: Receiver, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """That many connections on which these bytes were sent, and no more."""
    sockets = [socket.create_connection(("127.0.0.1", receiver.port), timeout=5) for _ in range(count)]
    try:
        for one in sockets:
            one.sendall(sent)
        yield sockets
    finally:
        for one in sockets:
            one.close()


def seconds_of_others(receiver: Receiver, count: int = 30) -> list[float]:
    """How long whole requests take meanwhile."""
    taken = []
    for number in range(count):
        began = time.monotonic()
        assert receiver.post(b"whole %d" % number).status_code == 200
        taken.append(time.monotonic() - began)
    return taken


HALVES = {
    "half a body": request_head(1000, key=META) + b"x" * 500,
    "no body": request_head(1000, key=META),
    "half a large body": request_head(2_000_000, key=META) + b"x" * 1_000_000,
    "half a head": b"POST /webhooks/x HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "nothing": b"",
}


@pytest.mark.parametrize("count", [12, 100, 400])
@pytest.mark.parametrize("half", ["half a body", "half a head"])
def test_others_are_served_while_many_send_half(receiver: Receiver, half: str, count: int) -> None:
    with opened(receiver, count, HALVES[half]):
        taken = seconds_of_others(receiver)
    assert statistics.median(taken) < 0.25
    assert max(taken) < 2


@pytest.mark.parametrize("half", ["no body", "nothing"])
def test_others_are_served_while_many_say_nothing(receiver: Receiver, half: str) -> None:
    with opened(receiver, 200, HALVES[half]):
        assert max(seconds_of_others(receiver)) < 2


def test_halves_of_large_bodies_leave_memory_for_the_others(world: World) -> None:
    with running(world) as receiver:
        with opened(receiver, 150, HALVES["half a large body"]):
            taken = seconds_of_others(receiver)
            assert max(taken) < 2
            assert _resident_bytes(receiver) < 300 * 1024 * 1024
        assert '"reason": "memory"' in receiver.output()


def test_one_byte_at_a_time_is_given_up_in_the_end(receiver: Receiver) -> None:
    with opened(receiver, 20, HALVES["half a body"]) as sockets:
        deadline = time.monotonic() + GIVEN_UP_SECONDS
        waiting = set(sockets)
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} are still being waited for"
            for one in list(waiting):
                with contextlib.suppress(OSError):
                    one.sendall(b"y")
                if _answered(one):
                    waiting.discard(one)
            time.sleep(0.5)
    assert '"reason": "slow"' in receiver.output()
    assert seconds_of_others(receiver)


def test_a_sender_that_hangs_up_half_way_is_not_stored(receiver: Receiver, shared_world: World) -> None:
    with opened(receiver, 50, HALVES["half a body"]):
        pass
    with opened(receiver, 50, request_head(10, body=b"") + b"cut off"):
        pass
    assert seconds_of_others(receiver, 5)
    assert b"cut off" not in shared_world.stored()


def _answered(one: socket.socket) -> bool:
    one.settimeout(0.01)
    try:
        answer = one.recv(200)
    except TimeoutError:
        return False
    except OSError:
        return True
    assert not answer or answer.startswith(b"HTTP/1.1 408")
    return True


def _resident_bytes(receiver: Receiver) -> int:
    """Of the largest worker."""
    return max(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in receiver.workers())
