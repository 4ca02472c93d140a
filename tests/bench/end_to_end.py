"""End to end: from the provider's socket to Meta's answer, beside the naive pipeline."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from shared.local.ports import Ports, is_listening
from shared.local.process import Process
from tests.bench.bodies import requests_to
from tests.bench.client import post_all
from tests.bench.harness import Figure, in_turns, percentile, ratio
from tests.bench.naive.table import TABLE
from tests.bench.results import Found, Part, Sizes, Table, Target
from tests.bench.rig import DATABASE, NAMES, Costs, Product, servers_in, set_latency
from tests.bench.usage import cpu_seconds
from tests.faults.keeper import Keeper
from tests.faults.servers import Servers, with_database, with_database_url
from tests.faults.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
LATENCIES = (0.05, 0.3)
#: As many tries at once as the product's sending worker has threads.
NAIVE_SLOTS = 8
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Run:
    """One burst of webhooks: how fast events were accepted, and what that cost. CPU is in seconds by process."""

    rate: float
    events: int
    calls: int
    cpu: dict[str, float]
    wal_bytes: float = 0.0

    @property
    def events_per_cpu_second(self) -> float:
        return self.events / sum(self.cpu.values())

    @property
    def calls_per_thousand(self) -> float:
        return 1000 * self.calls / self.events


class Ours:
    """The product, with one channel and one dataset in use."""

    name = "product"

    def __init__(self, product: Product) -> None:
        self.product = product
        self.servers = product.servers
        self.dataset = self.servers.targets[0]
        self._number = 0

    def burst(self, count: int) -> Run:
        """Posts `count` webhooks of ads as fast as they are taken, and waits until Meta has taken them all."""
        requests = self._requests(count)
        before, calls, since = self._costs(), _calls(self.servers), self.product.now()
        wal = self.product.one("select pg_current_wal_insert_lsn()::text")
        self.product.post(requests)
        self.product.wait_accepted(self.dataset, count, since=since, seconds=300)
        seconds = self.product.one(
            "select extract(epoch from max(accepted_at) - %s::timestamptz)::float8 from deliveries"
            " where accepted_at >= %s::timestamptz",
            since,
            since,
        )
        written = self.product.one("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s::pg_lsn)::float8", wal)
        return Run(count / seconds, count, _calls(self.servers) - calls, self._costs().since(before), written)

    def trickle(self, count: int, rate: float) -> list[float]:
        """Posts at a steady low rate; the seconds from each webhook to Meta's answer."""
        requests, since = self._requests(count), self.product.now()
        self.product.post(requests, connections=4, rate=rate)
        self.product.wait_accepted(self.dataset, count, since=since, seconds=60)
        with self.product.connection() as conn:
            rows = conn.execute(
                "select extract(epoch from d.accepted_at - w.received_at)::float8 from deliveries d"
                " join conversions c on c.id = d.conversion_id join touchpoints t on t.id = c.touchpoint_id"
                " join messages m on m.id = t.message_id join webhooks w on w.id = m.webhook_id"
                " where d.accepted_at >= %s::timestamptz",
                [since],
            ).fetchall()
        return [seconds for (seconds,) in rows]

    def _requests(self, count: int) -> list[bytes]:
        self._number += count
        return list(requests_to(self.dataset, first=self._number - count, count=count))

    def _costs(self) -> Costs:
        return self.product.costs()


