"""Which days a period has."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import InvalidError
from console.roi.question import LONGEST_DAYS, PRESETS, USUAL, Asked, span_of
from shared.db.rollups import Span

TODAY = date(2026, 3, 3)
EXPECTED = {
    "today": ("2026-03-03", "2026-03-03"), "yesterday": ("2026-03-02", "2026-03-02"),
    "7d": ("2026-02-24", "2026-03-02"), "14d": ("2026-02-17", "2026-03-02"), "28d": ("2026-02-03", "2026-03-02"),
    "30d": ("2026-02-01", "2026-03-02"), "90d": ("2025-12-03", "2026-03-02"),
    "this_month": ("2026-03-01", "2026-03-03"), "last_month": ("2026-02-01", "2026-02-28"),
}  # fmt: skip


def test_every_period_has_its_days():
    made = {name: span_of(TODAY, preset=name) for name in PRESETS}
    assert {name: (str(span.first), str(span.last)) for name, span in made.items()} == EXPECTED
    assert span_of(TODAY) == made[USUAL]


def test_two_dates_are_a_period_and_one_is_the_end_or_the_start_of_one():
    first, last = date(2026, 1, 5), date(2026, 1, 9)
    assert span_of(TODAY, since=first, until=last) == Span(first=first, last=last)
    assert span_of(TODAY, since=first, preset="nonsense") == Span(first=first, last=TODAY)
    assert span_of(TODAY, until=last) == Span(first=last - timedelta(days=27), last=last)


@pytest.mark.parametrize(
    "said",
    [
        {"preset": "year"},
        {"since": TODAY, "until": TODAY - timedelta(days=1)},
        {"since": TODAY - timedelta(days=LONGEST_DAYS)},
        {"until": date.min},
        {"since": date.max - timedelta(days=3), "until": date.max},
    ],
)
def test_a_period_that_nobody_can_mean_is_refused_with_what_is_possible(said):
    with pytest.raises(InvalidError, match="period"):
        span_of(TODAY, **said)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 400))
def test_the_period_before_is_as_long_and_ends_the_day_before(first, days):
    asked = Asked(workspace="default", span=Span(first=first, last=first + timedelta(days=days - 1)))
    assert (asked.before.last - asked.before.first).days == days - 1
    assert asked.before.last == first - timedelta(days=1)
