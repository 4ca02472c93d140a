"""What a part measures on: Postgres with fsync, Valkey with an append-only file, the sandbox, the product's processes.

All from tests.faults.servers, but without the proxies between them, which would cost more than what is measured.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from console.stack.processes import Surroundings, processes
from tests.bench.client import Load, post_all
from tests.bench.usage import cpu_seconds
from tests.faults.keeper import Keeper
from tests.faults.servers import Servers, Target, with_database
from tests.faults.wait import Late, wait_until

NAMES = ("receiver", "intake", "sending", "sweeper", "beat")
DATABASE = "bench"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


@contextmanager
def servers_in(folder: Path) -> Iterator[Servers]:
    """The servers, with a database `bench`; what they held is removed at the end."""
    servers = Servers(folder)
    try:
        servers.open()
        servers.fresh_database(servers.postgres, DATABASE)
        yield servers
    finally:
        servers.close()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Costs:
    """CPU seconds by process at one moment."""

    seconds: dict[str, float]

    def since(self, before: "Costs") -> dict[str, float]:
        return {name: max(0.0, self.seconds[name] - before.seconds[name]) for name in self.seconds}


class Product:
    """The product's processes on these servers."""

    def __init__(self, servers: Servers, *, database: str = DATABASE, **environ: str) -> None:
        self.servers = servers
        self.state_dir = servers.folder / "product"
        (self.state_dir / "metrics").mkdir(parents=True, exist_ok=True)
        self._url = with_database(servers.postgres.url, database)
        self.around = product_surroundings(servers, self.state_dir, database=database, **environ)
        self.processes = {one.name: one for one in processes(self.around, NAMES)}
        self.keeper = Keeper(self.state_dir / "logs")

    def start(self, *names: str) -> None:
        """Starts these, or all; returns when they are ready."""
        self.keeper.start(*(self.processes[name] for name in names or NAMES))

    def close(self) -> None:
        self.keeper.close()

    @property
    def port(self) -> int:
        return self.around.ports["receiver"]

    def post(self, requests: Sequence[bytes], *, connections: int = 32, rate: float | None = None) -> Load:
        return post_all(self.port, requests, connections=connections, rate=rate)

    def costs(self, names: Sequence[str] = NAMES) -> Costs:
        """CPU seconds so far, of these processes, Postgres and Valkey."""
        found = {name: cpu_seconds([self.keeper.pid(name)]) for name in names}
        found |= {name: cpu_seconds([self.servers.keeper.pid(name)]) for name in ("postgres", "valkey")}
        return Costs(found)

    # The database, as its owner.

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self._url, autocommit=True) as conn:
            yield conn

    def one(self, query: str, *parameters: object) -> Any:
        """The only value of a query."""
        with self.connection() as conn:
            row = conn.execute(query, parameters).fetchone()
        assert row is not None
        return row[0]

    def wait_accepted(self, target: Target, count: int, *, since: str, seconds: float) -> None:
        """Waits until so many deliveries of this dataset, born since then, are accepted. Raises Late."""
        try:
            wait_until(
                f"{count} events are accepted",
                lambda: self.accepted(target, since) >= count,
                seconds=seconds,
                every=0.2,
            )
        except Late as error:
            raise Late(f"{error}. {self._states()}") from error

    def _states(self) -> str:
        with self.connection() as conn:
            found = {
                name: conn.execute(query).fetchall()
                for name, query in {
                    "webhooks": "select state, crashes, count(*) from webhooks group by 1, 2",
                    "deliveries": "select dataset_id, state, reason, count(*) from deliveries group by 1, 2, 3",
                    "paused": "select name, pause_reason from datasets where pause_reason is not null",
                }.items()
            }
        return str(found)

    def accepted(self, target: Target, since: str) -> int:
        return int(
            self.one(
                "select count(*) from deliveries d join datasets s on s.id = d.dataset_id"
                " where s.name = %s and d.state = 'accepted' and d.accepted_at >= %s::timestamptz",
                target.name,
                since,
            )
        )

    def now(self) -> str:
        """Postgres's clock, as text."""
        return str(self.one("select clock_timestamp()::text"))


def product_surroundings(
    servers: Servers, state_dir: Path, *, database: str = DATABASE, **environ: str
) -> Surroundings:
    """What the processes are told: the servers themselves, a quiet log."""
    given = {key: value for key, value in os.environ.items() if key in _PASSED_ON}
    return servers.surroundings(state_dir, database, {**given, "LOG_LEVEL": "info", **environ}, linked=False)


def set_latency(servers: Servers, seconds: float) -> None:
    """Has the sandbox wait before each answer, as Meta takes its time."""
    servers.sandbox("POST", "latency", {"seconds": seconds})
