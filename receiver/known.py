"""Rows that this process knows by heart: re-read every few seconds in a thread of their own, never by a request.

An encrypted copy on disk lets a receiver start, and go on, while Postgres is away.
"""

import json
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import psycopg

from shared.crypto import CannotDecrypt, KeyRing
from shared.db.pool import connection_options
from shared.logs import get_logger

log = get_logger(__name__)

REFRESH_SECONDS = 2.0
#: An unknown key makes the rows be read again at once, but not more often than this.
LOOK_AGAIN_SECONDS = 1.0

Row = TypeVar("Row")


class Known(ABC, Generic[Row]):
    """Rows of one table. `start` reads them once and keeps them fresh until `close`."""

    #: What the rows are, for the log, and the name of their copy on disk.
    what: ClassVar[str]
    copy_name: ClassVar[str]

    def __init__(
        self,
        *,
        read: Callable[[], list[Row]],
        ring: KeyRing,
        folder: Path,
        refresh_seconds: float = REFRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._ring = ring
        self._copy = folder / self.copy_name
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._rows: list[Row] = []
        self._lock = threading.Lock()
        self._looked_again_at = float("-inf")
        self._looking: Future[None] | None = None
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.what, daemon=True)
        #: False until the rows were read from Postgres or from the copy: until then nobody is "unknown".
        self.known = False
        #: Whether the last look at Postgres succeeded.
        self.fresh = False

    @abstractmethod
    def use(self, rows: Sequence[Row], before: Sequence[Row]) -> int:
        """Takes over what was read; how many of the rows can be used."""

    @abstractmethod
    def as_json(self, row: Row) -> dict[str, object]:
        """A row as it stands in the copy."""

    @abstractmethod
    def from_json(self, row: dict[str, Any]) -> Row:
        """A row from the copy. Raises ValueError, KeyError or TypeError."""

    def start(self) -> None:
        """Reads the rows, from the copy if Postgres is away, and starts to keep them fresh."""
        self.refresh()
        if not self.known:
            self._load_copy()
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def look_again(self) -> Future[None] | None:
        """Has the rows read again now; done when they were. None if that was done within the last second."""
        with self._lock:
            if self._looking is None:
                if self._clock() - self._looked_again_at < LOOK_AGAIN_SECONDS:
                    return None
                self._looking = Future()
                self._wake.set()
            return self._looking

    def refresh(self) -> None:
        """Reads the rows from Postgres; on failure what is known stays."""
        try:
            rows = self._read()
        except (psycopg.Error, OSError) as error:
            if self.fresh or not self.known:
                log.warning(f"{self.what} not read, going on with those known", error=type(error).__name__)
            self.fresh = False
            return
        self.fresh = True
        if rows != self._rows or not self.known:
            self._use(rows)
            self._save_copy(rows)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._refresh_seconds)
            with self._lock:
                self._wake.clear()
                self._looked_again_at = self._clock()
            if self._closing.is_set():
                break
            self.refresh()
            with self._lock:
                looking, self._looking = self._looking, None
            if looking:
                looking.set_result(None)

    def _use(self, rows: list[Row]) -> None:
        usable = self.use(rows, self._rows)
        self._rows, self.known = rows, True
        log.info(f"{self.what} read", usable=usable, fresh=self.fresh)

    def _save_copy(self, rows: Sequence[Row]) -> None:
        sealed = self._ring.seal(json.dumps([self.as_json(row) for row in rows]).encode())
        fresh = self._copy.with_name(f"{self.copy_name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._copy)
        except OSError as error:
            log.warning(f"copy of the {self.what} not written", error=error.strerror)

    def _load_copy(self) -> None:
        try:
            rows = [self.from_json(row) for row in json.loads(self._ring.open(self._copy.read_bytes()))]
        except FileNotFoundError:
            log.error(f"no {self.what}: Postgres is away, and there is no copy from an earlier run")
            return
        except (OSError, CannotDecrypt, ValueError, KeyError, TypeError) as error:
            log.error(f"no {self.what}: Postgres is away, and the copy is unusable", error=type(error).__name__)
            return
        log.warning(f"starting with the {self.what} of an earlier run, Postgres is away")
        self._use(rows)


class Reader(Generic[Row]):
    """Reads rows over a connection of its own, which is made anew after a failure."""

    def __init__(self, database_url: str, select: Callable[[psycopg.Connection[Any]], list[Row]], *, name: str) -> None:
        self._database_url = database_url
        self._select = select
        self._name = name
        self._conn: psycopg.Connection[Any] | None = None

    def __call__(self) -> list[Row]:
        """Every row. Raises psycopg.Error."""
        try:
            if self._conn is None:
                self._conn = psycopg.connect(
                    self._database_url,
                    autocommit=True,
                    **connection_options(self._name, statement_seconds=2),
                )
            return self._select(self._conn)
        except psycopg.Error:
            self.close()
            raise

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
