"""A harness around `ctwa up`: real processes, posted to and looked at from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import requests

from console.samples import post_sample, signed_headers
from console.setup.channels import webhook_url
from shared.crypto import KeyRing
from shared.db.channels import Channel, channel_by
from shared.local.detach import stop
from shared.local.stack import Stack, StackProcess, read_stack
from shared.providers import parse_body
from shared.providers.samples import load_sample

ROOT = Path(__file__).resolve().parents[2]
NOT_INHERITED = (
    "DATABASE_URL",
    "REDIS_URL",
    "TOKEN_KEYS",
    "SECRET_KEYS",
    "HASH_KEYS",
    "PUBLIC_URL",
    "CONSOLE_URL",
    "SENDING",
)
_numbers = count()
_born = datetime.now(UTC)

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = 30.0, *, what: str = "the condition") -> T:
    """The first true value of `condition`; an exception of it that is not an assertion counts as "not yet"."""
    deadline = time.monotonic() + seconds
    while True:
        last: object
        try:
            if value := condition():
                return value
            last = value
        except (OSError, psycopg.Error) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {seconds:.0f} s; last seen: {last!r}")
        time.sleep(0.05)


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would point the product at other servers."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "console.cli.main", *arguments]


def ctwa(*arguments: str, seconds: float = 120.0, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever its exit code."""
    return subprocess.run(
        command(*arguments),
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )


class Sample:
    """A sample webhook that nobody else posts, with the ids that are in it."""

    def __init__(self, provider: str, case: str = "ad", **given: str) -> None:
        number = next(_numbers)
        moment = _born + timedelta(microseconds=number)
        phone = given.pop("phone", f"1555{(os.getpid() * 1000 + number) % 10**7:07d}")
        self.body = load_sample(provider, case, now=moment, phone=phone, **given)
        message = parse_body(provider, self.body).messages[0]
        self.message_id = message.message_id
        self.click_id = message.referral.click_id if message.referral else None
        self.token = message.referral.conversion_data if message.referral else None


