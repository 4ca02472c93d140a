"""Tells Postgres what waits on this host's disk, so that an alert comes where nobody watches a receiver's metrics."""

import os
import secrets
import socket
import time
from pathlib import Path

import psycopg

from receiver.spool import ASIDE_SUFFIXES, SUFFIX
from shared.db.pool import connection_options
from shared.db.spools import report_spool

#: While something waits, it is said again this often.
EVERY_SECONDS = 30.0


class SpoolReport:
    """What one process says of its host's spool. `run` is called again and again, while Postgres is up."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._database_url = database_url
        self._folder = folder
        self._said: tuple[int, int] | None = None
        self._said_at = 0.0

    def run(self) -> None:
        """Says what there is, if it changed or has lasted for a while. Raises psycopg.Error or OSError."""
        now = _count(self._folder)
        lasts = any(now) and time.monotonic() - self._said_at >= EVERY_SECONDS
        if now == self._said and not lasts:
            return
        with psycopg.connect(
            self._database_url, autocommit=True, **connection_options("receiver-spool", statement_seconds=2)
        ) as conn:
            report_spool(conn, name_of(self._folder), bytes_=now[0], set_aside=now[1])
        self._said, self._said_at = now, time.monotonic()


def name_of(folder: Path) -> str:
    """The spool's name: the host's at the beginning, kept in the folder, since a container's host has a new one each
    time while the disk stays the same."""
    path = folder / "name"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8") or socket.gethostname()
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        name = f"{socket.gethostname()}-{secrets.token_hex(2)}"
        file.write(name)
    return name


def _count(folder: Path) -> tuple[int, int]:
    """Bytes that wait to be drained, and files that were set aside. Empty files are those being opened."""
    waiting = set_aside = 0
    for entry in os.scandir(folder):
        if entry.name.endswith(ASIDE_SUFFIXES):
            set_aside += 1
        elif entry.name.endswith(SUFFIX):
            try:
                waiting += entry.stat().st_size
            except FileNotFoundError:
                continue
    return waiting, set_aside
