"""What a part of the benchmark found: tables and targets, kept as JSON, of which docs/performance.md is made."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.bench.harness import Figure

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Target:
    """One number to reach."""

    what: str
    sense: Literal["at least", "at most"]
    wanted: float
    reached: Figure
    unit: str = ""

    @property
    def met(self) -> bool:
        """By the median."""
        reached = self.reached.median
        return reached >= self.wanted if self.sense == "at least" else reached <= self.wanted


@dataclass(frozen=True)
class Table:
    """`columns[0]` names the rows; a cell is a figure or text."""

    columns: list[str]
    rows: list[list[str | Figure]]


@dataclass
class Found:
    """What one part found; `sizes` says in words how much was run, `units` are unit costs that docs/scaling.md uses."""

    sizes: str
    tables: list[Table]
    targets: list[Target]
    units: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One module's part: what it measures and what limits the numbers, in words, and the function that runs it."""

    name: str
    title: str
    method: str
    limits: str
    run: Callable[["Sizes"], Found]


@dataclass(frozen=True)
class Sizes:
    """How much to run. `rows` are those of growth or backlog."""

    quick: bool
    rounds: int
    folder: Path
    rows: tuple[int, ...] = ()
    say: Callable[[str], None] = print

    def pick(self, full: float, quick: float) -> float:
        return quick if self.quick else full


def as_json(found: Found) -> dict[str, Any]:
    """A part's findings as plain JSON."""
    return asdict(found)


def from_json(kept: dict[str, Any]) -> Found:
    return Found(
        sizes=kept["sizes"],
        tables=[
            Table(table["columns"], [[_cell(cell) for cell in row] for row in table["rows"]])
            for table in kept["tables"]
        ],
        targets=[Target(**{**target, "reached": Figure(**target["reached"])}) for target in kept["targets"]],
        units=kept["units"],
    )


def _cell(cell: Any) -> str | Figure:
    return Figure(**cell) if isinstance(cell, dict) else str(cell)


def load(path: Path = RESULTS) -> dict[str, Any]:
    """Everything kept: {"parts": {name: {"found", "machine", "began", "ended", "seconds"}}}."""
    return json.loads(path.read_text()) if path.exists() else {"parts": {}}


def save(results: dict[str, Any], path: Path = RESULTS) -> None:
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
