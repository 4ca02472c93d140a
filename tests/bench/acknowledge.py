"""How fast webhooks are acknowledged, as ratios. By hand: python -m tests.bench.acknowledge (needs wrk).

Every variant runs at the same time; the load goes round them, so that whatever else this machine does hits all alike.
docs/decisions/0005 has the numbers and what was decided by them.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean, median

import click
import psycopg

from shared.crypto import KeyRing, generate_key
from shared.db.channels import insert_channel, seal_secrets
from shared.db.migrate import migrate
from shared.local.postgres import running_postgres
from shared.local.valkey import running_valkey

CEILING = "bare view, 1 thread"
BARE = "tests.bench.variants:bare"
KEY = "bench-channel-0000000000"
TOKEN = "bench-token-000000000"
LUA = f"""
wrk.method = "POST"
wrk.body = string.rep("x", 623)
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-Webhook-Secret"] = "{TOKEN}"
"""


@click.command()
@click.option("--seconds", default=2, show_default=True, help="Length of one run.")
@click.option("--rounds", default=4, show_default=True, help="How often each variant runs.")
@click.option("--connections", default=32, show_default=True)
@click.option("--threads", default="8,16,32,64,128", show_default=True)
def main(seconds: int, rounds: int, connections: int, threads: str) -> None:
    """Compare a bare 200, a commit for each request, and the coalescing writer."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    counts = [int(count) for count in threads.split(",")]
    variants = {
        CEILING: ("wsgi", 1, BARE),
        "bare view, event loop": ("asginl", 1, "tests.bench.variants:bare_event_loop"),
        "receiver": ("asgi", 1, "receiver.server:load"),
    }
    for count in counts:
        variants[f"bare view, {count} threads"] = ("wsgi", count, BARE)
        variants[f"commit each, {count} threads"] = ("wsgi", count, "tests.bench.variants:commit_each")
        variants[f"coalescing, {count} threads"] = ("wsgi", count, "receiver.server:load_wsgi")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        env = _servers(stack, folder)
        servers = {name: stack.enter_context(_Server(*variant, env)) for name, variant in variants.items()}
        for server in servers.values():
            _wait_for(server.port)
        script = folder / "post.lua"
        script.write_text(LUA)
        results = _measure(servers, script, seconds, rounds, connections)
    _print(results)


@dataclass(frozen=True)
class Run:
    """Requests a second, and seconds of the worker's CPU for each."""

    rate: float
    cpu: float


class _Server:
    """granian with one worker, for the length of a `with` block."""

    def __init__(self, interface: str, threads: int, factory: str, env: dict[str, str]) -> None:
        self.port = _free_port()
        self._command = [
            *(sys.executable, "-m", "granian", "--interface", interface, "--factory", "--http", "1", "--no-ws"),
            *("--port", str(self.port), "--workers-kill-timeout", "3", factory),
            *(["--blocking-threads", str(threads)] if interface == "wsgi" else []),
        ]
        self._env = {**env, "BENCH_THREADS": str(threads)}

    def __enter__(self) -> "_Server":
        self._process = subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def cpu_seconds(self) -> float:
        """What its worker has used so far."""
        pid = self._process.pid
        (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _servers(stack: ExitStack, folder: Path) -> dict[str, str]:
    """Postgres as in production (fsync on), Valkey, one channel; the environment for the receivers."""
    keys = generate_key()
    database_url = stack.enter_context(running_postgres(folder / "pg"))
    with psycopg.connect(database_url) as conn:
        migrate(conn)
        insert_channel(
            conn,
            {
                "key": KEY,
                "name": "bench",
                "workspace": "default",
                "provider": "whapi",
                "secrets": seal_secrets(KeyRing([keys], name="SECRET_KEYS"), [{"token": TOKEN}]),
                "unsigned": False,
                "dataset_id": None,
                "currency": None,
                "country": None,
                "zone": "UTC",
                "post_policy": "ignore",
                "enabled": True,
                "is_test": True,
            },
        )
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": stack.enter_context(running_valkey(folder / "valkey")),
        "SECRET_KEYS": keys,
        "SPOOL_DIR": str(folder / "spool"),
        "LOG_LEVEL": "warning",
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"nothing listens on {port}")


def _measure(
    servers: dict[str, _Server], script: Path, seconds: int, rounds: int, connections: int
) -> dict[str, list[Run]]:
    results: dict[str, list[Run]] = {name: [] for name in servers}
    for turn in range(rounds + 1):
        for name, server in servers.items():
            before = server.cpu_seconds()
            run = subprocess.run(
                [
                    *("wrk", "-t1", f"-c{connections}", f"-d{seconds if turn else 1}s", "-s", str(script)),
                    f"http://127.0.0.1:{server.port}/webhooks/{KEY}",
                ],
                capture_output=True,
                text=True,
                check=True,
            )
            if "Non-2xx" in run.stdout:
                sys.exit(f"{name}: not every answer was 200\n{run.stdout}")
            if turn:  # the first round warms up
                requests = max(1, int(re.findall(r"(\d+) requests in", run.stdout)[0]))
                rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", run.stdout)[0]) or 1.0
                results[name].append(Run(rate, (server.cpu_seconds() - before) / requests))
    return results


def _print(results: dict[str, list[Run]]) -> None:
    """Geometric means of the ratios within each round."""
    ceiling = results[CEILING]
    commits = [runs for name, runs in results.items() if name.startswith("commit")]
    best_commit = max(commits, key=lambda runs: geometric_mean([run.rate for run in runs]))
    print(f"{'variant':28} {'req/s':>8} {'of best bare':>13} {'of own bare':>12} {'x commit':>9} {'CPU':>6}")
    for name, runs in results.items():
        own = "bare view, event loop" if name == "receiver" else f"bare view, {name.rpartition(', ')[2]}"
        rate = geometric_mean([run.rate for run in runs])
        cpu = median(run.cpu for run in runs) / median(run.cpu for run in ceiling)
        ratios = [_ratio(runs, others) for others in (ceiling, results[own], best_commit)]
        print(f"{name:28} {rate:8.0f} {ratios[0]:13.2f} {ratios[1]:12.2f} {ratios[2]:9.2f} {cpu:6.1f}")


def _ratio(runs: list[Run], others: list[Run]) -> float:
    return geometric_mean([run.rate / other.rate for run, other in zip(runs, others, strict=True)])


if __name__ == "__main__":
    main()
