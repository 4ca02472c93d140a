"""One run of one scenario: its processes, its load, its faults, its end, and the row it makes."""

import contextlib
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import requests
from psycopg.rows import dict_row

from console.stack.processes import processes
from receiver.spool import count_spool
from shared.local.ports import Ports, is_listening
from shared.local.postgres import Postgres
from shared.local.process import StackError
from tests.faults.audit import Expected, Findings, audit, canaries_in
from tests.faults.keeper import Keeper
from tests.faults.load import Ledger, Load, add_purchases
from tests.faults.servers import Servers, with_database
from tests.faults.wait import Late, wait_until

#: Leases and sweeps as short as the product allows, so that a crash is made good within a scenario.
FAST = {
    "INTAKE_LEASE_SECONDS": "6",
    "SENDING_LEASE_SECONDS": "6",
    "SWEEP_SECONDS": "1",
    "SWEEP_GRACE_SECONDS": "3",
    "LOG_LEVEL": "info",
}
NAMES = ("receiver", "intake", "sending", "sweeper", "beat")
_PAGE = 10_000
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


class Void(Exception):
    """The fault did not bite, so the run proves nothing."""


class CannotRun(Exception):
    """This machine does not allow what the scenario needs."""


@dataclass
class Row:
    """One line of the table. `verdict` is ok, FAILED, void or cannot run."""

    scenario: str
    seed: int
    verdict: str
    findings: Findings = field(default_factory=Findings)
    bite: str = ""
    seconds: float = 0.0


