"""What processes cost: the CPU time and the memory of a program and everything below it, from /proc."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of these processes and of all below them, also of those that have ended."""
    total = 0.0
    for pid in _tree(roots):
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15]) / _TICKS
    return total


def mebibytes(roots: Iterable[int]) -> float:
    """Their memory (PSS: a page that several processes share counts once, in parts)."""
    return sum(_pss(pid) for pid in _tree(roots)) / 1024


def largest_mebibytes(roots: Iterable[int]) -> float:
    """The resident memory of the largest single process among them."""
    return max((_resident(pid) for pid in _tree(roots)), default=0.0) / 1024


def _tree(roots: Iterable[int]) -> list[int]:
    found = []
    waiting = [pid for pid in roots if pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return found


def _pss(pid: int) -> int:
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")


def _resident(pid: int) -> int:
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS:")


def _kilobytes(path: Path, name: str) -> int:
    with suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
