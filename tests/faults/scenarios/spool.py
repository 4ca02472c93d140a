"""The spool itself: drained in order, killed in the middle, torn, full, and a receiver that starts without Postgres."""

import signal
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

from receiver.frames import MARKER
from tests.faults.proxy import Link
from tests.faults.run import Run
from tests.faults.table import scenario
from tests.faults.wait import wait_until


def _fill(run: Run, *, seconds: float = 8.0, rate: float = 80.0) -> None:
    """Spools webhooks while Postgres is held down; leaves it down."""
    with run.loaded(rate=rate, purchases=0, sales=4):
        time.sleep(1)
        run.servers.keeper.hold("postgres")
        time.sleep(seconds)


@scenario("spool-order")
def spool_order(run: Run) -> str:
    """What was spooled comes into Postgres in the order in which it was received."""
    run.start("receiver")
    _fill(run, rate=150)
    back = datetime.now(UTC)
    run.servers.keeper.release("postgres")
    wait_until("the spool is empty", lambda: run.spool_bytes() == 0, seconds=40)
    # Nobody has touched the rows yet, so xmin is the transaction of their insert. Within one, order means nothing.
    query = """
        select count(*) as rows, min(received_at) as first, max(received_at) as last from webhooks
        where received_at between %s and %s group by xmin order by xmin::text::bigint
    """
    batches = run.rows(query, back - timedelta(seconds=6), back)
    run.require(len(batches) > 1, "all was drained in one transaction")
    for early, late in pairwise(batches):
        assert early["last"] <= late["first"], "a batch holds webhooks that came before those of the batch before it"
    run.start("intake", "sending", "sweeper")
    run.drain()
    rows = sum(one["rows"] for one in batches)
    return f"{rows} webhooks in {len(batches)} batches, in order, spool peak {run.spool_peak // 1024} kB"


@scenario("spool-drain-killed")
def spool_drain_killed(run: Run) -> str:
    """kill -9 of the receiver in the middle of draining its spool, four times."""
    run.start()
    _fill(run, rate=120.0)
    run.servers.database_link.set(Link(latency=0.2))
    before = _files(run)
    run.servers.keeper.release("postgres")
    kills = 0
    for _ in range(4):
        stored = run.count("select count(*) from webhooks")
        wait_until("the drain has begun", partial(_is_draining, run, stored), seconds=30, every=0.01)
        if run.spool_bytes() and run.keeper.send("receiver", signal.SIGKILL):
            kills += 1
        run.keeper.wait_ready("receiver")
        if not run.spool_bytes():
            break
    run.servers.heal_links()
    run.require(kills, "the drain was over before it could be killed")
    run.drain()
    return f"{kills} kills while {len(before)} files were drained, spool peak {run.spool_peak // 1024} kB"


@scenario("spool-torn")
def spool_torn(run: Run) -> str:
    """A crash in the middle of a write: the torn record at the end of the file costs nothing but itself."""
    run.start()
    _fill(run, seconds=5)
    run.keeper.hold("receiver")
    torn = 0
    for path in _files(run):
        whole = path.read_bytes()
        last = whole.rfind(MARKER)
        with path.open("ab") as file:
            torn += file.write(whole[last : last + run.rng.randrange(5, len(whole) - last)])
    run.require(torn, "there was no spool file")
    run.servers.keeper.release("postgres")
    run.keeper.release("receiver")
    run.drain()
    log = (run.keeper.logs / "receiver.log").read_text()
    assert "torn end of a spool file" in log, "the torn record was not noticed"
    return f"{torn} bytes of half a record"


@scenario("spool-full", quick=True, environ={"SPOOL_MAX_BYTES": "120000"})
def spool_full(run: Run) -> str:
    """Postgres and Redis away and the spool full: 503, nothing acknowledged, and all of it comes again."""
    run.start()
    with run.loaded(sales=4) as load:
        time.sleep(2)
        run.servers.keeper.hold("valkey")
        run.servers.keeper.hold("postgres")
        wait_until("webhooks are refused", lambda: load.ledger.answers["503"] > 20, seconds=30)
        run.servers.keeper.release("postgres")
        run.servers.keeper.release("valkey")
        time.sleep(2)
    run.drain()
    refused = load.ledger.refusals.keys() - {"503"}
    assert not refused, f"the senders saw {refused}"
    return f"spool peak {run.spool_peak // 1024} of 117 kB"


@scenario("receiver-cold-start")
def receiver_cold_start(run: Run) -> str:
    """A receiver that is killed and started while Postgres is away serves from its encrypted copy."""
    run.start()
    with run.loaded(sales=4) as load:
        time.sleep(2)
        run.servers.keeper.hold("postgres")
        run.keeper.send("receiver", signal.SIGKILL)
        time.sleep(0.5)
        run.keeper.wait_ready("receiver")
        before = len(load.ledger.acknowledged)
        wait_until("it acknowledges", lambda: len(load.ledger.acknowledged) > before + 50)
        run.servers.keeper.release("postgres")
        time.sleep(2)
    run.require(run.spool_peak, "nothing was spooled")
    run.drain()
    return f"spool peak {run.spool_peak // 1024} kB"


def _files(run: Run) -> list[Path]:
    return sorted(run.around.spool_dir.glob("*.spool"))


def _is_draining(run: Run, stored: int) -> bool:
    return run.spool_bytes() == 0 or run.count("select count(*) from webhooks") > stored
