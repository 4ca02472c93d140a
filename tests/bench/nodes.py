"""Two worker nodes: intake and sending twice, each node in a network of its own that reaches only the servers."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from console.stack.processes import processes
from shared.local.ports import Ports
from shared.local.process import Process
from tests.bench import netns
from tests.bench.bodies import APART, requests_to
from tests.bench.harness import Figure, in_turns, ratio
from tests.bench.results import Found, Part, Sizes, Table, Target
from tests.bench.rig import Product, product_surroundings, servers_in, set_latency

_META_SECONDS = 0.3


@dataclass(frozen=True)
class _Run:
    rate: float
    webhooks_by_node: dict[str, int]
    events_by_node: dict[str, int]


class _Nodes:
    """A product whose workers are on nodes; each sends one request at a time, so that a node is soon full."""

    def __init__(self, product: Product, *, apart: bool) -> None:
        self._product = product
        self._apart = apart
        self._number = 0
        self._read: dict[Path, int] = {}

    def measure(self, names: tuple[str, ...], count: int) -> _Run:
        """Starts these nodes, posts, waits, stops them."""
        keeper = self._product.keeper
        started = [process for name in names for process in self._processes(name)]
        keeper.start(*started)
        try:
            rate = self._burst(count)
        finally:
            for process in started:
                keeper.forget(process.name)
        return _Run(
            rate,
            {name: self._logged(f"intake-{name}", "webhooks read", "webhook_ids") for name in names},
            {name: self._logged(f"sending-{name}", "events posted", "delivery_ids") for name in names},
        )

    def _burst(self, count: int) -> float:
        product, since = self._product, self._product.now()
        for place, target in enumerate(product.servers.targets):
            product.post(list(requests_to(target, first=self._number + place * APART, count=count)))
        self._number += count
        for target in product.servers.targets:
            product.wait_accepted(target, count, since=since, seconds=240)
        seconds = product.one(
            "select extract(epoch from max(accepted_at) - %s::timestamptz)::float8 from deliveries", since
        )
        return 2 * count / float(seconds)

    def _processes(self, node: str) -> list[Process]:
        product = self._product
        folder = product.servers.folder / node
        (folder / "metrics").mkdir(parents=True, exist_ok=True)
        around = product_surroundings(product.servers, folder)
        ports = Ports(folder)
        urls = (around.worker_database_url, around.redis_url, around.graph_url)
        reached = ",".join(str(urlsplit(url).port) for url in urls)
        found = []
        for process in processes(around, ("intake", "sending")):
            port = ports.pick(process.name)
            words = [word.replace("@%h", f"@{node}") for word in process.command]
            if process.name == "sending":
                words[words.index("--concurrency") + 1] = "1"
            command = [words[0], "-m", "tests.bench.netns", reached, "--", *words] if self._apart else words
            env = {**(process.env or {}), "METRICS_PORT": str(port), "PYTHONPATH": str(Path(__file__).parents[2])}
            name = f"{process.name}-{node}"
            found.append(
                replace(
                    process,
                    name=name,
                    command=command,
                    env=env,
                    ready=partial(self._up, name, port),
                )
            )
        return found

    def _up(self, name: str, port: int) -> bool:
        """Whether it serves its metrics, seen from its own network."""
        pid = self._product.keeper.pid(name)
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()
        return any(f":{port:04X} 00000000:0000 0A" in line for line in lines)

    def _logged(self, process: str, event: str, ids: str) -> int:
        """How many ids this process has named in its log since the last look."""
        path = self._product.keeper.logs / f"{process}.log"
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
        total = sum(len(line[ids]) for line in lines if line.get("event") == event)
        found = total - self._read.get(path, 0)
        self._read[path] = total
        return found


def run(sizes: Sizes) -> Found:
    """One node and two, in turns; every event at Meta once."""
    apart = netns.works()
    count = int(sizes.pick(700, 150))
    with ExitStack() as stack:
        product = Product(stack.enter_context(servers_in(sizes.folder / "servers")))
        stack.callback(product.close)
        set_latency(product.servers, _META_SECONDS)
        product.start("receiver", "sweeper", "beat")
        nodes = _Nodes(product, apart=apart)
        found = in_turns(
            {
                "one node": lambda: nodes.measure(("node-1",), count),
                "two nodes": lambda: nodes.measure(("node-1", "node-2"), count),
            },
            rounds=sizes.rounds,
            say=sizes.say,
        )
        totals = product.servers.sandbox("GET", "received", limit=1)["totals"]
    where = "each in a network namespace of its own" if apart else "processes in the same network"
    one, two = found["one node"], found["two nodes"]
    least = [min(run.events_by_node.values()) / sum(run.events_by_node.values()) for run in two]
    rows: list[list[str | Figure]] = [
        [name, Figure.of([run.rate for run in runs]), *_shares(runs)] for name, runs in found.items()
    ]
    return Found(
        sizes=f"bursts of {count} webhooks on each of two channels, {sizes.rounds} rounds; nodes: {where}",
        tables=[Table(["Meta takes 300 ms", "webhooks/s", "webhooks read by node", "events sent by node"], rows)],
        targets=[
            Target(
                "rate of two nodes × one", "at least", 1.5, ratio([run.rate for run in two], [run.rate for run in one])
            ),
            Target("share of the events that the idler node sent", "at least", 0.2, Figure.of(least)),
            Target("events that Meta got twice", "at most", 0, Figure.of([totals["duplicates"]])),
        ],
    )


def _shares(runs: list[_Run]) -> list[str]:
    return [
        " + ".join(f"{sum(by_node[node] for by_node in all_runs):,}" for node in all_runs[0])
        for all_runs in ([run.webhooks_by_node for run in runs], [run.events_by_node for run in runs])
    ]


PART = Part(
    name="nodes",
    title="Two worker nodes",
    method="""
Intake and sending run once, then twice under other host names, in turns; the receiver, the sweeper and beat stay
where they are. Each node is in a network namespace of its own, where it reaches Postgres, the broker and Meta (the
sandbox) and nothing else, so that nodes can share nothing but these. A node's sending worker has one thread, so
that it is full with one request at a time while Meta takes 300 ms; two datasets.
""",
    limits="""
Here, the cores that both nodes share with everything else; and two requests at a time for one dataset, however many
nodes there are.
""",
    run=run,
)
