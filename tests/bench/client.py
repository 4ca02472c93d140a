"""A load generator: many connections in one thread, exact latencies, and nothing to install.

It costs some 30 µs a request, on every variant alike. `Load.cpu` says what it took: one sees when it is the limit.
"""

import itertools
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.bench.harness import percentile

_GRACE_SECONDS = 10.0


@dataclass
class Load:
    """What came of one run. Latencies are in seconds, of answers with 200 alone."""

    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return percentile(self.latencies, share) * 1000


class Refused(Exception):
    """A webhook was not answered with 200, so the run says nothing."""


def post_all(
    port: int,
    requests: Iterable[bytes],
    *,
    connections: int,
    seconds: float = 600.0,
    rate: float | None = None,
) -> Load:
    """Posts `requests` until they or `seconds` are over; raises Refused unless all are answered with 200.

    Without a `rate` each connection posts as soon as it is answered. With one, a request is due every 1/rate seconds
    whatever became of those before, and its latency counts from then if it had to wait for a connection.
    """
    return _Run(port, iter(requests), connections, seconds, rate).run()


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0
        self.answer = b""

    def send(self, request: bytes, began: float) -> None:
        self.began = began
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status, once the answer is whole."""
        part = self.socket.recv(65536)
        if not part:
            raise Refused("the connection was closed")
        self.answer += part
        head, found, body = self.answer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return None
        self.answer = b""
        return int(head[9:12])


class _Run:
    def __init__(
        self, port: int, requests: Iterator[bytes], connections: int, seconds: float, rate: float | None
    ) -> None:
        self._requests = requests
        self._seconds = seconds
        self._rate = rate
        self._load = Load()
        self._all = {one.socket.fileno(): one for one in (_Connection(port) for _ in range(connections))}
        self._free = deque(self._all.values())
        self._busy = 0

    def run(self) -> Load:
        poll = select.epoll()
        for number in self._all:
            poll.register(number, select.EPOLLIN)
        began, cpu = time.perf_counter(), time.process_time()
        try:
            self._go(poll, began)
        finally:
            poll.close()
            for one in self._all.values():
                one.socket.close()
        self._load.seconds = time.perf_counter() - began
        self._load.cpu = time.process_time() - cpu
        if set(self._load.answers) - {"200"}:
            raise Refused(f"answers: {dict(self._load.answers)}")
        return self._load

    def _go(self, poll: select.epoll, began: float) -> None:
        ends = began + self._seconds
        due = self._due_times(began)
        next_due: float | None = next(due)
        while next_due is not None or self._busy:
            now = time.perf_counter()
            if now > ends + _GRACE_SECONDS:
                raise Refused(f"{self._busy} requests were not answered within {_GRACE_SECONDS:.0f} s of the end")
            while self._free and next_due is not None and next_due <= now:
                request = next(self._requests, None) if now < ends else None
                if request is None:
                    next_due = None
                    break
                self._busy += 1
                late = self._rate is not None and now - next_due > 0.002
                self._free.popleft().send(request, next_due if late else time.perf_counter())
                next_due = next(due)
            wait = 0.1 if next_due is None or not self._free else max(0.0, min(0.1, next_due - now))
            for number, _ in poll.poll(wait):
                self._take(self._all[number])

    def _due_times(self, began: float) -> Iterator[float]:
        if self._rate is None:
            return itertools.repeat(began)
        return (began + number / self._rate for number in itertools.count())

    def _take(self, one: _Connection) -> None:
        status = one.receive()
        if status is None:
            return
        self._busy -= 1
        self._free.append(one)
        self._load.answers[str(status)] += 1
        if status == 200:
            self._load.latencies.append(time.perf_counter() - one.began)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
