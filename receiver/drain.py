"""Empties the spool into Postgres: every file on this host that no living process appends to, oldest first.

One receiver drains at a time (flock on the folder's `drain.lock`). A drain that is killed starts its file again, and
the rows that were stored already stay as they are.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from receiver.batches import batches
from receiver.frames import Damage, Frame, decode_frames, encode_frame
from receiver.postgres import is_data_error
from receiver.spool import SUFFIX, Spool, decode_webhook, encode_webhook, sync_folder
from shared.crypto import CannotDecrypt, KeyRing
from shared.db.pool import connection_options
from shared.db.webhooks import NewWebhook, insert_webhooks
from shared.logs import get_logger

log = get_logger(__name__)


class Drain:
    """Moves spooled webhooks into Postgres. `run` is called again and again, in a thread of its own."""

    def __init__(self, database_url: str, *, spool: Spool, ring: KeyRing) -> None:
        self._database_url = database_url
        self._spool = spool
        self._ring = ring
        self._sealed: set[str] = set()

    def run(self) -> int:
        """Drains what there is; the number of webhooks stored. Raises psycopg.Error or OSError: to be tried later."""
        if not self._spool.size().files:
            return 0
        self._spool.hand_over()
        total = 0
        with _only_one(self._spool.folder) as alone:
            files = sorted(self._spool.folder.glob(f"*{SUFFIX}")) if alone else []
            if files:
                with psycopg.connect(
                    self._database_url,
                    autocommit=True,
                    **connection_options("receiver-drain", statement_seconds=10),
                ) as conn:
                    total = sum(self._drain_file(conn, path) for path in files)
        self._spool.forget_size()
        if total:
            log.info("spool drained into Postgres", webhooks=total)
        return total

    def _drain_file(self, conn: psycopg.Connection[Any], path: Path) -> int:
        with _unowned(path) as data:
            if data is None:
                return 0
            try:
                webhooks, damaged = self._read(path, data)
            except CannotDecrypt:
                if path.name not in self._sealed:
                    self._sealed.add(path.name)
                    log.error("spool file kept: no key of SECRET_KEYS opens it", file=path.name)
                return 0
            for batch in batches(webhooks):
                self._store(conn, path, batch)
            if damaged:
                path.rename(path.with_suffix(".damaged"))
            else:
                path.unlink()
            sync_folder(path.parent)
            return len(webhooks)

    def _read(self, path: Path, data: bytes) -> tuple[list[NewWebhook], bool]:
        """The file's webhooks, and whether some of its inside is damaged. Raises CannotDecrypt."""
        webhooks, damaged = [], False
        for part in decode_frames(data):
            match part:
                case Frame():
                    record = self._ring.open(part.record)
                    try:
                        webhooks.append(decode_webhook(record))
                    except (ValueError, KeyError, TypeError) as error:
                        damaged = True
                        log.error("spooled record not understood", file=path.name, error=type(error).__name__)
                case Damage(torn=True):
                    log.warning("torn end of a spool file cut off", file=path.name, bytes=part.end - part.start)
                case Damage():
                    damaged = True
                    log.error("spool file damaged", file=path.name, at=part.start, bytes=part.end - part.start)
        return webhooks, damaged

    def _store(self, conn: psycopg.Connection[Any], path: Path, batch: Sequence[NewWebhook]) -> None:
        try:
            insert_webhooks(conn, batch)
        except psycopg.Error as error:
            if not is_data_error(error):
                raise
            if len(batch) > 1:
                for webhook in batch:
                    self._store(conn, path, [webhook])
                return
            self._set_aside(path, batch[0], error.sqlstate)

    def _set_aside(self, path: Path, webhook: NewWebhook, sqlstate: str | None) -> None:
        log.error("Postgres refuses a spooled webhook, set aside", webhook_id=str(webhook.id), sqlstate=sqlstate)
        record = encode_frame(self._ring.seal(encode_webhook(webhook)))
        aside = path.with_suffix(".refused")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(record)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def _only_one(folder: Path) -> Iterator[bool]:
    """True for the one receiver on this host that may drain."""
    fd = os.open(folder / "drain.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _locked(fd)
    finally:
        os.close(fd)


@contextmanager
def _unowned(path: Path) -> Iterator[bytes | None]:
    """The bytes of a file that nobody appends to, locked meanwhile; None if somebody does."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield path.read_bytes() if _locked(fd) else None
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
