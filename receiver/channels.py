"""The channels this process knows: re-read every few seconds in a thread of their own, never by a request.

An encrypted copy on disk lets a receiver start, and go on, while Postgres is away.
"""

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from shared.crypto import CannotDecrypt, KeyRing
from shared.db.channels import DoorChannel, door_channels, open_secrets
from shared.db.pool import connection_options
from shared.logs import get_logger
from shared.providers import PROVIDERS
from shared.providers.base import Provider

log = get_logger(__name__)

REFRESH_SECONDS = 2.0
#: An unknown key makes the channels be read again at once, but not more often than this.
LOOK_AGAIN_SECONDS = 1.0
COPY_NAME = "channels.sealed"


@dataclass(frozen=True, slots=True, repr=False)
class OpenChannel:
    """A channel with its secrets opened; `secrets` is None when no key of SECRET_KEYS opens them."""

    id: int
    key: str
    provider: Provider
    secrets: Sequence[Mapping[str, str]] | None
    #: What must not be kept of a request: every secret long enough to be one.
    secret_values: tuple[str, ...]
    unsigned: bool
    enabled: bool


class Channels:
    """The known channels by key. `start` reads them once and keeps them fresh until `close`."""

    def __init__(
        self,
        *,
        read: Callable[[], list[DoorChannel]],
        ring: KeyRing,
        folder: Path,
        refresh_seconds: float = REFRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._ring = ring
        self._copy = folder / COPY_NAME
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._by_key: dict[str, OpenChannel] = {}
        self._rows: list[DoorChannel] = []
        self._lock = threading.Lock()
        self._looked_again_at = float("-inf")
        self._looking: Future[None] | None = None
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="channels", daemon=True)
        #: False until channels were read from Postgres or from the copy: until then nobody is "unknown".
        self.known = False
        #: Whether the last look at Postgres succeeded.
        self.fresh = False

    def start(self) -> None:
        """Reads the channels, from the copy if Postgres is away, and starts to keep them fresh."""
        self.refresh()
        if not self.known:
            self._load_copy()
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def get(self, key: str) -> OpenChannel | None:
        """The channel with this key, as last read. No I/O."""
        return self._by_key.get(key)

    def look_again(self) -> Future[None] | None:
        """Has the channels read again now; done when they were. None if that was done within the last second."""
        with self._lock:
            if self._looking is None:
                if self._clock() - self._looked_again_at < LOOK_AGAIN_SECONDS:
                    return None
                self._looking = Future()
                self._wake.set()
            return self._looking

    def refresh(self) -> None:
        """Reads the channels from Postgres; on failure what is known stays."""
        try:
            rows = self._read()
        except (psycopg.Error, OSError) as error:
            if self.fresh or not self.known:
                log.warning("channels not read, going on with those known", error=type(error).__name__)
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

    def _use(self, rows: list[DoorChannel]) -> None:
        before = {row.id: row for row in self._rows}
        by_key = {}
        for row in rows:
            same = self._by_key.get(row.key) if before.get(row.id) == row else None
            channel = same or self._open(row)
            if channel:
                by_key[channel.key] = channel
        self._by_key, self._rows, self.known = by_key, rows, True
        log.info("channels read", channels=len(by_key), fresh=self.fresh)

    def _open(self, row: DoorChannel) -> OpenChannel | None:
        provider = PROVIDERS.get(row.provider)
        if provider is None:
            log.error("channel of an unknown provider left out", channel_id=row.id, provider=row.provider)
            return None
        secrets: list[dict[str, str]] | None
        try:
            secrets = open_secrets(self._ring, row.secrets)
        except (CannotDecrypt, ValueError):
            log.error("channel's secrets can't be opened, its webhooks get a 503", channel_id=row.id)
            secrets = None
        return OpenChannel(
            id=row.id,
            key=row.key,
            provider=provider,
            secrets=secrets,
            secret_values=tuple(value for one in secrets or () for value in one.values() if len(value) >= 8),
            unsigned=row.unsigned,
            enabled=row.enabled,
        )

    def _save_copy(self, rows: list[DoorChannel]) -> None:
        sealed = self._ring.seal(json.dumps([_as_json(row) for row in rows]).encode())
        fresh = self._copy.with_name(f"{COPY_NAME}.{os.getpid()}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._copy)
        except OSError as error:
            log.warning("copy of the channels not written", error=error.strerror)

    def _load_copy(self) -> None:
        try:
            rows = [_from_json(row) for row in json.loads(self._ring.open(self._copy.read_bytes()))]
        except FileNotFoundError:
            log.error("no channels: Postgres is away, and there is no copy from an earlier run")
            return
        except (OSError, CannotDecrypt, ValueError, KeyError, TypeError) as error:
            log.error("no channels: Postgres is away, and the copy is unusable", error=type(error).__name__)
            return
        log.warning("starting with the channels of an earlier run, Postgres is away")
        self._use(rows)


class ChannelReader:
    """Reads the channels over a connection of its own, which is made anew after a failure."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._conn: psycopg.Connection[Any] | None = None

    def __call__(self) -> list[DoorChannel]:
        """Every channel. Raises psycopg.Error."""
        try:
            if self._conn is None:
                self._conn = psycopg.connect(
                    self._database_url,
                    autocommit=True,
                    **connection_options("receiver-channels", statement_seconds=2),
                )
            return door_channels(self._conn)
        except psycopg.Error:
            self.close()
            raise

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None


def _as_json(row: DoorChannel) -> dict[str, object]:
    return {
        "id": row.id,
        "key": row.key,
        "provider": row.provider,
        "secrets": base64.b64encode(row.secrets).decode(),
        "unsigned": row.unsigned,
        "enabled": row.enabled,
    }


def _from_json(row: dict[str, Any]) -> DoorChannel:
    return DoorChannel(**{**row, "secrets": base64.b64decode(row["secrets"])})
