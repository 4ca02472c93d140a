"""Growth: what the hot statements cost over one, five or twenty million rows. By `make bench-growth`."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg

from shared.crypto import KeyRing
from shared.db import claims, contacts, deliveries, results, webhooks
from shared.db.webhooks import NewWebhook
from shared.ids import uuid7
from shared.local.postgres import Postgres
from shared.settings import load_settings
from tests.bench.bodies import Bodies
from tests.bench.fill import DAYS, Places, add_waiting, analyse, fill
from tests.bench.harness import Figure, in_turns, ratio, short
from tests.bench.plans import watched
from tests.bench.results import Found, Part, Sizes, Table, Target
from tests.bench.rig import servers_in
from tests.faults.servers import Servers, with_database, with_database_url
from workers import intake
from workers.runtime import NEEDS, Runtime, build_runtime

#: What one of the people of fill.py takes on the disk, with all indexes, and what has to stay free.
_BYTES_EACH = 4_000
_KEEP_FREE = 10_000_000_000
_PAUSED = 200_000
_DUE = 2_000
_BATCH = 50
Conn = psycopg.Connection[Any]


@dataclass
class _Grown:
    """One database of a size, with what is needed to work on it."""

    rows: int
    url: str
    runtime: Runtime
    places: Places
    bodies: Bodies
    ring: KeyRing
    number: int = 0

    def new_webhooks(self, conn: Conn, count: int) -> None:
        self.number += count
        now = datetime.now(UTC)
        rows = [self._webhook(number, now) for number in range(self.number - count, self.number)]
        webhooks.insert_webhooks(conn, rows)

    def _webhook(self, number: int, now: datetime) -> NewWebhook:
        body = self.bodies.body(number)
        return NewWebhook(
            id=uuid7(), received_at=now, source="channel", source_id=self.places.channel, method="POST", path="",
            query="", headers={"content-type": "application/json"}, body=self.ring.seal(body), body_bytes=len(body),
        )  # fmt: skip


def _claim_webhooks(grown: _Grown, conn: Conn) -> None:
    assert webhooks.claim_webhooks(conn, token=uuid4(), lease_seconds=60, each=_BATCH)


def _claim_deliveries(grown: _Grown, conn: Conn) -> None:
    token = uuid4()
    assert claims.claim_deliveries(conn, token=token, lease_seconds=60)
    assert len(claims.leased_deliveries(conn, token)) == _BATCH


def _by_phone(grown: _Grown, conn: Conn) -> None:
    wanted = [grown.rows * part // _BATCH for part in range(1, _BATCH + 1)]
    keys = [("default", "phone", hashlib.sha256(f"phone {number}".encode()).digest()) for number in wanted]
    assert len(contacts.find_contacts(conn, keys)) == _BATCH


def _newest(grown: _Grown, conn: Conn) -> None:
    assert len(results.list_deliveries(conn, results.DeliveryFilter(), limit=_BATCH)) == _BATCH


def _middle(grown: _Grown, conn: Conn) -> None:
    row = conn.execute("select created_at, id from deliveries where id = %s", [grown.rows // 2]).fetchone()
    assert row is not None
    page = results.list_deliveries(
        conn, results.DeliveryFilter(states=("accepted",), test=False), limit=_BATCH, after=(row[0], row[1])
    )
    assert len(page) == _BATCH


def _sweep(grown: _Grown, conn: Conn) -> None:
    webhooks.webhook_backlog(conn)
    deliveries.delivery_backlog(conn)


#: Run on one connection and rolled back.
STATEMENTS: dict[str, Callable[[_Grown, Conn], None]] = {
    f"claim {_BATCH} webhooks": _claim_webhooks,
    f"claim {_BATCH} deliveries": _claim_deliveries,
    f"find {_BATCH} people by phone": _by_phone,
    "newest page of deliveries": _newest,
    "a page in the middle": _middle,
    "the sweeper's look at what waits": _sweep,
}
INTAKE = f"intake of {_BATCH} webhooks"


def run(sizes: Sizes) -> Found:
    """Fills a database for each size, then measures them in turns."""
    wanted = sizes.rows or ((20_000, 60_000) if sizes.quick else (1_000_000, 5_000_000))
    counts = that_fit(wanted, shutil.disk_usage(sizes.folder).free - _KEEP_FREE)
    left_out = [rows for rows in wanted if rows not in counts]
    with servers_in(sizes.folder / "servers") as servers:
        databases = {rows: _grow(servers, rows, sizes) for rows in counts}
        try:
            blocks = {
                name: {rows: _blocks(grown, work) for rows, grown in databases.items()}
                for name, work in STATEMENTS.items()
            }
            seconds = {
                name: in_turns(
                    {rows: partial(_seconds, grown, work) for rows, grown in databases.items()},
                    rounds=sizes.rounds + 2,
                    say=lambda _: None,
                )
                for name, work in STATEMENTS.items()
            }
            seconds[INTAKE] = in_turns(
                {rows: partial(_intake, grown) for rows, grown in databases.items()},
                rounds=2 * sizes.rounds + 2,
                say=lambda _: None,
            )
            disk = {rows: _bytes(grown) for rows, grown in databases.items()}
        finally:
            for grown in databases.values():
                grown.runtime.close()
    said = f"{', '.join(f'{rows:,}' for rows in counts)} rows in each big table"
    said += f"; {', '.join(f'{rows:,}' for rows in left_out)} did not fit on the disk" if left_out else ""
    return Found(
        sizes=f"{said}; {_PAUSED if not sizes.quick else counts[0]:,} deliveries wait for a paused dataset",
        tables=[_times(seconds, counts), _touched(blocks, counts), _disk(disk, counts)],
        targets=_targets(seconds, blocks, counts),
        units={"database bytes per message": disk[counts[-1]] / counts[-1]},
    )


def that_fit(wanted: Sequence[int], free: int) -> list[int]:
    """The sizes whose databases, which stand side by side, take less than `free` bytes together; the smaller first."""
    counts: list[int] = []
    for rows in sorted(wanted):
        if (sum(counts) + rows) * _BYTES_EACH < free:
            counts.append(rows)
    return counts


def _grow(servers: Servers, rows: int, sizes: Sizes) -> _Grown:
    name = f"grown_{rows}"
    began = time.monotonic()
    servers.fresh_database(servers.postgres, name)
    url = with_database(servers.postgres.url, name)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("set maintenance_work_mem = '1GB'")
        conn.execute("set synchronous_commit = off")
        ids: dict[str, int] = dict(conn.execute("select name, id from channels").fetchall())
        datasets: dict[str, int] = dict(conn.execute("select name, id from datasets").fetchall())
        places = Places(ids["first"], datasets["first"], ids["second"], datasets["second"])
        conn.execute(
            "update datasets set pause_reason = 'by_hand', paused_at = now(), paused_until = '9999-12-31'"
            " where id = %s",
            [places.paused_dataset],
        )
        fill(conn, places, rows)
        add_waiting(conn, places.paused_channel, places.paused_dataset, first=1, count=min(rows, _PAUSED))
        add_waiting(conn, places.channel, places.dataset, first=1, count=_DUE)
        grown = _Grown(
            rows=rows,
            url=url,
            runtime=_runtime(servers, servers.postgres, name),
            places=places,
            bodies=Bodies(servers.targets[0].provider),
            ring=KeyRing(servers.keys["SECRET_KEYS"].split(","), name="SECRET_KEYS"),
        )
        grown.new_webhooks(conn, 2 * _BATCH)
        analyse(conn)
        conn.execute("checkpoint")
    sizes.say(f"  {rows:,} rows: {time.monotonic() - began:.0f} s")
    return grown


def _runtime(servers: Servers, postgres: Postgres, database: str) -> Runtime:
    environ = {
        **servers.keys,
        "DATABASE_URL": with_database_url(postgres.url, database),
        "REDIS_URL": servers.valkey.url,
        "GRAPH_URL": servers.sandbox_url,
        "HOME": os.environ.get("HOME", "/"),
    }
    return build_runtime(load_settings(environ, needs=NEEDS), process="bench", connections=2)


def _blocks(grown: _Grown, work: Callable[[_Grown, Conn], None]) -> int:
    with psycopg.connect(grown.url) as conn:
        work(grown, conn)  # Plans and catalogues are read at the first time.
        conn.rollback()
        with watched(conn) as plans:
            work(grown, conn)
        conn.rollback()
    return plans.blocks


def _seconds(grown: _Grown, work: Callable[[_Grown, Conn], None]) -> float:
    """The median of some calls, each rolled back."""
    times = []
    with psycopg.connect(grown.url) as conn:
        for _ in range(30):
            began = time.perf_counter()
            work(grown, conn)
            times.append(time.perf_counter() - began)
            conn.rollback()
    return Figure.of(times).median


def _intake(grown: _Grown) -> float:
    """The real use-case, committed: it reads all that waits."""
    with psycopg.connect(grown.url) as conn:
        grown.new_webhooks(conn, _BATCH)
    began = time.perf_counter()
    assert intake.drain(grown.runtime) >= _BATCH
    return time.perf_counter() - began


def _bytes(grown: _Grown) -> int:
    with psycopg.connect(grown.url) as conn:
        row = conn.execute("select pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def _times(seconds: dict[str, dict[int, list[float]]], counts: list[int]) -> Table:
    rows: list[list[str | Figure]] = [
        [name, *(Figure.of([1000 * one for one in found[rows]]) for rows in counts), _growth(found, counts)]
        for name, found in seconds.items()
    ]
    return Table(["time, ms", *(f"{rows:,} rows" for rows in counts), "largest × smallest"], rows)


def _touched(blocks: dict[str, dict[int, int]], counts: list[int]) -> Table:
    rows: list[list[str | Figure]] = [
        [name, *(f"{found[rows]:,}" for rows in counts), short(found[counts[-1]] / found[counts[0]])]
        for name, found in blocks.items()
    ]
    return Table(["8 kB blocks touched", *(f"{rows:,} rows" for rows in counts), "largest × smallest"], rows)


def _disk(disk: dict[int, int], counts: list[int]) -> Table:
    each = [short(disk[rows] / rows) for rows in counts]
    row: list[str | Figure] = ["bytes a message, all tables and indexes", *each]
    return Table(["on the disk", *(f"{rows:,} rows" for rows in counts)], [row])


def _growth(found: dict[int, list[float]], counts: list[int]) -> Figure:
    return ratio(found[counts[-1]], found[counts[0]])


def _targets(
    seconds: dict[str, dict[int, list[float]]], blocks: dict[str, dict[int, int]], counts: list[int]
) -> list[Target]:
    span = f"{counts[-1]:,} rows against {counts[0]:,}"
    timed = [Target(f"{name}: time, {span}", "at most", 1.3, _growth(found, counts)) for name, found in seconds.items()]
    worst = max(found[counts[-1]] / found[counts[0]] for found in blocks.values())
    return [*timed, Target(f"blocks touched, the worst of these, {span}", "at most", 1.3, Figure.of([worst]))]


PART = Part(
    name="growth",
    title="Growth",
    method=f"""
One database for each size, all in one Postgres, measured in turns. Each has so many contacts, phone numbers,
messages, ad messages, Leads, accepted deliveries, attempts and finished webhooks (bodies of 32 bytes, over {DAYS}
days), made by Postgres itself, indexed and analysed; among them the deliveries that wait for a paused dataset.
Statements are the product's own functions, the median of 30 calls a round, rolled back; intake is the real use-case
with its commit. Blocks touched, from `EXPLAIN (BUFFERS)`, are the same cost without the machine's noise. That no hot
statement reads a large table from end to end is a test (`tests/integration/db/test_plans.py`).
""",
    limits="""
The depth of B-trees, which grows by one level when a table grows some hundredfold, and memory: what is touched is
cached here, and has to be read from a disk where the indexes in use outgrow the memory.
""",
    run=run,
)
