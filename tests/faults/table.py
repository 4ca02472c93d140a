"""The scenarios by name, and the table they make."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.run import Row, Run


@dataclass(frozen=True)
class Scenario:
    """One fault. `play` makes it and returns in words how it bit; `says` is its line in --list."""

    name: str
    says: str
    play: Callable[[Run], str]
    quick: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


REGISTERED: dict[str, Scenario] = {}


def scenario(
    name: str, *, quick: bool = False, environ: Mapping[str, str] | None = None
) -> Callable[[Callable[[Run], str]], Callable[[Run], str]]:
    """Registers a scenario under its name; its docstring's first line is what --list says."""

    def register(play: Callable[[Run], str]) -> Callable[[Run], str]:
        says = (play.__doc__ or "").strip().splitlines()[0]
        REGISTERED[name] = Scenario(name, says, play, quick, environ or {})
        return play

    return register


_COLUMNS = (
    "scenario",
    "seed",
    "ack'd",
    "accepted",
    "doubled",
    "unknown",
    "held",
    "lost",
    "stall s",
    "verdict",
    "how it bit",
)


def as_line(row: Row) -> str:
    """A row of the Markdown table."""
    found = row.findings
    numbers = (found.acknowledged, found.accepted, found.doubled, found.unknown, found.held, found.lost)
    shown = [str(number) for number in numbers] if row.verdict in ("ok", "FAILED") else ["–"] * len(numbers)
    stall = f"{found.stall_seconds:.1f}" if row.verdict in ("ok", "FAILED") else "–"
    cells = [row.scenario, str(row.seed), *shown, stall, row.verdict, "; ".join([row.bite, *found.problems])]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def heading() -> str:
    return f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"


def summary(rows: Sequence[Row]) -> str:
    """One sentence on all of them."""
    verdicts = {
        verdict: sum(row.verdict == verdict for row in rows) for verdict in ("ok", "FAILED", "void", "cannot run")
    }
    counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items() if count)
    acknowledged = sum(row.findings.acknowledged for row in rows)
    return f"{counted}; {acknowledged} acknowledged, {sum(row.findings.lost for row in rows)} lost."