class Naive:
    """The naive pipeline, on servers of its own."""

    name = "naive"

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.dataset = servers.targets[0]
        self.state_dir = servers.folder / "naive"
        self.state_dir.mkdir()
        self._url = with_database(servers.postgres.url, DATABASE)
        with psycopg.connect(self._url) as conn:
            conn.execute(TABLE)
        self._port = Ports(self.state_dir).pick("web")
        self.keeper = Keeper(self.state_dir / "logs")
        self._number = 0

    def start(self) -> None:
        self.keeper.start(*self._processes())

    def close(self) -> None:
        self.keeper.close()

    def burst(self, count: int) -> Run:
        """As the product's."""
        self._number += count
        requests = list(requests_to(self.dataset, first=self._number - count, count=count, path="/webhooks"))
        before, calls, since = self._costs(), _calls(self.servers), self._one("select clock_timestamp()::text")
        post_all(self._port, requests, connections=32)
        sent = "select count(*) from naive_events where sent_at >= %s::timestamptz"
        wait_until("all are sent", lambda: self._one(sent, since) >= count, seconds=300, every=0.2)
        seconds = self._one(
            "select extract(epoch from max(sent_at) - %s::timestamptz)::float8 from naive_events", since
        )
        return Run(count / seconds, count, _calls(self.servers) - calls, self._costs().since(before))

    def _one(self, query: str, *parameters: object) -> Any:
        with psycopg.connect(self._url, autocommit=True) as conn:
            row = conn.execute(query, parameters).fetchone()
        assert row is not None
        return row[0]

    def _costs(self) -> Costs:
        found = {name: cpu_seconds([self.keeper.pid(name)]) for name in ("web", "worker")}
        return Costs(found | {name: cpu_seconds([self.servers.keeper.pid(name)]) for name in ("postgres", "valkey")})

    def _processes(self) -> list[Process]:
        env = {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": self.servers.valkey.url,
            "DATABASE_URL": with_database_url(self.servers.postgres.url, DATABASE),
            "GRAPH_URL": self.servers.sandbox_url,
            "NAIVE_HEADER": self.dataset.secrets["header"],
            "NAIVE_TOKEN": self.dataset.secrets["token"],
            "NAIVE_META_TOKEN": self.dataset.token,
            "NAIVE_DATASET": self.dataset.meta_id,
            "NAIVE_WABA": self.dataset.waba_id,
        }
        web = ["granian", "--interface", "wsgi", "--factory", "--http", "1", "--no-ws", "--port", str(self._port)]
        web += ["--blocking-threads", "8", "tests.bench.naive.web:load"]
        worker = ["celery", "--quiet", "--app", "tests.bench.naive.worker", "worker", "--concurrency", str(NAIVE_SLOTS)]
        worker += ["--loglevel", "info", "--without-gossip", "--without-mingle"]
        return [
            _process("web", web, env, self.state_dir, lambda: is_listening(self._port)),
            _process("worker", worker, env, self.state_dir, lambda: len(self.keeper.below("worker")) >= NAIVE_SLOTS),
        ]


def _process(name: str, module: Sequence[str], env: dict[str, str], cwd: Path, ready: Any) -> Process:
    return Process(name=name, command=[sys.executable, "-m", *module], env=env, cwd=cwd, ready=ready, ready_seconds=60)


def _calls(servers: Servers) -> int:
    return int(servers.sandbox("GET", "received", limit=1)["totals"]["requests"])


@contextmanager
def _pipelines(folder: Path) -> Iterator[tuple[Ours, Naive]]:
    with ExitStack() as stack:
        product = Product(stack.enter_context(servers_in(folder / "ours")))
        stack.callback(product.close)
        product.start()
        naive = Naive(stack.enter_context(servers_in(folder / "naive")))
        stack.callback(naive.close)
        naive.start()
        yield Ours(product), naive


def run(sizes: Sizes) -> Found:
    """Bursts at two latencies of Meta, in turns, and a trickle."""
    many, few, trickled = (int(sizes.pick(*pair)) for pair in ((4000, 600), (240, 60), (200, 30)))
    found: dict[float, dict[str, list[Run]]] = {}
    slow: dict[float, list[list[float]]] = {}
    with _pipelines(sizes.folder) as (ours, naive):
        for latency in LATENCIES:
            sizes.say(f"Meta takes {latency * 1000:.0f} ms")
            for servers in (ours.servers, naive.servers):
                set_latency(servers, latency)
            more = few if latency > 0.1 else 3 * few
            found[latency] = in_turns(
                {"product": lambda: ours.burst(many), "naive": lambda more=more: naive.burst(more)},  # type: ignore[misc]
                rounds=sizes.rounds,
                say=sizes.say,
            )
            slow[latency] = in_turns(
                {"trickle": lambda: ours.trickle(trickled, 10.0)}, rounds=sizes.rounds, warm_up=False, say=sizes.say
            )["trickle"]
    return Found(
        sizes=f"bursts of {many} webhooks ({few} and {3 * few} for the naive pipeline), {sizes.rounds} rounds",
        tables=[_speeds(found), _cpu(found), _times(slow)],
        targets=_targets(found, slow),
        units=_units(found[LATENCIES[0]]["product"]),
    )