class LocalStack:
    """One detached stack on a folder."""

    def __init__(self, state_dir: Path, **settings: str) -> None:
        self.state_dir = state_dir
        self._settings = settings

    def up(self) -> None:
        done = ctwa("up", "--detach", "--json", "--state-dir", str(self.state_dir), **self._settings)
        assert done.returncode == 0, done.stdout + done.stderr
        self.begun = self.record
        assert json.loads(done.stdout)["addresses"] == dict(self.begun.addresses)

    @property
    def record(self) -> Stack:
        stack = read_stack(self.state_dir)
        assert stack is not None, "the stack is gone"
        return stack

    def ctwa(self, *arguments: str) -> str:
        done = ctwa("--state-dir", str(self.state_dir), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def down(self) -> None:
        stop(self.state_dir)

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.record.database_url, autocommit=True, connect_timeout=5) as conn:
            yield conn

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self.database() as conn:
            return conn.execute(query, parameters).fetchall()

    def channel(self, name: str) -> Channel:
        with self.database() as conn:
            channel = channel_by(conn, name)
        assert channel is not None
        return channel

    def poster(self, name: str) -> Callable[[bytes], int | None]:
        """A function that posts a body to the channel, signed as its provider signs; thread-safe."""
        channel, address = self.channel(name), self.record.addresses["receiver"]
        keys = self.record.extra["environment"]["SECRET_KEYS"].split(",")
        url, ring = webhook_url(address, channel.key), KeyRing(keys, name="SECRET_KEYS")
        return lambda body: post_sample(url, body, signed_headers(ring, channel, url, body)).status

    def post(self, name: str, body: bytes) -> int | None:
        return self.poster(name)(body)

    def post_at_once(self, name: str, bodies: Sequence[bytes], threads: int = 32) -> list[int | None]:
        post = self.poster(name)
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(post, bodies))

    def received(self, click_id: str | None = None) -> list[dict[str, Any]]:
        """The sandbox's events, or those of one click."""
        events: list[dict[str, Any]] = self.sandbox("GET", "received?limit=10000")["events"]
        return [e for e in events if click_id in (None, e["event"]["user_data"].get("ctwa_clid"))]

    def sandbox(self, method: str, path: str, body: object = None) -> Any:
        with requests.Session() as http:
            http.trust_env = False
            url = f"{self.record.addresses['graph']}/__sandbox/{path}"
            answer = http.request(method, url, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def delivery(self, message_id: str) -> tuple[str, str | None] | None:
        """State and reason of what became of a message; None while there is none."""
        found = self.rows(
            "select d.state, d.reason from messages m join touchpoints t on t.message_id = m.id"
            " join conversions c on c.touchpoint_id = t.id join deliveries d on d.conversion_id = c.id"
            " where m.message_id = %s",
            message_id,
        )
        return found[0] if found else None

    def has_read_all(self) -> bool:
        """Whether no webhook waits for intake."""
        return not self.rows("select 1 from webhooks where state in ('new', 'claimed') limit 1")

    def is_idle(self) -> bool:
        """Whether there is nothing to read and nothing to send."""
        sending = "select 1 from deliveries where state in ('pending', 'sending') limit 1"
        return self.has_read_all() and not self.rows(sending)

    def process(self, name: str) -> StackProcess:
        return next(process for process in self.record.processes if process.name == name)

    def kill(self, name: str) -> int:
        """SIGKILL to one process; its pid."""
        pid = self.process(name).pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def log(self, name: str) -> str:
        path = self.state_dir / "logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def request(self, method: str, url: str, body: bytes) -> requests.Response:
        with requests.Session() as http:
            http.trust_env = False
            return http.request(method, url, data=body, timeout=10)

    def get(self, url: str, auth: tuple[str, str] | None = None) -> requests.Response:
        with requests.Session() as http:
            http.trust_env = False
            return http.get(url, auth=auth, timeout=10)

    def log_lines(self, name: str) -> list[dict[str, Any]]:
        """What one process logged as JSON."""
        return [json.loads(line) for line in self.log(name).splitlines() if line.startswith("{")]

    def is_whole(self) -> bool:
        """Whether every process runs and answers."""
        record = self.record
        pages = [url for name, url in record.urls.items() if name.endswith(" metrics")]
        pages += [f"{record.addresses['receiver']}/readyz", f"{record.addresses['graph']}/__sandbox/health"]
        pages += [f"{record.urls['flower']}healthcheck"]
        return all(process.pid for process in record.processes) and all(self.get(page).ok for page in pages)

    def counted(self, name: str, metric: str) -> float:
        """A metric of one process, summed over its labels."""
        lines = self.get(self.record.urls[f"{name} metrics"]).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{metric}{{", f"{metric} ")))

    def flower(self, path: str) -> requests.Response:
        known = self.record.extra["flower"]
        return self.get(f"{self.record.urls['flower']}{path}", (known["user"], known["password"]))


@contextmanager
def running_stack(state_dir: Path, **settings: str) -> Iterator[LocalStack]:
    """A stack for the length of a `with` block; nothing of it is left afterwards, whatever a test did to it."""
    stack = LocalStack(state_dir, **settings)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


Found = tuple[int, int]  # a pid and when it began, so that a recycled pid is another process


def tree(root: int) -> set[Found]:
    """The live process `root` and everything below it."""
    everything = _processes()
    below = {found for found in everything if found[0] == root}
    while more := {f for f, parent in everything.items() if parent in {pid for pid, _ in below}} - below:
        below |= more
    return below


def alive(found: set[Found]) -> set[Found]:
    return found & _processes().keys()


def _processes() -> dict[Found, int]:
    found: dict[Found, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(entry.parent.name), int(fields[19])] = int(fields[1])
    return found
