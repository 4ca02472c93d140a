"""A harness that runs supervisors as real processes and knows every process below them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from shared.local.stack import Stack, read_stack

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("stack_program.py")

T = TypeVar("T")
Found = tuple[int, int]  # a pid and when it began, so that a recycled pid is another process


def wait_until(condition: Callable[[], T], seconds: float = 30.0) -> T:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {seconds} s")
        time.sleep(0.02)
    return value


def processes() -> dict[Found, int]:
    """Every live process of the machine, with its parent's pid."""
    found: dict[Found, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(entry.parent.name), int(fields[19])] = int(fields[1])
    return found


def tree(root: int) -> set[Found]:
    """The process `root` and everything below it."""
    everything = processes()
    below = {found for found in everything if found[0] == root}
    while more := {f for f, parent in everything.items() if parent in {pid for pid, _ in below}} - below:
        below |= more
    return below


def alive(found: set[Found]) -> set[Found]:
    return found & processes().keys()


class Harness:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self._started: list[subprocess.Popen[str]] = []
        self._states: set[Path] = set()
        self._seen: set[Found] = set()

    wait_until = staticmethod(wait_until)
    alive = staticmethod(alive)

    def tree(self, root: int) -> set[Found]:
        """The process `root` and everything below it, kept in mind for the clean-up."""
        found = tree(root)
        self._seen |= found
        return found

    def start(self, plan: list[dict[str, Any]], action: str = "up", state: Path | None = None) -> subprocess.Popen[str]:
        """A supervisor on `state`, in a session of its own, its output in a pipe."""
        state = state or self.state
        self._states.add(state)
        file = self.folder / f"plan{len(self._started)}.json"
        file.write_text(json.dumps(plan))
        started = subprocess.Popen(
            [sys.executable, str(PROGRAM), action, str(state), str(file)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A shell's background job ignores Ctrl-C, and so would all that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        self._started.append(started)
        return started

    def up(self, plan: list[dict[str, Any]], state: Path | None = None) -> tuple[subprocess.Popen[str], Stack]:
        """A supervisor that is ready, and its record."""
        state = state or self.state
        started = self.start(plan, state=state)

        def ready() -> Stack | None:
            if started.poll() is not None:
                raise AssertionError(f"ended with {started.returncode}: {started.communicate()[0]}")
            return stack if (stack := read_stack(state)) and stack.ready else None

        return started, wait_until(ready)

    def down(self, state: Path | None = None) -> str:
        done = subprocess.run(
            [sys.executable, str(PROGRAM), "down", str(state or self.state)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def clean_up(self) -> None:
        for started in self._started:
            if started.poll() is None:
                self.tree(started.pid)
        for state in self._states:
            if stack := read_stack(state):
                self.tree(stack.pid)
        for pid, _ in alive(self._seen):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for started in self._started:
            started.wait()
            if started.stdout:
                started.stdout.close()


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    made = Harness(tmp_path)
    yield made
    made.clean_up()
