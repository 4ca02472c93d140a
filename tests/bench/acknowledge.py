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
from pathlib import Path
from statistics import geometric_mean

import click
import psycopg

from shared.crypto import KeyRing, generate_key
from shared.db.channels import insert_channel, seal_secrets
from shared.db.migrate import migrate
from shared.local.postgres import running_postgres
from shared.local.valkey import running_valkey

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
    variants = {"bare wsgi, 1 thread": ("wsgi", 1, "bare"), "receiver (asgi)": ("asgi", 1, "receiver")}
    for count in counts:
        variants[f"bare wsgi, {count} threads"] = ("wsgi", count, "bare")
        variants[f"commit each, {count} threads"] = ("wsgi", count, "commit_each")
        variants[f"coalescing wsgi, {count} threads"] = ("wsgi", count, "coalescing")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        env = _servers(stack, folder)
        ports = {}
        for name, variant in variants.items():
            ports[name] = _free_port()
            stack.enter_context(_Server(*variant, ports[name], env))
        for port in ports.values():
            _wait_for(port)
        script = folder / "post.lua"
        script.write_text(LUA)
        results = _measure(ports, script, seconds, rounds, connections)
    _print(results)


class _Server:
    def __init__(self, interface: str, threads: int, factory: str, port: int, env: dict[str, str]) -> None:
        self._command = [
            *(sys.executable, "-m", "granian", "--interface", interface, "--factory", "--http", "1", "--no-ws"),
            *("--port", str(port), f"tests.bench.variants:{factory}"),
            *(["--blocking-threads", str(threads)] if interface == "wsgi" else []),
        ]
        self._env = {**env, "BENCH_THREADS": str(threads)}

    def __enter__(self) -> None:
        self._process = subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


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
    ports: dict[str, int], script: Path, seconds: int, rounds: int, connections: int
) -> dict[str, list[float]]:
    results: dict[str, list[float]] = {name: [] for name in ports}
    for turn in range(rounds + 1):
        for name, port in ports.items():
            run = subprocess.run(
                [
                    *("wrk", "-t1", f"-c{connections}", f"-d{seconds if turn else 1}s", "-s", str(script)),
                    f"http://127.0.0.1:{port}/webhooks/{KEY}",
                ],
                capture_output=True,
                text=True,
                check=True,
            )
            if "Non-2xx" in run.stdout:
                sys.exit(f"{name}: not every answer was 200\n{run.stdout}")
            if turn:  # the first round warms up
                results[name].append(float(re.findall(r"Requests/sec:\s+([\d.]+)", run.stdout)[0]))
    return results


def _print(results: dict[str, list[float]]) -> None:
    ceiling = results["bare wsgi, 1 thread"]
    best_commit = max(
        (rates for name, rates in results.items() if name.startswith("commit")), key=geometric_mean
    )
    print(f"{'variant':34} {'req/s':>8} {'of bare':>8} {'x commit':>9}")
    for name, rates in results.items():
        of_bare = geometric_mean([rate / bare for rate, bare in zip(rates, ceiling, strict=True)])
        times = geometric_mean([rate / each for rate, each in zip(rates, best_commit, strict=True)])
        print(f"{name:34} {geometric_mean(rates):8.0f} {of_bare:8.2f} {times:9.2f}")


if __name__ == "__main__":
    main()
