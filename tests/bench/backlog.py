"""Backlog: hundreds of thousands of webhooks and deliveries waiting, and how they drain. By `make bench-backlog`."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import psycopg

from shared.crypto import KeyRing
from shared.ids import uuid7
from shared.queue import Bell, Work, make_publisher, make_redis
from tests.bench.bodies import Bodies, requests_to
from tests.bench.client import Load, post_all
from tests.bench.fill import Places, add_waiting, analyse, fill
from tests.bench.harness import Figure, percentile
from tests.bench.results import Found, Part, Sizes, Table, Target
from tests.bench.rig import Product, servers_in, set_latency
from tests.bench.usage import mebibytes
from tests.faults.servers import Target as Dataset

#: Posted all the while, to see what the receiver's answers take.
_RATE = 20.0
_LOOK_SECONDS = 1.0
_LONGEST_SECONDS = 1800.0
_UNSENT = """select count(*) from deliveries d join datasets s on s.id = d.dataset_id
             where s.pause_reason is null and d.state in ('pending', 'sending')"""
_UNREAD = "select count(*) from webhooks where received_at = %s and state in ('new', 'claimed')"
_COPY = """copy webhooks (id, received_at, source, source_id, method, path, query, headers, body, body_bytes)
           from stdin"""


_numbers = count(600_000, 150_000)


@dataclass
class _Drain:
    """How one backlog went down: how many were done at which time, and what processes took meanwhile."""

    seconds: list[float] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    memory: list[dict[str, float]] = field(default_factory=list)
    #: CPU seconds so far, of these processes with Postgres and Valkey.
    cpu: list[float] = field(default_factory=list)
    load: Load = field(default_factory=Load)

    def rate(self, first: float, last: float) -> float:
        """Done a second between two shares of the whole."""
        return self._done_by(first, last, self.seconds)

    def cost(self, first: float, last: float) -> float:
        """CPU milliseconds of each between two shares of the whole: what else the machine does moves this little."""
        return 1000 / self._done_by(first, last, self.cpu)

    def _done_by(self, first: float, last: float, spent: Sequence[float]) -> float:
        begin, end = (
            next(n for n, done in enumerate(self.done) if done >= share * self.done[-1]) for share in (first, last)
        )
        return (self.done[end] - self.done[begin]) / (spent[end] - spent[begin])

    def p99(self, begin: float, end: float) -> float:
        """Of the receiver, in milliseconds, between two shares of the time."""
        latencies = self.load.latencies
        return 1000 * percentile(latencies[int(begin * len(latencies)) : int(end * len(latencies))], 0.99)


def run(sizes: Sizes) -> Found:
    """First deliveries alone, then webhooks alone, each with a little traffic; before them the receiver by itself."""
    rows = sizes.rows[0] if sizes.rows else int(sizes.pick(200_000, 10_000))
    with ExitStack() as stack:
        product = Product(stack.enter_context(servers_in(sizes.folder / "servers")), TMPDIR=str(sizes.folder))
        stack.callback(product.close)
        set_latency(product.servers, 0.05)
        received_at = _prepare(product, rows)
        sizes.say(f"  {rows:,} of each wait")
        product.start("receiver")
        before = _alone(product, sizes)
        # Without the sweeper, which would read webhooks as long as intake doesn't.
        product.start("sending")
        Bell(make_redis(product.around.redis_url), make_publisher(product.around.redis_url)).ring(Work.SENDING)
        sent = _watch(product, ("receiver", "sending"), lambda: rows - _left(product, _UNSENT), rows, sizes)
        product.start("intake", "sweeper")
        processes = ("receiver", "intake", "sending")
        read = _watch(product, processes, lambda: rows - _left(product, _UNREAD, received_at), rows, sizes)
    return _found(rows, before, sent, read)


def _prepare(product: Product, rows: int) -> datetime:
    """Months of people; deliveries due at the second dataset; as many at a third, which is paused; new webhooks.

    Returns when these webhooks came, all in one moment.
    """
    first, second = product.servers.targets
    with product.connection() as conn:
        ids = dict(conn.execute("select name, id from channels").fetchall())
        datasets = dict(conn.execute("select name, id from datasets").fetchall())
        paused = conn.execute(
            "insert into datasets (name, meta_id, credential_id, pause_reason, paused_at, paused_until)"
            " select 'paused', '999', credential_id, 'by_hand', now(), '9999-12-31' from datasets where id = %s"
            " returning id",
            [datasets[first.name]],
        ).fetchone()
        assert paused is not None
        fill(conn, Places(ids[first.name], datasets[first.name], ids[second.name], paused[0]), rows)
        add_waiting(conn, ids[second.name], paused[0], first=1, count=rows)
        add_waiting(conn, ids[second.name], datasets[second.name], first=1, count=rows)
        received_at = datetime.now(UTC)
        _add_webhooks(conn, product, first, (ids[first.name], received_at), rows)
        analyse(conn)
    return received_at


def _add_webhooks(
    conn: psycopg.Connection[object], product: Product, target: Dataset, origin: tuple[int, datetime], rows: int
) -> None:
    channel, received_at = origin
    ring = KeyRing(product.servers.keys["SECRET_KEYS"].split(","), name="SECRET_KEYS")
    bodies = Bodies(target.provider)
    with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
        for number in range(rows):
            body = bodies.body(number)
            headers = '{"content-type": "application/json"}'
            sealed = ring.seal(body)
            copy.write_row((uuid7(), received_at, "channel", channel, "POST", "", "", headers, sealed, len(body)))


def _alone(product: Product, sizes: Sizes) -> Load:
    """The receiver's answers with nothing else at work; what it took waits for intake with the rest."""
    seconds = sizes.pick(20.0, 5.0)
    requests = list(requests_to(product.servers.targets[0], first=500_000, count=int(seconds * _RATE), case="organic"))
    return product.post(requests, connections=4, rate=_RATE)


