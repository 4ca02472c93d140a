"""A log file that cannot fill the disk: when it is full it is renamed to `<name>.log.1` and begun again."""

from __future__ import annotations

import os
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:  # the launcher does without pathlib
    from pathlib import Path

MAX_BYTES = 10_000_000
STARTED = "=== started "


class LogFile:
    """An append-only file of at most `max_bytes`, and one older file of the same size."""

    def __init__(self, path: Path | str, max_bytes: int = MAX_BYTES) -> None:
        self._path = os.fspath(path)
        self._max_bytes = max_bytes
        os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True, mode=0o700)
        self._open()

    def write(self, data: bytes) -> None:
        """Append; a full disk loses the line, never the process that wrote it."""
        if self._size and self._size + len(data) > self._max_bytes:
            os.close(self._fd)
            os.replace(self._path, f"{self._path}.1")
            self._open()
        try:
            self._size += os.write(self._fd, data)
        except OSError:
            return

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size


def tail(path: Path, lines: int = 20) -> list[str]:
    """The last lines that the latest start of a process wrote; empty if it wrote none."""
    if not path.exists():
        return []
    kept: deque[str] = deque(maxlen=lines)
    with path.open(errors="replace") as file:
        for line in file:
            if line.startswith(STARTED):
                kept.clear()
            else:
                kept.append(line.rstrip("\n"))
    return list(kept)