def _speeds(found: dict[float, dict[str, list[Run]]]) -> Table:
    rows: list[list[str | Figure]] = []
    for latency, runs in found.items():
        for name, some in runs.items():
            rows.append(
                [
                    f"{name}, Meta takes {latency * 1000:.0f} ms",
                    Figure.of([one.rate for one in some]),
                    ratio([one.rate for one in some], [one.rate for one in runs["naive"]]),
                    Figure.of([one.events_per_cpu_second for one in some]),
                    Figure.of([one.calls_per_thousand for one in some]),
                ]
            )
    return Table(["pipeline", "webhooks/s", "× naive", "events per CPU-second", "calls per 1,000 events"], rows)


def _cpu(found: dict[float, dict[str, list[Run]]]) -> Table:
    rows: list[list[str | Figure]] = []
    for name, some in found[LATENCIES[0]].items():
        for process in some[0].cpu:
            rows.append([f"{name}: {process}", Figure.of([1000 * one.cpu[process] / one.events for one in some])])
    return Table(["process (Meta takes 50 ms)", "CPU ms per event"], rows)


def _times(slow: dict[float, list[list[float]]]) -> Table:
    rows: list[list[str | Figure]] = []
    for latency, rounds in slow.items():
        figures = [Figure.of([1000 * percentile(one, share) for one in rounds]) for share in (0.5, 0.99)]
        rows.append([f"10 webhooks/s, Meta takes {latency * 1000:.0f} ms", *figures])
    return Table(["webhook to accepted", "p50 ms", "p99 ms"], rows)


def _targets(found: dict[float, dict[str, list[Run]]], slow: dict[float, list[list[float]]]) -> list[Target]:
    at_300 = found[0.3]
    ours, naive = at_300["product"], at_300["naive"]
    beyond = [1000 * (percentile(one, 0.5) - 0.05) for one in slow[0.05]]
    return [
        Target(
            "sustained rate, Meta taking 300 ms, × the naive pipeline",
            "at least",
            5,
            ratio([one.rate for one in ours], [one.rate for one in naive]),
        ),
        Target(
            "events per CPU-second, Meta taking 300 ms, × the naive pipeline",
            "at least",
            3,
            ratio([one.events_per_cpu_second for one in ours], [one.events_per_cpu_second for one in naive]),
        ),
        Target("webhook to accepted at low load, p50 beyond Meta's 50 ms", "at most", 150, Figure.of(beyond), "ms"),
        *(
            Target(
                f"HTTP calls per 1,000 events under load, Meta taking {latency * 1000:.0f} ms",
                "at most",
                30,
                Figure.of([one.calls_per_thousand for one in runs["product"]]),
            )
            for latency, runs in found.items()
        ),
    ]


def _units(runs: Sequence[Run]) -> dict[str, float]:
    """CPU milliseconds per event of each process, and the bytes of log that Postgres wrote for one."""
    events = sum(one.events for one in runs)
    units = {
        f"{name} ms": 1000 * sum(one.cpu[name] for one in runs) / events for name in (*NAMES, "postgres", "valkey")
    }
    return units | {"wal bytes": sum(one.wal_bytes for one in runs) / events}


PART = Part(
    name="end-to-end",
    title="End to end",
    method="""
Every webhook is one ad message of a person of its own, posted over 32 connections as fast as it is taken; the
sandbox stands in for Meta and answers after 50 or 300 ms. The rate is of events, from the first webhook to the last
accepted event. One channel and one dataset with the default settings: 50 events a request at most, two requests at
a time. CPU is that of all processes of the pipeline with Postgres and Valkey, without the sandbox and the load
generator, which run on the same cores and cost as much in both. The naive pipeline (`tests/bench/naive`) has a
Postgres, a Valkey and a sandbox of its own and eight tries at a time.
""",
    limits="""
With Meta at 300 ms the product waits for Meta: two requests of 50 events every 0.3 s are 333 events a second at
most for one dataset (`--batch-max`, `--in-flight-max` raise that). With Meta at 50 ms the cores are full, and
intake has the largest share. The naive pipeline waits too, with one event in each of its eight slots. At low load,
the time is that of two rings through Redis, the four commits between them, and Meta.
""",
    run=run,
)
