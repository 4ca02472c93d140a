"""The ASGI front, given messages as a server would."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from receiver.asgi import Front
from receiver.inbox import Inbox
from receiver.inflight import InFlight
from receiver.webhooks import Door
from tests.unit.receiver.makers import KEY, TOKEN, FakeInbox, FakePostgres, app, channel, door

URL = f"/webhooks/{KEY}"
GOOD = {"x-webhook-secret": TOKEN}
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Exchange:
    """One request and its answer. A body of None never comes; a list comes in parts; "gone" hangs up."""

    def __init__(
        self,
        *parts: bytes | str | None,
        path: str = URL,
        method: str = "POST",
        headers: Mapping[str, str] = GOOD,
        length: int | None = -1,
    ) -> None:
        self.parts = list(parts)
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.reads = 0
        if length == -1:
            length = sum(len(part) for part in parts if isinstance(part, bytes))
        framing = {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "http_version": "1.1",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "client": ("203.0.113.9", 4711),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in {**headers, **framing}.items()],
        }

    async def receive(self) -> dict[str, Any]:
        self.reads += 1
        part = self.parts.pop(0) if self.parts else b""
        if part is None:
            await asyncio.Event().wait()
        if part == "gone":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(self.parts)}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]


def front(door: Door, **limits: float) -> Front:
    return Front(
        app(door),
        door,
        start=lambda: None,
        stop=lambda: None,
        in_flight=InFlight(**limits),  # type: ignore[arg-type]
    )


def answer(door: Door, *exchanges: Exchange, **limits: float) -> list[int]:
    async def run() -> None:
        one = front(door, **limits)
        await asyncio.gather(*(one(exchange.scope, exchange.receive, exchange.send) for exchange in exchanges))

    asyncio.run(asyncio.wait_for(run(), 20))
    return [exchange.status for exchange in exchanges]


def test_a_body_that_comes_in_parts_is_kept_whole() -> None:
    inbox = FakeInbox()
    assert answer(door(channel(), inbox=inbox), Exchange(b"ab", b"", b"cd")) == [200]
    assert inbox.taken[0].body_bytes == 4


def test_a_large_body_is_handled_beside_the_event_loop() -> None:
    inbox = FakeInbox()
    assert answer(door(channel(), inbox=inbox, max_body=10**6), Exchange(bytes(500_000))) == [200]
    assert inbox.taken[0].body_bytes == 500_000


@pytest.mark.parametrize(
    ("exchange", "status"),
    [
        (Exchange(b"x", headers={}), 401),
        (Exchange(b"x", path="/webhooks/unknown-0000000000"), 404),
        (Exchange(b"x", length=1001), 413),
        (Exchange(b"x", length=None), 411),
    ],
)
def test_what_is_refused_by_its_head_is_refused_unread(exchange: Exchange, status: int) -> None:
    assert answer(door(channel()), exchange) == [status]
    assert exchange.reads == 0


@pytest.mark.parametrize(
    ("parts", "status", "kept"),
    [([b"x" * 600, b"x" * 400], 200, [1000]), ([b"x" * 600, b"x" * 401, b"x"], 413, []), ([b"x", "gone"], 400, [])],
)
def test_a_chunked_body_is_counted_while_it_comes(parts: list[bytes | str], status: int, kept: list[int]) -> None:
    inbox = FakeInbox()
    assert answer(door(channel(), inbox=inbox, trusted_proxies=1), Exchange(*parts, length=None)) == [status]
    assert [one.body_bytes for one in inbox.taken] == kept


def test_a_body_that_never_comes_whole_is_given_up_and_others_are_served() -> None:
    inbox = FakeInbox()
    slow = [Exchange(b"x", None, length=10) for _ in range(50)]
    quick = [Exchange(b"whole") for _ in range(50)]
    statuses = answer(door(channel(), inbox=inbox), *slow, *quick, body_seconds=0.6)
    assert statuses == [408] * 50 + [200] * 50
    assert len(inbox.taken) == 50


def test_halves_of_large_bodies_make_room_for_whole_small_ones() -> None:
    halves = [Exchange(b"x" * 900, None, length=1000) for _ in range(10)]
    small = [Exchange(b"x" * 100) for _ in range(30)]
    statuses = answer(door(channel()), *halves, *small, body_seconds=0.6, max_bytes=5000)
    assert statuses[10:] == [200] * 30
    assert sorted(set(statuses[:10])) == [408, 503]


def test_a_commit_that_takes_too_long_is_not_acknowledged() -> None:
    postgres = FakePostgres()
    postgres.gate.clear()
    inbox = Inbox(postgres=postgres, spool=None, stored=lambda: None)  # type: ignore[arg-type]
    inbox.start()
    exchange = Exchange(b"x")
    assert answer(door(channel(), inbox=inbox), exchange, commit_seconds=0.6) == [503]
    assert exchange.headers["retry-after"] == "5"
    postgres.gate.set()
    inbox.close()


def test_nobody_is_answered_before_the_commit() -> None:
    postgres = FakePostgres()
    postgres.gate.clear()
    inbox = Inbox(postgres=postgres, spool=None, stored=lambda: None)  # type: ignore[arg-type]
    inbox.start()

    async def run() -> list[int]:
        one = front(door(channel(), inbox=inbox))
        exchanges = [Exchange(b"x") for _ in range(20)]
        tasks = [asyncio.create_task(one(each.scope, each.receive, each.send)) for each in exchanges]  # type: ignore[arg-type]
        while not postgres.entered.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        before = [each.status for each in exchanges]
        postgres.gate.set()
        await asyncio.gather(*tasks)
        return before + [each.status for each in exchanges]

    assert asyncio.run(run()) == [0] * 20 + [200] * 20
    assert len(postgres.batches) <= 2
    inbox.close()


@pytest.mark.parametrize("reason", ["not_durable", "unstorable", "memory"])
def test_a_webhook_that_is_not_stored_is_not_acknowledged(reason: str) -> None:
    exchange = Exchange(b"x")
    answer(door(channel(), inbox=FakeInbox(reason)), exchange)
    assert exchange.status in (500, 503)
    assert exchange.body == b""


def test_a_header_with_an_underscore_does_not_pass_for_another() -> None:
    assert answer(door(channel()), Exchange(b"x", headers={"x_webhook_secret": TOKEN})) == [401]


def test_a_header_given_twice_is_not_the_header() -> None:
    exchange = Exchange(b"x")
    exchange.scope["headers"].append((b"x-webhook-secret", TOKEN.encode()))  # type: ignore[attr-defined]
    assert answer(door(channel()), exchange) == [401]


def test_other_paths_reach_the_application() -> None:
    exchange = Exchange(path="/healthz", method="GET", headers={})
    assert answer(door(channel()), exchange) == [200]
    assert exchange.body == b"ok\n"


def test_the_lifespan_starts_and_stops_the_runtime() -> None:
    calls: list[str] = []
    one_door = door(channel())
    one = Front(app(one_door), one_door, start=lambda: calls.append("start"), stop=lambda: calls.append("stop"))
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Mapping[str, Any]) -> None:
        calls.append(message["type"])

    asyncio.run(one({"type": "lifespan"}, receive, send))  # type: ignore[arg-type]
    assert calls == ["start", "lifespan.startup.complete", "stop", "lifespan.shutdown.complete"]
