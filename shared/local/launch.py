"""The launcher: starts one program and stands guard over it until the last of its descendants is gone.

A supervisor that is killed with SIGKILL cannot stop what it started. So each program has a launcher of its own
between it and the supervisor. The launcher hears of its parent's end from the kernel (Linux) or by looking
(elsewhere), adopts every orphan below it, writes the program's output to a size-bounded log, and ends only when
nothing it started is left. If the launcher itself is killed, the kernel stops the program.

It is run as a script by `guard_command`, under `python -I -S`, so it and what it imports use the standard library only,
and little of that: there is one for each program, for as long as it runs, and argparse, pathlib, subprocess and
datetime would take 3 of the 7 MiB that each had.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import sys
import time

sys.path.insert(0, os.path.abspath(f"{__file__}/../../.."))

from shared.local.logfile import STARTED, LogFile
from shared.local.privileges import LINUX, Privileges, adopt_orphans, become, die_with_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import FrameType
    from typing import NoReturn

_LOOK_SECONDS = 0.5
_CANNOT_RUN = 127


class Launcher:
    """One program under guard. `run` returns its exit status, 128 + n when signal n ended it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._parent = options.parent
        self._stops = 0
        self._kill_at: float | None = None
        self._program = 0
        self._status: int | None = None
        #: Where its output is read, while there is any to read; None without a log.
        self._output: int | None = None
        self._log = LogFile(options.log) if options.log else None
        self._partial = b""
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def run(self) -> int:
        self._listen()
        adopt_orphans()
        die_with_parent(signal.SIGHUP, self._parent)
        self._note(f"{STARTED}{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {self._options.command[0]}")
        try:
            self._start()
        except OSError as error:
            self._say(f"cannot run {self._options.command[0]}: {error.strerror or error}")
            return _CANNOT_RUN
        status = self._guard()
        _kill_group(self._program)
        _kill_descendants()
        self._drain()
        return status

    def _listen(self) -> None:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGHUP, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1

    def _start(self) -> None:
        """Run the program in a process group of its own. Raises OSError, with the reason, when it can't be run."""
        guard = os.getpid()
        _keep_descriptors()
        # Exec closes both ends: what is read is why there was none.
        failed_read, failed_write = os.pipe()
        self._output, output = os.pipe() if self._log else (None, None)
        self._program = os.fork()
        if self._program == 0:
            self._become_program(guard, output, failed_write)
        os.close(failed_write)
        if output is not None:
            os.close(output)
        with os.fdopen(failed_read, "rb") as failed:
            if code := failed.read():
                os.waitpid(self._program, 0)
                raise OSError(int(code), os.strerror(int(code)))
        if self._options.pid_fd is not None:
            os.write(self._options.pid_fd, f"{self._program}\n".encode())
            os.close(self._options.pid_fd)

    def _become_program(self, guard: int, output: int | None, failed: int) -> NoReturn:
        """The child, from fork to exec."""
        try:
            os.setpgid(0, 0)
            if output is not None:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(output, 1)
                os.dup2(output, 2)
            # Python ignores these two, and a program would go on ignoring them.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            try:
                become(self._options.privileges)
                die_with_parent(self._options.stop_signal, guard)
            except (OSError, KeyError) as error:
                os.write(2, f"cannot become {self._options.privileges}: {error}\n".encode())
                os._exit(_CANNOT_RUN)
            os.execvp(self._options.command[0], self._options.command)  # noqa: S606
        except OSError as error:
            os.write(failed, str(error.errno).encode())
        finally:
            os._exit(_CANNOT_RUN)

    def _guard(self) -> int:
        """Pass on stops and output until the program ends."""
        while (status := self._reap()) is None:
            self._look_for_parent()
            self._pass_on_stop(self._program)
            self._pump(self._pause())
        return status

    def _pass_on_stop(self, pid: int) -> None:
        """One polite signal to the program alone, which knows its children best; SIGKILL to its whole group when
        its time is up or somebody asks twice."""
        if self._stops and self._kill_at is None:
            self._kill_at = time.monotonic() + self._options.stop_seconds
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, self._options.stop_signal)
        if self._kill_at is not None and (self._stops > 1 or time.monotonic() >= self._kill_at):
            self._kill_at = math.inf
            _kill_group(pid)

    def _reap(self) -> int | None:
        """Bury every dead child, adopted ones too; the program's exit status once it is among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return self._status
            if pid == 0:
                return None
            if pid == self._program:
                code = os.waitstatus_to_exitcode(status)
                self._status = code if code >= 0 else 128 - code
                return self._status

    def _look_for_parent(self) -> None:
        if not self._stops and os.getppid() != self._parent:
            self._stops = 1

    def _pause(self) -> float | None:
        """Seconds until there is something to do that no signal will announce."""
        waits = [] if LINUX else [_LOOK_SECONDS]
        if self._kill_at is not None and self._kill_at < math.inf:
            waits.append(max(0.0, self._kill_at - time.monotonic()))
        return min(waits, default=None)

    def _pump(self, seconds: float | None) -> bool:
        """Wait for a signal or output and copy the output. False when the output has ended."""
        watched: list[int] = [self._wake_read]
        if self._output is not None:
            watched.append(self._output)
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        if self._output is None or self._output not in ready:
            return bool(ready)
        data = os.read(self._output, 65536)
        if not data:
            os.close(self._output)
            self._output = None
            return False
        self._write(data)
        return True

    def _drain(self) -> None:
        while self._output is not None and self._pump(0):
            continue
        if self._partial:
            self._write(b"\n")

    def _note(self, line: str) -> None:
        if self._log:
            self._log.write(f"{line}\n".encode())

    def _say(self, line: str) -> None:
        if self._log:
            self._write(f"{line}\n".encode())
        else:
            os.write(2, f"{line}\n".encode())

    def _write(self, data: bytes) -> None:
        """Log whole lines, and show them with their prefix while there is a terminal to show them on."""
        assert self._log is not None
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        if len(self._partial) > 65536:
            lines.append(self._partial)
            self._partial = b""
        if not lines:
            return
        self._log.write(b"".join(line + b"\n" for line in lines))
        if self._options.echo is not None:
            prefix = self._options.echo.encode()
            try:
                _write_all(1, b"".join(prefix + line + b"\n" for line in lines))
            except OSError:
                self._options.echo = None


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _kill_descendants() -> None:
    """Kill children until none is left; each kill hands its own children up to this process (the subreaper)."""
    while True:
        for pid in _children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Pids whose parent is this process, from /proc; empty where there is no /proc."""
    own = os.getpid()
    found = []
    for name in _names("/proc"):
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{int(name)}/stat", "rb") as stat:
            # The second field is the name in brackets and may hold anything; the parent is the second after it.
            if int(stat.read().rpartition(b")")[2].split()[1]) == own:
                found.append(int(name))
    return found


