"""A supervisor in the background: starting it from a terminal, and stopping it from another."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import NoReturn, TextIO

from shared.local.lock import is_free, running_pid
from shared.local.process import StackError
from shared.local.stack import remove_stack
from shared.local.supervisor import Supervisor

_OUTCOME = "\0"
_POLL_SECONDS = 0.05


def start_detached(supervisor: Supervisor) -> int:
    """Run the supervisor in a session of its own; return once everything has started, or has failed to.

    What it says until then is printed here; afterwards it goes to logs/supervisor.log. Returns 0 when all is
    ready, otherwise the supervisor's exit status. It forks, so call it before any thread is started.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(read)
        os.setsid()
        if os.fork():
            os._exit(0)
        _run(supervisor, write)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read, errors="replace") as lines:
        background = int(lines.readline() or 0)
        try:
            return _relay(lines)
        except KeyboardInterrupt:
            with contextlib.suppress(ProcessLookupError):
                os.kill(background, signal.SIGTERM)
            return _relay(lines)


def stop(state_dir: Path, seconds: float = 90.0) -> bool:
    """Stop the supervisor that runs on this folder and wait until its last process is gone.

    False if none was running. Raises StackError if it is not gone after `seconds`.
    """
    state_dir = state_dir.resolve()
    pid = running_pid(state_dir)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while not is_free(state_dir):
        if time.monotonic() > deadline:
            raise StackError(
                f"The local stack on {state_dir} (process {pid}) has not stopped in {seconds:.0f} s."
                f" See {state_dir / 'logs' / 'supervisor.log'}; `kill -9 {pid}` ends it and all its processes."
            )
        time.sleep(_POLL_SECONDS)
    remove_stack(state_dir)
    return pid is not None


def _run(supervisor: Supervisor, write: int) -> NoReturn:
    """The background process, from its birth to its end; nothing may return into the caller's code from here."""
    status = 1

    def let_go() -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(write, f"{_OUTCOME}0\n".encode())
        os.close(write)
        _redirect(os.devnull, os.O_WRONLY, 1)
        _redirect(str(supervisor.state_dir / "logs" / "supervisor.log"), os.O_WRONLY | os.O_APPEND, 2)

    try:
        os.write(write, f"{os.getpid()}\n".encode())
        _redirect(os.devnull, os.O_RDONLY, 0)
        for descriptor in (1, 2):
            os.dup2(write, descriptor)
        status = supervisor.run(echo=False, when_ready=let_go)
        os.write(1, f"{_OUTCOME}{status}\n".encode())
    except BaseException:  # noqa: BLE001 (reported here, since nobody is above)
        traceback.print_exc()
    finally:
        os._exit(status)


def _redirect(path: str, flags: int, descriptor: int) -> None:
    opened = os.open(path, flags)
    os.dup2(opened, descriptor)
    os.close(opened)


def _relay(lines: TextIO) -> int:
    """Print what the background process says until it says how it went."""
    for line in lines:
        if line.startswith(_OUTCOME):
            return int(line[1:])
        sys.stdout.write(line)
        sys.stdout.flush()
    return 1
