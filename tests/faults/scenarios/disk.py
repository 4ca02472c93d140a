"""Disks that are full, on small file systems in memory of their own."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

from shared.local.ports import Ports
from shared.local.postgres import embedded_postgres
from tests.faults.run import CannotRun, Run
from tests.faults.table import scenario
from tests.faults.wait import wait_until

_NAME = "full-postgres"


@scenario("disk-full-postgres")
def disk_full_postgres(run: Run) -> str:
    """Postgres's disk is full for 10 s, its write-ahead log on it too; then there is room again."""
    disk = run.state_dir / "disk"
    _mount(run, disk, "400m")
    port = Ports(disk).pick("postgres")
    postgres = embedded_postgres(disk / "postgres", port)
    postgres.prepare()
    run.servers.keeper.start(replace(postgres.process(), name=_NAME))
    run.at_end.callback(run.servers.keeper.forget, _NAME)
    run.servers.make_template(postgres)
    run.use(postgres)
    run.start()
    ballast = disk / "ballast"
    with run.loaded(rate=80):
        time.sleep(2)
        _fill(ballast)
        time.sleep(12)
        ballast.unlink()
        wait_until("Postgres is up", lambda: run.servers.keeper.pid(_NAME))
        run.servers.keeper.wait_ready(_NAME)
        time.sleep(2)
    run.require(run.spool_peak, "nothing was spooled")
    run.drain()
    panics = run.servers.keeper.restarts[_NAME]
    return f"spool peak {run.spool_peak // 1024} kB, Postgres died of it {panics} times"


@scenario("disk-full-spool")
def disk_full_spool(run: Run) -> str:
    """Postgres away and the spool's disk full: 503, nothing acknowledged that isn't kept."""
    _mount(run, run.around.spool_dir, "256k")
    run.start()
    with run.loaded() as load:
        time.sleep(2)
        run.servers.keeper.hold("postgres")
        wait_until("webhooks are refused", lambda: load.ledger.answers["503"] > 20, seconds=30)
        run.servers.keeper.release("postgres")
        time.sleep(2)
    run.drain()
    return f"spool peak {run.spool_peak // 1024} of 256 kB"


def _mount(run: Run, folder: Path, size: str) -> None:
    """A file system of `size` at `folder` until the run is over. Raises CannotRun where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "ctwa-faults", str(folder)], check=False, capture_output=True
    )
    if done.returncode:
        raise CannotRun("this user may not mount a file system in memory")
    run.at_end.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=False)


def _fill(ballast: Path) -> None:
    """Takes what room there is."""
    block = b"\0" * 65536
    try:
        with ballast.open("wb", buffering=0) as file:
            while file.write(block):
                pass
    except OSError:
        return
