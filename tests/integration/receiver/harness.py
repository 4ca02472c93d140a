"""A receiver as a real process, its database, and a proxy in between that can misbehave."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

from receiver.frames import Frame, decode_frames
from receiver.spool import decode_webhook
from shared.crypto import KeyRing, generate_key
from shared.db.channels import insert_channel, seal_secrets
from shared.db.migrate import set_role_passwords
from shared.providers import PROVIDERS
from shared.providers.base import Request

T = TypeVar("T")
PASSWORD = "receiver-password"
WHAPI = "whapi-channel-0000000000"
META = "meta-channel-00000000000"
SECRETS: Mapping[str, Mapping[str, str]] = {
    WHAPI: {"token": "whapi-token-0123456789"},
    META: {"app_secret": "app-secret-0123456789", "verify_token": "verify-token-0123456789"},
}
PROVIDER = {WHAPI: "whapi", META: "meta_cloud"}


def wait_until(condition: Callable[[], T], seconds: float = 30.0) -> T:
    """What the condition returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {seconds} s")
        time.sleep(0.02)
    return value


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and wasn't waited for doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class World:
    """A migrated database with a channel of each kind, and the keys of its secrets."""

    def __init__(self, owner_url: str, folder: Path) -> None:
        self.owner_url = owner_url
        self.folder = folder
        self.spool_dir = folder / "spool"
        self.keys = generate_key()
        self.ring = KeyRing([self.keys], name="SECRET_KEYS")

    @property
    def receiver_url(self) -> str:
        """How the receiver connects: with its own role."""
        return as_role(self.owner_url, "ctwa_receiver")

    def set_up(self) -> None:
        with psycopg.connect(self.owner_url) as conn:
            set_role_passwords(conn, {"ctwa_receiver": PASSWORD})
            for key in (WHAPI, META):
                self.add_channel(key, PROVIDER[key], SECRETS[key])

    def add_channel(self, key: str, provider: str, secrets: Mapping[str, str], *, enabled: bool = True) -> None:
        with psycopg.connect(self.owner_url) as conn:
            insert_channel(
                conn,
                {
                    "key": key,
                    "name": key,
                    "workspace": "default",
                    "provider": provider,
                    "secrets": seal_secrets(self.ring, [secrets]),
                    "unsigned": False,
                    "dataset_id": None,
                    "currency": None,
                    "country": None,
                    "zone": "UTC",
                    "post_policy": "ignore",
                    "enabled": enabled,
                    "is_test": False,
                },
            )

    def stored(self) -> list[bytes]:
        """The bodies in the table."""
        with psycopg.connect(self.owner_url) as conn:
            rows = conn.execute("select body from webhooks order by received_at, id").fetchall()
        return [self.ring.open(row[0]) for row in rows]

    def kept(self) -> list[bytes]:
        """The bodies that are durable: on a busy machine a commit takes so long that the spool takes some of them."""
        # The spool first: what leaves it between two looks is in the table by the second.
        spooled = [body for _, body in self.spooled()]
        return spooled + self.stored()

    def stored_ids(self) -> set[str]:
        with psycopg.connect(self.owner_url) as conn:
            return {str(row[0]) for row in conn.execute("select id from webhooks").fetchall()}

    def spooled(self) -> list[tuple[str, bytes]]:
        """Ids and bodies in the spool."""
        found = []
        for path in sorted(self.spool_dir.glob("*.spool")):
            for part in decode_frames(path.read_bytes()):
                if isinstance(part, Frame):
                    webhook = decode_webhook(self.ring.open(part.record))
                    found.append((str(webhook.id), self.ring.open(webhook.body)))
        return found


class Receiver:
    """`python -m receiver`, in a process group of its own."""

    def __init__(
        self,
        world: World,
        *,
        redis_url: str = "",
        database_url: str | None = None,
        arguments: tuple[str, ...] = (),
        **settings: str,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = world.folder / f"receiver-{self.port}.log"
        self.env = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PYTHONPATH")},
            "DATABASE_URL": database_url or world.receiver_url,
            "REDIS_URL": redis_url,
            "SECRET_KEYS": world.keys,
            "SPOOL_DIR": str(world.spool_dir),
            "LOG_FORMAT": "json",
            "PUBLIC_URL": "https://hooks.example",
            **settings,
        }
        self.command = [sys.executable, "-m", "receiver", "--port", str(self.port), *arguments]

    def start(self) -> "Receiver":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.env, stdout=log, stderr=log, start_new_session=True)
        wait_until(self._is_up)
        return self

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.output()
        try:
            return requests.get(f"{self.url}/healthz", timeout=2).ok
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """kill -9, master and workers at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> float:
        """SIGTERM to the master; the seconds it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
        return time.monotonic() - began

    def workers(self) -> list[int]:
        """The process ids of the live workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if is_alive(int(pid))]

    def output(self) -> str:
        return self.log.read_text()

    def post(self, body: bytes, key: str = WHAPI, path: str = "", **options: object) -> requests.Response:
        """One signed webhook."""
        return requests.post(  # type: ignore[no-any-return]
            f"{self.url}/webhooks/{key}{path}",
            data=body,
            headers=signature(body, key),
            timeout=20,
            **options,  # type: ignore[arg-type]
        )

    def ready(self) -> dict[str, object]:
        return dict(requests.get(f"{self.url}/readyz", timeout=5).json())

    def raw(self, data: bytes, *, seconds: float = 5.0) -> bytes:
        """What is answered to these very bytes, until the connection closes or `seconds` have passed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as sock:
            sock.sendall(data)
            answer = b""
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while part := sock.recv(65536):
                    answer += part
                    if b"\r\n\r\n" in answer:
                        break
            return answer


@contextlib.contextmanager
def running(world: World, **options: object) -> Iterator[Receiver]:
    receiver = Receiver(world, **options)  # type: ignore[arg-type]
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def signature(body: bytes, key: str = WHAPI) -> dict[str, str]:
    return dict(PROVIDERS[PROVIDER[key]].sign(Request(body=body), SECRETS[key]))


def request_head(length: int | None, *, key: str = WHAPI, extra: str = "", body: bytes = b"") -> bytes:
    """The head of a webhook, signed for `body`."""
    lines = [f"POST /webhooks/{key} HTTP/1.1", "Host: x"]
    lines += [f"{name}: {value}" for name, value in signature(body, key).items()]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([*lines, *([extra] if extra else []), "", ""]).encode()


def as_role(url: str, role: str, password: str = PASSWORD) -> str:
    """The same database for another role; takes URLs and connection strings."""
    if "://" not in url:
        return psycopg.conninfo.make_conninfo(url, user=role, password=password)
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{password}@{host}"))


class Proxy:
    """A TCP proxy before Postgres. `silent` swallows what the server says; `deaf` swallows what it is told."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self.silent = threading.Event()
        self.deaf = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        return psycopg.conninfo.make_conninfo(url, host="127.0.0.1", port=self.port)

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
                for source, sink, mute in ((client, server, self.deaf), (server, client, self.silent)):
                    threading.Thread(target=_pump, args=(source, sink, mute), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, mute: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if not mute.is_set():
                sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
            one.close()
