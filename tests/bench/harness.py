"""How everything is measured: variants side by side, in turns, some rounds; the median, and how rounds differ."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """One number: the median of the rounds, the lowest and the highest of them."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        return cls(median(values), min(values), max(values), len(values))

    def __str__(self) -> str:
        if self.rounds == 1 or self.low == self.high:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)}–{short(self.high)})"


def ratio(ones: Sequence[float], others: Sequence[float]) -> Figure:
    """How many times the others, round by round: what hits this machine in one round hits both."""
    return Figure.of([one / other for one, other in zip(ones, others, strict=True)])


def in_turns(
    variants: Mapping[K, Callable[[], T]], *, rounds: int, warm_up: bool = True, say: Callable[[str], None] = print
) -> dict[K, list[T]]:
    """Calls each variant once a round, in turns; what each returned, by round. A round before them warms up."""
    results: dict[K, list[T]] = {name: [] for name in variants}
    for turn in range(0 if warm_up else 1, rounds + 1):
        for name, measure in variants.items():
            began = time.monotonic()
            found = measure()
            say(f"  {'warm-up' if turn == 0 else f'round {turn}'}: {name}, {time.monotonic() - began:.1f} s")
            if turn:
                results[name].append(found)
    return results


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values are at or below, by nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def short(value: float) -> str:
    """Three significant digits, thousands with a comma."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"
