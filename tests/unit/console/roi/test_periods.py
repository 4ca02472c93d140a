"""Weeks and months of a trend: every day once, nothing lost, and unknown stays unknown."""

from calendar import monthrange
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from console.roi.periods import UNITS, by_period
from shared.domain.roi import Sums

DAYS = st.dates(date(2023, 12, 1), date(2026, 3, 31))


def unit_of(day, unit):
    """What tells the calendar's periods apart, by the calendar's own means."""
    return {"day": day, "week": day.isocalendar()[:2], "month": (day.year, day.month)}[unit]


def whole_length(day, unit):
    return {"day": 1, "week": 7, "month": monthrange(day.year, day.month)[1]}[unit]


@given(first=DAYS, length=st.integers(1, 100), unit=st.sampled_from(UNITS), late=st.integers(-3, 40), data=st.data())
def test_periods_hold_each_day_once_and_add_up_to_it(first, length, unit, late, data):
    days = [first + timedelta(days=n) for n in range(length)]
    today = days[-1] + timedelta(days=late)
    leads = data.draw(st.lists(st.integers(0, 9), min_size=length, max_size=length))
    gaps = data.draw(st.sets(st.sampled_from(days), max_size=3))
    sums = {
        day: Sums(currency="BRL", leads=count, spend=None if day in gaps else Decimal(count), conversations_reported=1)
        for day, count in zip(days, leads, strict=True)
    }
    found = by_period(sums, gaps, unit, today)
    held = []
    for one in found:
        span = one.period.span
        inside = [span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1)]
        held += inside
        assert {unit_of(day, unit) for day in inside} == {unit_of(one.period.begins, unit)}
        if unit == "week":
            assert one.period.begins.isoweekday() == 1
        assert one.period.complete == (len(inside) == whole_length(span.first, unit) and span.last < today)
        assert one.sums.currency == "BRL"
        assert one.sums.leads == sum(sums[day].leads for day in inside)
        assert one.spend_known == (not gaps & set(inside))
        spent = sum((sums[day].spend or Decimal(0) for day in inside), Decimal(0))
        assert one.sums.spend == (spent if one.spend_known else None)
        if one.spend_known:
            assert one.sums.conversations_reported == len(inside)
        elif unit != "day":
            assert one.sums.conversations_reported is None
    assert held == days, "each day once, in their order"
    assert len({unit_of(one.period.begins, unit) for one in found}) == len(found), "no period twice"
