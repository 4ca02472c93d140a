"""One process of the stack: what to run, and the running of it under a launcher."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.local.launch import guard_command
from shared.local.logfile import tail
from shared.local.privileges import Privileges

_POLL_SECONDS = 0.02
_LAUNCHER_SECONDS = 5.0


class StackError(Exception):
    """The local stack cannot do what was asked; the text says what to do about it."""


@dataclass(frozen=True)
class Process:
    """What to run and how to look after it.

    `env` is the whole environment (None: the caller's own). `ready` is asked again and again, for `ready_seconds`
    at most, until it returns true; an exception counts as "not yet". `stop_signal` goes to the program alone, and
    after `stop_seconds` SIGKILL goes to everything it started. `restart` starts it again whenever it ends.
    `echo` shows its output in the foreground, `colour` being the SGR code of its prefix ("36" is cyan).
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = field(default=None, repr=False)
    cwd: Path | None = None
    ready: Callable[[], bool] | None = None
    ready_seconds: float = 30.0
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 10.0
    restart: bool = True
    echo: bool = True
    colour: str = ""
    privileges: Privileges = Privileges.KEEP


class Child:
    """A started process. `pid` is the program's own (0 when it could not be run), not its launcher's."""

    def __init__(
        self, process: Process, log: Path, *, prefix: str | None = None, keep_open: Sequence[int] = ()
    ) -> None:
        """Start it. Each line of output goes to `log` and, after `prefix`, to this process's stdout.

        The descriptors of `keep_open` stay open until the last descendant is gone: pass a locked file to have
        the lock last as long.
        """
        self.process = process
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        own_errors = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        read, write = os.pipe()
        try:
            command = guard_command(
                list(process.command),
                parent=os.getpid(),
                privileges=process.privileges,
                stop_signal=process.stop_signal,
                stop_seconds=process.stop_seconds,
                log=log,
                echo=prefix,
                pid_fd=write,
            )
            self._launcher = subprocess.Popen(
                command,
                env={**(os.environ if process.env is None else process.env), "PYTHONUNBUFFERED": "1"},
                cwd=process.cwd,
                stdin=subprocess.DEVNULL,
                stdout=None if prefix is not None else subprocess.DEVNULL,
                stderr=own_errors,
                pass_fds=(write, *keep_open),
                start_new_session=True,  # a Ctrl-C on the terminal is for the supervisor, which stops in order
            )
        finally:
            os.close(write)
            os.close(own_errors)
        with os.fdopen(read) as status:
            self.pid = int(status.readline() or 0)

    def exit_status(self) -> int | None:
        """None while it runs; afterwards its exit code, 128 + n when signal n ended it."""
        code = self._launcher.poll()
        if code is not None and code < 0:
            self._clean_up_after_launcher()
            return 128 - code
        return code

    def ask_to_stop(self) -> None:
        """Begin the stop; a second time, kill."""
        with contextlib.suppress(ProcessLookupError):
            self._launcher.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Stop it and wait until it and all it started are gone."""
        self.ask_to_stop()
        try:
            self._launcher.wait(self.process.stop_seconds + _LAUNCHER_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._launcher.wait()
        self.exit_status()

    def kill(self) -> None:
        """Last resort, for a launcher that does not answer."""
        self._launcher.kill()

    def _clean_up_after_launcher(self) -> None:
        """Somebody killed the launcher, so nobody waits for its program: kill that one's process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.pid:
                os.killpg(self.pid, signal.SIGKILL)


def ended_text(status: int) -> str:
    """How a process ended, for people: "exited with code 2", "was ended by SIGKILL"."""
    if status > 128:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(status - 128).name}"
    return f"exited with code {status}"


def log_tail_text(log: Path) -> str:
    """The end of a log for an error message, indented, with the file's name; says so when there is nothing."""
    lines = tail(log)
    return "\n".join([f"Last lines of {log}:", *(f"  {line}" for line in lines)]) if lines else f"{log} is empty."


@contextlib.contextmanager
def running(process: Process, log: Path) -> Iterator[Child]:
    """The process, ready, for the length of a `with` block. Raises StackError, with its log, if it cannot get ready."""
    child = Child(process, log)
    try:
        deadline = time.monotonic() + process.ready_seconds
        while not is_ready(process):
            if (status := child.exit_status()) is not None:
                raise StackError(f"{process.name} {ended_text(status)}. {log_tail_text(log)}")
            if time.monotonic() > deadline:
                raise StackError(f"{process.name} was not ready in {process.ready_seconds:.0f} s. {log_tail_text(log)}")
            time.sleep(_POLL_SECONDS)
        yield child
    finally:
        child.stop()


def is_ready(process: Process) -> bool:
    """What the process's own check says; a check that raises says no."""
    if process.ready is None:
        return True
    try:
        return process.ready()
    except Exception:  # noqa: BLE001 (whatever a probe fails with means the same: not yet)
        return False