def _watch(product: Product, names: Sequence[str], done: Callable[[], int], rows: int, sizes: Sizes) -> _Drain:
    drain = _Drain()
    stop = threading.Event()
    poster = threading.Thread(target=_post_until, args=(product, stop, drain))
    poster.start()
    began = time.monotonic()
    try:
        while not drain.done or drain.done[-1] < rows:
            if time.monotonic() - began > _LONGEST_SECONDS:
                raise TimeoutError(f"{rows - drain.done[-1]} of {rows} still wait")
            time.sleep(_LOOK_SECONDS)
            drain.done.append(done())
            drain.seconds.append(time.monotonic() - began)
            drain.memory.append({name: mebibytes([product.keeper.pid(name)]) for name in names})
            drain.cpu.append(sum(product.costs(names).seconds.values()))
    finally:
        stop.set()
        poster.join()
    sizes.say(f"  {rows:,} drained in {drain.seconds[-1]:.0f} s")
    return drain


def _post_until(product: Product, stop: threading.Event, drain: _Drain) -> None:
    def requests() -> Iterator[bytes]:
        made = requests_to(product.servers.targets[0], first=next(_numbers), count=400_000, case="organic")
        while not stop.is_set():
            yield next(made)

    drain.load = post_all(product.port, requests(), connections=4, seconds=_LONGEST_SECONDS, rate=_RATE)


def _left(product: Product, query: str, *parameters: object) -> int:
    return int(product.one(query, *parameters))


def _found(rows: int, before: Load, sent: _Drain, read: _Drain) -> Found:
    shares = ((0.05, 0.25), (0.25, 0.75), (0.75, 0.95))
    drains = {"deliveries": sent, "webhooks": read}
    rates: list[list[str | Figure]] = [
        [name, *(Figure.of([drain.rate(*share)]) for share in shares), f"{drain.seconds[-1]:.0f}"]
        for name, drain in drains.items()
    ]
    costs: list[list[str | Figure]] = [
        [name, *(Figure.of([drain.cost(*share)]) for share in shares)] for name, drain in drains.items()
    ]
    memory: list[list[str | Figure]] = [
        [
            f"{process}, while {name} drain",
            Figure.of([_memory(drain, process, 0.1)]),
            Figure.of([_memory(drain, process, 1)]),
        ]
        for name, drain in drains.items()
        for process in drain.memory[-1]
    ]
    alone = before.percentile(0.99)
    receiver: list[list[str | Figure]] = [["nothing else at work", Figure.of([alone])]]
    receiver += [
        [f"while {name} drain, {words}", Figure.of([drain.p99(*part)])]
        for name, drain in drains.items()
        for words, part in (("first third", (0, 1 / 3)), ("last third", (2 / 3, 1)))
    ]
    return Found(
        sizes=f"{rows:,} webhooks and {rows:,} deliveries wait, {rows:,} more for a paused dataset",
        tables=[
            Table(["drained a second", "at 5–25 %", "at 25–75 %", "at 75–95 %", "seconds in all"], rates),
            Table(["CPU ms each", "at 5–25 %", "at 25–75 %", "at 75–95 %"], costs),
            Table(["memory, MiB (PSS)", "after a tenth", "at the end"], memory),
            Table(["receiver at 20 webhooks/s", "p99 ms"], receiver),
        ],
        targets=[
            *(
                Target(
                    f"drain rate of {name}, at the end of the start's",
                    "at least",
                    0.9,
                    Figure.of([drain.rate(0.75, 0.95) / drain.rate(0.05, 0.25)]),
                )
                for name, drain in drains.items()
            ),
            Target(
                "memory of the process that grew most, at the end of the start's",
                "at most",
                1.1,
                Figure.of([_grown(drains)]),
            ),
            Target(
                "receiver's p99 in the last third of a drain × in the first",
                "at most",
                1.5,
                Figure.of([max(drain.p99(2 / 3, 1) / drain.p99(0, 1 / 3) for drain in drains.values())]),
            ),
            Target(
                "receiver's p99 while the backlog drains × with nothing else at work",
                "at most",
                1.5,
                Figure.of([max(drain.p99(0, 1) for drain in drains.values()) / alone]),
            ),
        ],
    )


def _memory(drain: _Drain, process: str, share: float) -> float:
    return drain.memory[max(0, round(share * len(drain.memory)) - 1)][process]


def _grown(drains: dict[str, _Drain]) -> float:
    return max(
        _memory(drain, process, 1) / _memory(drain, process, 0.1)
        for drain in drains.values()
        for process in drain.memory[-1]
    )


PART = Part(
    name="backlog",
    title="Backlog",
    method="""
As after hours without Meta: deliveries that are due at one dataset, as many that wait for a paused one, and
webhooks that nobody has read, beside as many people and accepted deliveries of before. The deliveries drain first,
by themselves, with Meta at 50 ms; then the webhooks. All the while 20 webhooks a second of organic messages come
in, and what the receiver takes to answer is timed. One run, no rounds: the start and the end of one drain are
compared. CPU is that of the processes at work with Postgres and Valkey; a busy machine moves it less than rates.
""",
    limits="""
The same as without a backlog: a claim finds its rows at the head of an index, so what waits behind them costs
nothing. The receiver shares the cores with the workers that drain.
""",
    run=run,
)
