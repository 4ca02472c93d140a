"""Acknowledge: how fast webhooks are made durable and answered, beside a bare 200 and the plain recipes.

Every variant runs at the same time; the load goes round them, so that whatever else this machine does hits all alike.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from shared.local.ports import Ports, is_listening
from shared.local.process import Process
from tests.bench.bodies import as_request
from tests.bench.client import Load, post_all
from tests.bench.harness import Figure, in_turns, ratio
from tests.bench.results import Found, Part, Sizes, Table, Target
from tests.bench.rig import DATABASE, product_surroundings, servers_in
from tests.bench.usage import cpu_seconds
from tests.faults.keeper import Keeper
from tests.faults.servers import Servers

ROOT = Path(__file__).resolve().parents[2]
CEILING = "bare 200"
OURS = "receiver"
COMMIT = "a commit per request"
#: Interface, threads and factory of each; all under granian with one worker.
VARIANTS = {
    CEILING: ("wsgi", 1, "tests.bench.variants:bare"),
    "bare 200 in an event loop": ("asginl", 1, "tests.bench.variants:bare_event_loop"),
    OURS: ("asgi", 1, "receiver.server:load"),
    COMMIT: ("wsgi", 8, "tests.bench.variants:commit_each"),
    "task.delay per webhook": ("wsgi", 8, "tests.bench.variants:delay_each"),
}
CONNECTIONS = (1, 32, 128)
_BODY = b"x" * 623


class _Variants:
    """All variants, serving."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.keeper = Keeper(folder / "logs")
        ports = Ports(folder)
        self.ports = {name: ports.pick(name) for name in VARIANTS}
        around = product_surroundings(servers, folder, database=DATABASE)
        env = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": around.receiver_database_url,
            "REDIS_URL": around.redis_url,
            "SECRET_KEYS": around.secrets["SECRET_KEYS"],
            "SPOOL_DIR": str(around.spool_dir),
            "LOG_LEVEL": "warning",
        }
        self._processes = [_server(name, self.ports[name], env, folder) for name in VARIANTS]
        self._request = as_request(servers.targets[0], _BODY)

    def start(self) -> None:
        self.keeper.start(*self._processes)

    def load(self, name: str, connections: int, *, seconds: float, rate: float | None = None) -> tuple[Load, float]:
        """Posts to one variant; the load, and the CPU milliseconds of its process for each request."""
        before = cpu_seconds([self.keeper.pid(name)])
        load = post_all(self.ports[name], _for_ever(self._request), connections=connections, seconds=seconds, rate=rate)
        return load, 1000 * (cpu_seconds([self.keeper.pid(name)]) - before) / len(load.latencies)


def _for_ever(request: bytes) -> Iterator[bytes]:
    while True:
        yield request


def _server(name: str, port: int, env: dict[str, str], folder: Path) -> Process:
    interface, threads, factory = VARIANTS[name]
    command = [sys.executable, "-m", "granian", "--interface", interface, "--factory", "--http", "1", "--no-ws"]
    command += ["--port", str(port), "--workers-kill-timeout", "3", factory]
    command += ["--blocking-threads", str(threads)] if interface == "wsgi" else []
    return Process(
        name=name,
        command=command,
        env={**env, "BENCH_THREADS": str(threads)},
        cwd=folder,
        ready=lambda: is_listening(port),
        ready_seconds=60,
    )


@contextmanager
def _variants(folder: Path) -> Iterator[_Variants]:
    with ExitStack() as stack:
        servers = stack.enter_context(servers_in(folder / "servers"))
        (folder / "variants" / "metrics").mkdir(parents=True)
        variants = _Variants(servers, folder / "variants")
        stack.callback(variants.keeper.close)
        variants.start()
        yield variants


