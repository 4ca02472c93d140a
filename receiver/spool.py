"""The spool: where acknowledged webhooks wait while Postgres is away. Each process appends to a file of its own.

A file is locked (flock) by the process that appends to it, so a file without a lock belongs to nobody and may be
drained by any receiver on the host, also after its owner was killed.
"""

import base64
import fcntl
import json
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from receiver.frames import encode_frame
from shared.crypto import KeyRing
from shared.db.webhooks import NewWebhook
from shared.logs import get_logger

log = get_logger(__name__)

SUFFIX = ".spool"
#: What a drain sets aside for a person: damaged files, and rows that Postgres will never take.
ASIDE_SUFFIXES = (".damaged", ".refused")
#: A file is handed over for draining at this size, so that a drain that was killed repeats little.
ROTATE_BYTES = 16 * 1024 * 1024
_COUNT_SECONDS = 1.0


class SpoolFull(Exception):
    """The spool may not grow any further, or the disk refuses to; nothing was stored."""


@dataclass(frozen=True, slots=True)
class SpoolSize:
    bytes: int
    files: int


class Spool:
    """Appends records durably. Safe between threads."""

    def __init__(self, folder: Path, *, ring: KeyRing, max_bytes: int, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._ring = ring
        self._rotate_bytes = rotate_bytes
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._path: Path | None = None
        self._written = 0
        self._counted = SpoolSize(0, 0)
        self._counted_at = float("-inf")

    def prepare(self) -> None:
        """Makes the folder, for our eyes only. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def append(self, webhooks: Sequence[NewWebhook]) -> None:
        """Stores all of them, or none: on return they are on the disk (one fdatasync). Raises SpoolFull."""
        data = b"".join(encode_frame(self._ring.seal(encode_webhook(webhook))) for webhook in webhooks)
        with self._lock:
            if self.size().bytes + len(data) > self.max_bytes:
                raise SpoolFull("the spool has reached SPOOL_MAX_BYTES")
            try:
                self._append(data)
            except OSError as error:
                raise SpoolFull(f"the disk does not take it: {error.strerror}") from error
            if self._written >= self._rotate_bytes:
                self._release()

    def size(self) -> SpoolSize:
        """What the spool of this host holds, all processes together; counted at most once a second."""
        if time.monotonic() - self._counted_at > _COUNT_SECONDS:
            self._counted, self._counted_at = count_spool(self.folder), time.monotonic()
        return self._counted

    def has_room(self) -> bool:
        """Whether the spool could take another webhook now."""
        return self.size().bytes < self.max_bytes and os.access(self.folder, os.W_OK | os.X_OK)

    def hand_over(self) -> None:
        """Ends the current file, so that it can be drained. The next append begins a new one."""
        with self._lock:
            self._release()

    def forget_size(self) -> None:
        """Has the files counted anew; a drain has made room."""
        self._counted_at = float("-inf")

    def _append(self, data: bytes) -> None:
        if self._fd is None:
            self._begin()
        assert self._fd is not None
        try:
            _write_all(self._fd, data)
            os.fdatasync(self._fd)
        except OSError:
            # What is half written was not acknowledged; the file goes on behind what was.
            os.ftruncate(self._fd, self._written)
            raise
        self._written += len(data)
        self._counted = SpoolSize(self._counted.bytes + len(data), self._counted.files)

    def _begin(self) -> None:
        path = self.folder / f"{time.time_ns():020d}-{os.getpid()}{SUFFIX}"
        # Locked before it has its name: nobody ever sees it without the lock.
        unnamed = path.with_suffix(".new")
        fd = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unnamed.rename(path)
            sync_folder(self.folder)
        except OSError:
            os.close(fd)
            raise
        self._fd, self._path, self._written = fd, path, 0
        self._counted = SpoolSize(self._counted.bytes, self._counted.files + 1)
        log.warning("spooling webhooks", file=path.name)

    def _release(self) -> None:
        if self._fd is None:
            return
        if self._written == 0 and self._path is not None:
            self._path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd, self._path, self._written = None, None, 0


def count_spool(folder: Path) -> SpoolSize:
    """The bytes and files of every process's spool in this folder, with what drains have set aside."""
    size = files = 0
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return SpoolSize(0, 0)
    for entry in entries:
        if entry.name.endswith((SUFFIX, *ASIDE_SUFFIXES)):
            try:
                size += entry.stat().st_size
            except FileNotFoundError:
                continue
            files += 1
    return SpoolSize(size, files)


def sync_folder(folder: Path) -> None:
    """Makes the folder's list of files durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def encode_webhook(webhook: NewWebhook) -> bytes:
    """One webhook as JSON; `decode_webhook` reads it."""
    return json.dumps(
        {
            "id": str(webhook.id),
            "received_at": webhook.received_at.isoformat(),
            "source": webhook.source,
            "source_id": webhook.source_id,
            "method": webhook.method,
            "path": webhook.path,
            "query": webhook.query,
            "headers": webhook.headers,
            "body": base64.b64encode(webhook.body).decode("ascii"),
            "body_bytes": webhook.body_bytes,
        }
    ).encode()


def decode_webhook(record: bytes) -> NewWebhook:
    """What `encode_webhook` encoded. Raises ValueError, KeyError or TypeError if it is something else."""
    values: dict[str, Any] = json.loads(record)
    values["id"] = UUID(values["id"])
    values["received_at"] = datetime.fromisoformat(values["received_at"])
    values["body"] = base64.b64decode(values["body"])
    return NewWebhook(**values)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
