"""The lock that lets one supervisor at a time use a state folder, and tells who that is.

The lock is flock(2)'s, so it ends with its holders and cannot go stale. The supervisor shares it with the launchers
of its processes: after a kill -9 of the supervisor it stays held until the last of its processes is gone too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from shared.local.process import StackError

_POLL_SECONDS = 0.05
_SETTLE_SECONDS = 0.5  # longer than anybody holds the lock just to look at it


@contextlib.contextmanager
def held_lock(state_dir: Path, seconds: float = 60.0) -> Iterator[int]:
    """The descriptor of the lock, held for the length of a `with` block.

    Waits, for `seconds` at most, for the processes of a supervisor that was killed to end. Raises StackError if
    another supervisor runs on this folder.
    """
    descriptor = os.open(_lock_file(state_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, state_dir, seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def running_pid(state_dir: Path) -> int | None:
    """The pid of the supervisor that runs on this folder. A pid that the system has given to another is not it."""
    if is_free(state_dir):
        return None
    return _live_pid(_lock_file(state_dir))


def is_free(state_dir: Path) -> bool:
    """Whether no supervisor runs on this folder and no process of an earlier one is left."""
    try:
        descriptor = os.open(_lock_file(state_dir), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _take(descriptor: int, state_dir: Path, seconds: float) -> None:
    begun = time.monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - begun
            pid = _live_pid(_lock_file(state_dir))
            if pid is not None and waited > _SETTLE_SECONDS:
                raise StackError(
                    f"A local stack already runs on {state_dir} (process {pid})."
                    f" Stop it with `ctwa down` or `kill {pid}`, or use another state folder."
                ) from None
            if waited > seconds:
                raise StackError(
                    f"Processes of an earlier local stack still hold {_lock_file(state_dir)} after {seconds:.0f} s."
                    f" Find them with `fuser {_lock_file(state_dir)}`."
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _live_pid(path: Path) -> int | None:
    text = path.read_text().strip()
    if not text:
        return None
    try:
        os.kill(int(text), 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # it runs, as another user
    return int(text)


def _lock_file(state_dir: Path) -> Path:
    return state_dir / "supervisor.lock"