class Run:
    """What a scenario is given. It runs processes on a database of its own; `finish` stops and audits them."""

    def __init__(self, servers: Servers, name: str, seed: int, environ: Mapping[str, str]) -> None:
        self.servers = servers
        self.rng = random.Random(f"{name} {seed}")
        self.seed = seed
        self.expected = Expected()
        self.load: Load | None = None
        self.purchases: list[str] = []
        self.state_dir = servers.folder / f"{name}-{seed}"
        self.database = f"faults_{name.replace('-', '_')}_{seed}"
        #: How much of the webhooks' spool was there at most, in bytes.
        self.spool_peak = 0
        shutil.rmtree(self.state_dir, ignore_errors=True)
        (self.state_dir / "metrics").mkdir(parents=True)
        self._postgres = servers.postgres
        servers.drop_database(self.database)
        servers.fresh_database(servers.postgres, self.database)
        given = {key: value for key, value in os.environ.items() if key in _PASSED_ON}
        self.around = servers.surroundings(self.state_dir, self.database, {**given, **FAST, **environ})
        self.processes = {process.name: process for process in processes(self.around, NAMES)}
        self.keeper = Keeper(self.state_dir / "logs")
        #: What a scenario wants undone when all is over.
        self.at_end = contextlib.ExitStack()

    # Processes and servers.

    def start(self, *names: str) -> None:
        """Starts the product's processes, all unless named."""
        self.keeper.start(*(self.processes[name] for name in names or NAMES))

    def kill_now_and_then(self, *names: str, seconds: float, every: tuple[float, float]) -> int:
        """SIGKILLs one of them at random moments for a while; how many kills there were."""
        kills = 0
        ends = time.monotonic() + seconds
        while (wait := self.rng.uniform(*every)) + time.monotonic() < ends:
            time.sleep(wait)
            name = self.rng.choice(names)
            keeper = self.servers.keeper if name in ("postgres", "valkey") else self.keeper
            kills += keeper.send(name, signal.SIGKILL)
        time.sleep(max(0.0, ends - time.monotonic()))
        for name in {"postgres", "valkey"}.intersection(names):
            self.servers.keeper.wait_ready(name)
        return kills

    def start_twin(self, name: str) -> None:
        """Starts a second one of a process, as `name`-2."""
        process, port = self.processes[name], Ports(self.state_dir / "twin").pick(name)
        command = [word.replace(f"{name}@%h", f"{name}-2@%h") for word in process.command]
        command = [word.replace("beat-schedule", "beat-2-schedule") for word in command]
        env = {**(process.env or {}), "METRICS_PORT": str(port)}
        self.keeper.start(
            replace(process, name=f"{name}-2", command=command, env=env, ready=lambda: is_listening(port))
        )

    def give(self, name: str, **variables: str) -> None:
        """Adds to the environment that a process will be started with."""
        process = self.processes[name]
        self.processes[name] = replace(process, env={**(process.env or {}), **variables})

    # The database, round the proxy.

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of the owner's that no fault of a link touches."""
        with psycopg.connect(with_database(self._postgres.url, self.database)) as conn:
            yield conn

    def use(self, postgres: Postgres) -> None:
        """Takes another server than the common one; the link leads there until the scenario is over."""
        self.servers.fresh_database(postgres, self.database)
        self.servers.database_link.target = postgres.port
        self._postgres = postgres

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        with self.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def execute(self, query: str, *parameters: object) -> None:
        with self.connection() as conn:
            conn.execute(query, parameters)

    def count(self, query: str, *parameters: object) -> int:
        with self.connection() as conn:
            row = conn.execute(query, parameters).fetchone()
        assert row is not None
        return int(row[0])

    def names(self, where: str) -> frozenset[str]:
        """What the audit calls the deliveries (d, of dataset s) that fit: click ids, and event ids of purchases."""
        rows = self.rows(
            "select case when d.has_value then d.event_id else t.click_id end as name from deliveries d"
            " join datasets s on s.id = d.dataset_id join conversions c on c.id = d.conversion_id"
            f" join touchpoints t on t.id = c.touchpoint_id where {where}"
        )
        return frozenset(row["name"] for row in rows)

    # The load.

    @contextlib.contextmanager
    def loaded(self, *, rate: float = 40.0, purchases: float = 8.0, sales: float = 0.0) -> Iterator[Load]:
        """Webhooks, purchases in the tables, and sales by the API, a second while the block runs; afterwards all that
        were posted get acknowledged."""
        load = self.load = Load(
            self.servers.targets,
            self.around.ports["receiver"],
            seed=self.seed,
            rate=rate,
            sales=sales,
            key=self.servers.api_key,
        )
        stop = threading.Event()
        buyer = threading.Thread(target=self._buy, args=(purchases, stop), daemon=True)
        watcher = threading.Thread(target=self._watch_spool, args=(stop,), daemon=True)
        try:
            with load:
                buyer.start()
                watcher.start()
                yield load
        finally:
            stop.set()
            buyer.join()
            watcher.join()
        load.settle()

    def buy(self, count: int, *, target: int = 0, **options: Any) -> list[str]:
        """Puts purchases into the tables; their event ids. Raises psycopg.Error when Postgres is away."""
        with self.connection() as conn:
            bought = add_purchases(
                conn,
                self.servers.targets[target],
                seed=self.seed,
                first=len(self.purchases) + 1,
                count=count,
                **options,
            )
        self.purchases += bought
        return bought

    def _buy(self, rate: float, stop: threading.Event) -> None:
        while rate and not stop.wait(1.0):
            # A commit whose answer was lost is found by its numbers when it is tried again.
            with contextlib.suppress(psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction):
                if not self._bought_already(round(rate)):
                    self.buy(round(rate), target=self.rng.randrange(2))

    def _bought_already(self, count: int) -> bool:
        names = [f"order:faults:{len(self.purchases) + number}" for number in range(1, count + 1)]
        rows = self.rows("select id from conversions where business_key = any(%s)", names)
        self.purchases += [row["id"].hex for row in rows]
        return bool(rows)

    def _watch_spool(self, stop: threading.Event) -> None:
        while not stop.wait(0.1):
            self.spool_peak = max(self.spool_peak, self.spool_bytes())

    def spool_bytes(self) -> int:
        return count_spool(self.around.spool_dir).bytes

    # The sandbox.

    def fault(self, kind: str, **options: object) -> int:
        """Adds a fault to the sandbox; its id."""
        return int(self.servers.sandbox("POST", "faults", {"kind": kind, **options})["id"])

    def fired(self) -> Counter[str]:
        """How many calls each fault struck."""
        calls = self.servers.sandbox("GET", "requests", limit=_PAGE, outcome="fault")["requests"]
        return Counter(call["fault"] for call in calls)

    def received(self) -> list[dict[str, Any]]:
        """Every event the sandbox has kept."""
        events: list[dict[str, Any]] = []
        while True:
            page = self.servers.sandbox("GET", "received", limit=_PAGE, offset=len(events))
            events += page["events"]
            if len(events) >= page["matching"]:
                return events

    # The end.

    def require(self, condition: object, text: str) -> None:
        """Raises Void unless the fault has bitten."""
        if not condition:
            raise Void(f"the fault did not bite: {text}")

    def drain(self, seconds: float = 60.0, *, until: Callable[[], bool] | None = None) -> None:
        """Waits until nothing is left to do, cutting short the waits between retries. Raises Late."""

        def done() -> bool:
            self.hasten()
            return (until or self.is_idle)()

        wait_until("the work is done", done, seconds=seconds, every=0.3)

    def is_idle(self) -> bool:
        """Nothing waits in the spool or the tables but what the scenario expects to."""
        # The spool first: what leaves it between two looks is in the tables by the second.
        if self.spool_bytes():
            return False
        waiting = self.count(
            "select (select count(*) from webhooks where state in ('new', 'claimed'))"
            " + (select count(*) from deliveries where state in ('pending', 'sending'))"
            " + (select count(*) from deliveries where state = 'unknown' and not has_value and resent = 0)"
        )
        return waiting <= len(self.expected.pending)

    def hasten(self) -> None:
        """Makes due what waits for its next attempt, and ends the pauses that end by themselves."""
        with self.connection() as conn:
            conn.execute(
                "update deliveries set next_attempt_at = now() where state = 'pending' and next_attempt_at > now()"
            )
            conn.execute("update datasets set paused_until = now() where pause_reason = 'meta_down'")
            conn.execute("update credentials set throttled_until = null where throttled_until is not null")

    def close(self) -> list[str]:
        """Stops the processes; what is wrong with how they ended."""
        self.keeper.close()
        left = _processes_in(self.state_dir)
        return [f"{len(left)} processes are left: {left}"] if left else []

    def finish(self) -> Findings:
        """Stops everything and audits."""
        problems = self.close()
        ledger = self.load.ledger if self.load else Ledger()
        with self.connection() as conn:
            found = audit(
                conn, ledger=ledger, purchases=self.purchases, received=self.received(), expected=self.expected
            )
        logs = [*(self.state_dir / "logs").glob("*"), *(self.servers.folder / "logs").glob("*")]
        found.problems += problems + canaries_in(logs)
        return found


