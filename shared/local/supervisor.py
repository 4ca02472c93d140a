"""The supervisor: starts a plan in order, keeps it running, stops it in reverse. It knows nothing of what it runs."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from shared.local.lock import held_lock
from shared.local.logfile import LogFile
from shared.local.process import Child, Process, StackError, ended_text, is_ready, log_tail_text
from shared.local.stack import Stack, StackProcess, remove_stack, write_stack

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
_STEADY_SECONDS = 60.0  # a process that ran this long begins again with the first delay
_PROBE_SECONDS = 0.05
_GRACE_SECONDS = 5.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = 130


@dataclass(frozen=True)
class Step:
    """Something to do once everything before it in the plan is ready, such as migrations.

    An exception ends the start; a StackError's text is shown alone.
    """

    name: str
    run: Callable[[], object]


@dataclass(frozen=True)
class Plan:
    """What to run, in order, and what to tell of it in `stack.json`.

    The processes between two steps are one tier: they are started together, and stopped together before the tier
    that was started before them.
    """

    items: Sequence[Process | Step]
    urls: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    database_url: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass
class _Member:
    process: Process
    child: Child | None = None
    started: float = 0.0
    restarts: int = 0
    delay: float = _FIRST_DELAY
    restart_at: float | None = None


class Supervisor:
    """Runs one plan on one state folder (made 0700 if missing). Use one per process, in its main thread."""

    def __init__(self, state_dir: Path, plan: Plan) -> None:
        self.state_dir = state_dir.resolve()
        self._plan = plan
        self._tiers: list[list[_Member]] = [[]]
        self._names = [item.name for item in plan.items if isinstance(item, Process)]
        self._stops = 0
        self._in_step = False
        self._ready = False
        self._echo = True
        self._lock = -1
        self._started_at = datetime.now(UTC)
        if len(set(self._names)) < len(self._names):
            raise ValueError("two processes of the plan have the same name")

    def run(self, *, echo: bool = True, when_ready: Callable[[], None] | None = None) -> int:
        """Start everything, look after it until SIGINT, SIGTERM or SIGHUP, stop it, and return the exit status.

        0 after an orderly stop, 1 if something could not start, 130 if the stop came before all had started.
        `echo` shows what the processes print; `when_ready` is called once everything has started.
        """
        self._echo = echo
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with held_lock(self.state_dir) as self._lock, self._signals():
                self._log = LogFile(self._log_path("supervisor"))
                return self._run(when_ready)
        except StackError as error:
            sys.stderr.write(f"{error}\n")
            return 1

    def _run(self, when_ready: Callable[[], None] | None) -> int:
        try:
            self._start_all()
            self._ready = True
            self._record()
            self._say(f"Ready in {self._age():.1f} s.")
            if when_ready:
                when_ready()
            while not self._stops:
                self._pause(self._seconds_to_restart())
                self._look_after()
        except StackError as error:
            self._say(str(error))
            return 1
        except KeyboardInterrupt:
            return _INTERRUPTED
        finally:
            self._stop_all()
            remove_stack(self.state_dir)
        return 0

    def _start_all(self) -> None:
        for item in self._plan.items:
            if isinstance(item, Step):
                self._wait_until_ready(self._tiers[-1])
                self._do(item)
                self._tiers.append([])
            else:
                member = _Member(item)
                self._tiers[-1].append(member)
                self._start(member)
            self._heed_stop()
        self._wait_until_ready(self._tiers[-1])

    def _heed_stop(self) -> None:
        if self._stops:
            raise KeyboardInterrupt

    def _do(self, step: Step) -> None:
        begun = time.monotonic()
        self._in_step = True
        try:
            step.run()
        except StackError:
            raise
        except Exception as error:
            self._log.write(traceback.format_exc().encode())
            raise StackError(f"{step.name} failed: {type(error).__name__}: {error}") from error
        finally:
            self._in_step = False
        self._say(f"{step.name}: done in {time.monotonic() - begun:.1f} s")

    def _start(self, member: _Member) -> None:
        process = member.process
        member.restart_at = None
        member.started = time.monotonic()
        member.child = Child(
            process, self._log_path(process.name), prefix=self._prefix(process), keep_open=(self._lock,)
        )
        self._record()
        if process.ready is None and member.child.pid:
            self._say(f"{process.name}: started (process {member.child.pid})")

    def _wait_until_ready(self, tier: Sequence[_Member]) -> None:
        """Wait for all of a tier. The end of one that was not ready yet is an error, not a case for a restart."""
        waiting = [member for member in tier if member.process.ready or not (member.child and member.child.pid)]
        while waiting := [member for member in waiting if not self._has_become_ready(member)]:
            self._pause(_PROBE_SECONDS)
            self._look_after(but=waiting)
            self._heed_stop()

    def _has_become_ready(self, member: _Member) -> bool:
        process, child = member.process, member.child
        assert child is not None
        if (status := child.exit_status()) is not None:
            raise StackError(f"{process.name} {ended_text(status)} before it was ready. {log_tail_text(child.log)}")
        if child.pid and is_ready(process):
            self._say(f"{process.name}: started in {time.monotonic() - member.started:.1f} s (process {child.pid})")
            return True
        if time.monotonic() > member.started + process.ready_seconds:
            text = f"{process.name} was not ready in {process.ready_seconds:.0f} s."
            raise StackError(f"{text} {log_tail_text(child.log)}")
        return False

    def _look_after(self, but: Sequence[_Member] = ()) -> None:
        """Notice what has ended, and start again what is due."""
        now = time.monotonic()
        for member in self._members():
            if any(member is other for other in but):
                continue
            if member.child and (status := member.child.exit_status()) is not None:
                self._note_end(member, status, now)
            elif member.restart_at is not None and now >= member.restart_at and not self._stops:
                member.restarts += 1
                self._start(member)

    def _note_end(self, member: _Member, status: int, now: float) -> None:
        member.child = None
        text = f"{member.process.name} {ended_text(status)}"
        if member.process.restart and not self._stops:
            if now - member.started > _STEADY_SECONDS:
                member.delay = _FIRST_DELAY
            member.restart_at = now + member.delay
            text += f"; starting it again in {member.delay:g} s (restart {member.restarts + 1})"
            member.delay = min(member.delay * 2, _LONGEST_DELAY)
        self._say(text)
        self._record()

    def _seconds_to_restart(self) -> float | None:
        due = [member.restart_at for member in self._members() if member.restart_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _stop_all(self) -> None:
        if any(member.child for member in self._members()):
            self._say("Stopping. Press Ctrl-C again to hurry.")
        for tier in reversed(self._tiers):
            self._stop_tier([member for member in reversed(tier) if member.child])
        self._say("Stopped.")

    def _stop_tier(self, members: list[_Member]) -> None:
        heard = self._stops
        for member in members:
            if member.child:
                member.child.ask_to_stop()
        deadline = time.monotonic() + max((m.process.stop_seconds for m in members), default=0) + _GRACE_SECONDS
        while left := [member for member in members if member.child]:
            for member in left:
                if member.child and (status := member.child.exit_status()) is not None:
                    if status == 128 + signal.SIGKILL:
                        self._say(f"{member.process.name} did not stop by itself and was killed")
                    member.child = None
                elif member.child and time.monotonic() > deadline:
                    member.child.kill()
                elif member.child and self._stops > heard:
                    member.child.ask_to_stop()
            heard = self._stops
            self._pause(_PROBE_SECONDS)

    def _record(self) -> None:
        write_stack(
            Stack(
                pid=os.getpid(),
                started_at=self._started_at,
                state_dir=self.state_dir,
                ready=self._ready,
                processes=[
                    StackProcess(m.process.name, m.child.pid if m.child else 0, m.restarts, list(m.process.command))
                    for m in self._members()
                ],
                urls=dict(self._plan.urls),
                addresses=dict(self._plan.addresses),
                database_url=self._plan.database_url,
                redis_url=self._plan.redis_url,
                extra=dict(self._plan.extra),
            )
        )

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Count requests to stop; any signal, a child's end too, wakes `_pause`."""
        self._wake, wake_write = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_write, False)
        before = {number: signal.getsignal(number) for number in (*_STOP_SIGNALS, signal.SIGCHLD)}
        for number in _STOP_SIGNALS:
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        earlier = signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(earlier)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._wake)
            os.close(wake_write)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1
        if self._in_step:
            raise KeyboardInterrupt

    def _pause(self, seconds: float | None) -> None:
        select.select([self._wake], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)

    def _say(self, text: str) -> None:
        self._log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n".encode())
        with contextlib.suppress(OSError):  # a terminal that was closed
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def _prefix(self, process: Process) -> str | None:
        if not (self._echo and process.echo):
            return None
        prefix = f"{process.name:<{max(map(len, self._names))}} | "
        return f"\x1b[{process.colour}m{prefix}\x1b[0m" if process.colour and sys.stdout.isatty() else prefix

    def _members(self) -> list[_Member]:
        return [member for tier in self._tiers for member in tier]

    def _log_path(self, name: str) -> Path:
        return self.state_dir / "logs" / f"{name}.log"

    def _age(self) -> float:
        return (datetime.now(UTC) - self._started_at).total_seconds()