def _keep_descriptors() -> None:
    """What is open here stays here: the program gets the three standard streams alone."""
    for name in _names("/proc/self/fd") or _names("/dev/fd"):
        with contextlib.suppress(OSError):  # the one that listed them is closed
            os.set_inheritable(int(name), int(name) <= 2)


def _names(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder)
    return []


def guard_command(
    command: list[str],
    *,
    parent: int,
    privileges: Privileges = Privileges.KEEP,
    stop_signal: int = signal.SIGTERM,
    stop_seconds: float = 10.0,
    log: Path | None = None,
    echo: str | None = None,
    pid_fd: int | None = None,
) -> list[str]:
    """The command line that runs `command` under a launcher whose parent is the process `parent`."""
    line = [sys.executable, "-I", "-S", os.path.realpath(__file__), f"--parent={parent}"]
    line += [
        f"--privileges={privileges}",
        f"--stop-signal={int(stop_signal)}",
        f"--stop-seconds={stop_seconds}",
    ]
    line += [f"--log={log}"] if log else []
    line += [f"--echo={echo}"] if echo is not None else []
    line += [f"--pid-fd={pid_fd}"] if pid_fd is not None else []
    return [*line, "--", *command]


class Options:
    """What a launcher is told on its command line, which is always one that `guard_command` wrote."""

    def __init__(self, arguments: Sequence[str]) -> None:
        end = arguments.index("--")
        given = dict(argument.removeprefix("--").split("=", 1) for argument in arguments[:end])
        self.command = list(arguments[end + 1 :])
        #: The launcher stops when this process ends.
        self.parent = int(given["parent"])
        self.privileges = Privileges(given["privileges"])
        self.stop_signal = int(given["stop-signal"])
        #: Then comes SIGKILL.
        self.stop_seconds = float(given["stop-seconds"])
        #: Output goes here instead of where the launcher's own goes.
        self.log = given.get("log")
        #: It is also printed, each line after this.
        self.echo = given.get("echo")
        #: The program's pid is written to this descriptor.
        self.pid_fd = int(given["pid-fd"]) if "pid-fd" in given else None


if __name__ == "__main__":
    sys.exit(Launcher(Options(sys.argv[1:])).run())