def perform(servers: Servers, name: str, seed: int, scenario: Callable[[Run], str], environ: Mapping[str, str]) -> Row:
    """Runs one scenario with one seed, and puts the servers back into order."""
    began = time.monotonic()
    row = Row(name, seed, "FAILED")
    servers.heal()
    run = Run(servers, name, seed, environ)
    try:
        row.bite = scenario(run)
        row.findings = run.finish()
        row.verdict = "FAILED" if row.findings.problems or row.findings.lost else "ok"
    except Void as error:
        row.verdict, row.bite = "void", str(error)
    except CannotRun as error:
        row.verdict, row.bite = "cannot run", str(error)
    except (AssertionError, Late, StackError, psycopg.Error, requests.RequestException) as error:
        row.bite = f"{type(error).__name__}: {error}"
        with contextlib.suppress(psycopg.Error):
            row.bite += f" | {_left(run)}"
    finally:
        if run.load:
            run.load.end()
            if refusals := run.load.ledger.refusals:
                row.bite += f"; senders saw {', '.join(f'{count} × {one}' for one, count in sorted(refusals.items()))}"
        run.close()
        run.at_end.close()
        _recover(servers)
    row.seconds = time.monotonic() - began
    if row.verdict == "ok":
        servers.drop_database(run.database)
        shutil.rmtree(run.state_dir, ignore_errors=True)
    return row


def _left(run: Run) -> str:
    webhooks = run.rows("select state, count(*) from webhooks group by state")
    deliveries = run.rows("select state, reason, count(*) from deliveries group by state, reason")
    pauses = run.rows("select name, pause_reason, pause_detail from datasets where pause_reason is not null")
    return f"webhooks {webhooks} deliveries {deliveries} pauses {pauses}"


def _recover(servers: Servers) -> None:
    """After a scenario that ended in the middle: servers that were stopped or held go on."""
    for name in ("postgres", "valkey"):
        servers.keeper.send(name, signal.SIGCONT)
        servers.keeper.release(name)


def _processes_in(folder: Path) -> list[int]:
    """Processes that run in this folder, as all of a scenario's do."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found
