"""The benchmark's own arithmetic: what is in its tables is what was measured."""

from collections import Counter

import pytest

from tests.bench.growth import that_fit
from tests.bench.harness import Figure, in_turns, percentile, ratio, short
from tests.bench.results import Target


def test_variants_run_in_turns_and_the_warm_up_does_not_count() -> None:
    calls: list[str] = []

    def call(name: str) -> int:
        calls.append(name)
        return Counter(calls)[name]

    found = in_turns({"a": lambda: call("a"), "b": lambda: call("b")}, rounds=2, say=lambda _: None)
    assert calls == ["a", "b"] * 3
    assert found == {"a": [2, 3], "b": [2, 3]}


def test_a_ratio_is_taken_within_each_round() -> None:
    assert ratio([10, 40], [5, 10]) == Figure(median=3, low=2, high=4, rounds=2)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.25, 1), (0.5, 2), (0.75, 3), (0.76, 4), (0.99, 4), (1.0, 4)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: int) -> None:
    assert percentile([4, 2, 3, 1], share) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (0.01234, "0.0123"), (0.3, "0.300"), (99.99, "100.0"), (12.34, "12.3"), (1234.5, "1,234")],
)
def test_numbers_are_written_with_three_digits(value: float, expected: str) -> None:
    assert short(value) == expected


@pytest.mark.parametrize(
    ("sense", "reached", "met"),
    [("at least", 5, True), ("at least", 4.9, False), ("at most", 5, True), ("at most", 6, False)],
)
def test_a_target_is_met_by_its_median(sense: str, reached: float, met: bool) -> None:
    target = Target("rate", sense, 5, Figure(reached, 0, 100, 3))  # type: ignore[arg-type]
    assert target.met is met


def test_databases_that_stand_side_by_side_share_the_disk() -> None:
    assert that_fit([20_000_000, 1_000_000, 5_000_000], 70_000_000_000) == [1_000_000, 5_000_000]
    assert that_fit([5_000_000], 1_000) == []
