"""Keeps processes running as the supervisor of `ctwa up` does, and does to them what a scenario wants."""

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

from shared.local.process import Child, Process, StackError, is_ready, log_tail_text
from tests.faults.wait import wait_until

_LOOK_SECONDS = 0.05
#: The supervisor's first delay is 0.5 s; a shorter one makes room for more kills.
_RESTART_SECONDS = 0.2


class Keeper:
    """Real processes by name. One that ends is started again, unless it is held down."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        #: How often each was started again.
        self.restarts: Counter[str] = Counter()
        self._processes: dict[str, Process] = {}
        self._children: dict[str, Child] = {}
        self._held: set[str] = set()
        self._closing = False
        self._over = threading.Event()
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._look_after, name="keeper", daemon=True)
        self._thread.start()

    def start(self, *processes: Process) -> None:
        """Starts all of them at once and waits until they are ready. Raises StackError with the log of the culprit."""
        with self._lock:
            for process in processes:
                self._processes[process.name] = process
                self._children[process.name] = Child(process, self._log(process.name))
        for process in processes:
            self.wait_ready(process.name)

    def wait_ready(self, name: str) -> None:
        """Waits until the process answers. Raises StackError."""
        process = self._processes[name]
        deadline = time.monotonic() + process.ready_seconds
        while not is_ready(process):
            if time.monotonic() > deadline:
                raise StackError(f"{name} is not ready. {log_tail_text(self._log(name))}")
            time.sleep(_LOOK_SECONDS)

    def pid(self, name: str) -> int:
        """The program's pid; 0 while it is down."""
        with self._lock:
            child = self._children.get(name)
            return child.pid if child is not None and child.exit_status() is None else 0

    def send(self, name: str, number: int) -> bool:
        """Sends a signal to the program itself; False if it is down just now."""
        pid = self.pid(name)
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, number)
                return True
        return False

    def below(self, name: str) -> list[int]:
        """The pids of the program's own children, such as the processes of a pool."""
        path = Path(f"/proc/{self.pid(name)}/task")
        with contextlib.suppress(OSError):
            return [int(pid) for task in path.iterdir() for pid in (task / "children").read_text().split()]
        return []

    def hold(self, name: str) -> None:
        """Kills the process with SIGKILL and leaves it down."""
        with self._lock:
            self._held.add(name)
        self.send(name, signal.SIGKILL)
        wait_until(f"{name} is down", lambda: self.pid(name) == 0)

    def release(self, name: str) -> None:
        """Lets a process that was held down start again, and waits until it is ready."""
        with self._lock:
            self._held.discard(name)
        wait_until(f"{name} is started", lambda: self.pid(name))
        self.wait_ready(name)

    def forget(self, name: str) -> None:
        """Stops one and knows it no more."""
        self.stop(name)
        with self._lock:
            self._children.pop(name)
            self._held.discard(name)

    def stop(self, name: str) -> tuple[float, int]:
        """Stops one politely, leaves it down; the seconds it took, and its exit status (137: it had to be killed)."""
        with self._lock:
            self._held.add(name)
            child = self._children[name]
        began = time.monotonic()
        child.ask_to_stop()
        limit = self._processes[name].stop_seconds + 10
        wait_until(f"{name} ends", lambda: child.exit_status() is not None, seconds=limit)
        return time.monotonic() - began, child.exit_status() or 0

    def close(self) -> dict[str, int]:
        """Stops everything; the exit status of each."""
        with self._lock:
            self._closing = True
            children = dict(self._children)
        for name in children:
            self.send(name, signal.SIGCONT)
        for child in children.values():
            child.ask_to_stop()
        for child in children.values():
            child.stop()
        self._over.set()
        self._thread.join(5)
        return {name: child.exit_status() or 0 for name, child in children.items()}

    def _look_after(self) -> None:
        # This thread lives as long as what it starts: the kernel ends a launcher with the thread that started it.
        down_since: dict[str, float] = {}
        while not self._over.wait(_LOOK_SECONDS):
            with self._lock:
                for name, child in self._children.items():
                    if self._closing or name in self._held or child.exit_status() is None:
                        down_since.pop(name, None)
                    elif time.monotonic() - down_since.setdefault(name, time.monotonic()) >= _RESTART_SECONDS:
                        down_since.pop(name)
                        self.restarts[name] += 1
                        self._children[name] = Child(self._processes[name], self._log(name))

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"