def run(sizes: Sizes) -> Found:
    """Each variant at each number of connections; then the receiver and the bare server at half the receiver's rate."""
    seconds = sizes.pick(3.0, 0.7)
    found: dict[int, dict[str, list[tuple[Load, float]]]] = {}
    with _variants(sizes.folder) as variants:
        for connections in CONNECTIONS:
            sizes.say(f"{connections} connections")
            found[connections] = in_turns(
                {
                    name: lambda name=name, n=connections: variants.load(name, n, seconds=seconds)  # type: ignore[misc]
                    for name in VARIANTS
                },
                rounds=sizes.rounds,
                say=sizes.say,
            )
        half = {name: Figure.of(_rates(found[32][name])).median / 2 for name in (OURS, CEILING)}
        steady = in_turns(
            {
                (name, rate): lambda name=name, rate=rate: variants.load(  # type: ignore[misc]
                    name, 32, seconds=2 * seconds, rate=rate
                )[0]
                for name, rate in ((OURS, half[OURS]), (CEILING, half[OURS]), (CEILING, half[CEILING]))
            },
            rounds=sizes.rounds,
            say=sizes.say,
        )
    return Found(
        sizes=f"{sizes.rounds} rounds of {seconds} s for each variant and number of connections",
        tables=[*(_table(connections, runs) for connections, runs in found.items()), _half_load(steady)],
        targets=_targets(found[32], steady, half),
    )


def _rates(runs: list[tuple[Load, float]]) -> list[float]:
    return [load.rate for load, _ in runs]


def _table(connections: int, runs: dict[str, list[tuple[Load, float]]]) -> Table:
    rows: list[list[str | Figure]] = []
    for name, some in runs.items():
        rows.append(
            [
                name,
                Figure.of(_rates(some)),
                ratio(_rates(some), _rates(runs[CEILING])),
                ratio(_rates(some), _rates(runs[COMMIT])),
                Figure.of([load.percentile(0.5) for load, _ in some]),
                Figure.of([load.percentile(0.99) for load, _ in some]),
                Figure.of([cpu for _, cpu in some]),
            ]
        )
    columns = [
        f"{connections} connections",
        "requests/s",
        "of a bare 200",
        "× a commit each",
        "p50 ms",
        "p99 ms",
        "CPU ms",
    ]
    return Table(columns, rows)


def _half_load(steady: dict[tuple[str, float], list[Load]]) -> Table:
    rows: list[list[str | Figure]] = [
        [
            f"{name} at {rate:,.0f} requests/s",
            *(Figure.of([load.percentile(share) for load in loads]) for share in (0.5, 0.99, 0.999)),
        ]
        for (name, rate), loads in steady.items()
    ]
    return Table(["half load, 32 connections", "p50 ms", "p99 ms", "p99.9 ms"], rows)


def _targets(
    runs: dict[str, list[tuple[Load, float]]], steady: dict[tuple[str, float], list[Load]], half: dict[str, float]
) -> list[Target]:
    ours = _rates(runs[OURS])
    p99 = {key: [load.percentile(0.99) for load in loads] for key, loads in steady.items()}
    at_half = p99[OURS, half[OURS]]
    return [
        Target(
            "durable webhooks/s of a bare 200, 32 connections", "at least", 0.30, ratio(ours, _rates(runs[CEILING]))
        ),
        Target(
            "durable webhooks/s × a commit per request, 32 connections",
            "at least",
            1.5,
            ratio(ours, _rates(runs[COMMIT])),
        ),
        Target(
            "p99 at half load × the bare server's at its half",
            "at most",
            5,
            ratio(at_half, p99[CEILING, half[CEILING]]),
        ),
        Target("the same × the bare server's at our half", "at most", 5, ratio(at_half, p99[CEILING, half[OURS]])),
    ]


PART = Part(
    name="acknowledge",
    title="Acknowledge",
    method="""
Bodies of 623 bytes over kept connections; every variant is served by granian with one worker process and runs
beside the others, idle while they are loaded. *Bare 200* is a Flask view that reads the body and answers, with one
thread (its fastest): the ceiling. The *receiver* answers after the commit. *A commit per request* is the same view
with a commit in the thread of each of 8 requests (more threads gain nothing, decision 0005). *task.delay* hands
each body to Celery over Valkey, which may lose it. Half load is a steady rate, half of what a variant took at 32
connections; "at half load" can be read in two ways, so the bare server runs at half of its own rate and at half of
the receiver's. CPU is the server's own.
""",
    limits="""
Two things: Python, a fifth of a millisecond a request (reading, the channel, the token, sealing the body), and
Postgres, whose commit waits for the disk and takes the other core. At one connection a webhook is a commit; from 32
on, one commit serves all that wait.
""",
    run=run,
)
