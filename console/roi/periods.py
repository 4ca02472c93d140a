"""Days put together to weeks and months: for trends that are too long, or too thin, to be read by day. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Literal

from shared.db.rollups import Span
from shared.domain.roi import Sums, total

Unit = Literal["day", "week", "month"]
UNITS: tuple[Unit, ...] = ("day", "week", "month")


@dataclass(frozen=True, kw_only=True)
class Period:
    """A day, a week from Monday to Sunday (ISO 8601) or a month, of which `span` are the days asked about.

    `begins` is its own first day, asked about or not. `complete`: all of it was asked about, and is over.
    """

    begins: date
    span: Span
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The sums of a period. Where the spend of one of its days is not known (`spend_known`), none of it is."""

    period: Period
    sums: Sums
    spend_known: bool


def periods(days: Iterable[date], unit: Unit, today: date) -> list[Period]:
    """The periods that some days in a row fall into; each day is in exactly one. The first and last may be cut."""
    found = []
    for begins, group in groupby(days, lambda day: _begin(day, unit)):
        inside = list(group)
        span = Span(first=inside[0], last=inside[-1])
        ends = _after(begins, unit) - timedelta(days=1)
        found.append(Period(begins=begins, span=span, complete=span == Span(first=begins, last=ends) and ends < today))
    return found


def by_period(days: Mapping[date, Sums], gaps: Collection[date], unit: Unit, today: date) -> list[Bucket]:
    """The sums of days in a row by period. A day by itself stays what it is; what Meta reports of a longer period is
    unknown where a day of it is among `gaps`: a part would look like all of it."""
    return [_bucket(one, [days[day] for day in days_of(one.span)], gaps, unit) for one in periods(days, unit, today)]


def _bucket(period: Period, sums: Sequence[Sums], gaps: Collection[date], unit: Unit) -> Bucket:
    known = all(day not in gaps for day in days_of(period.span))
    together = sums[0] if unit == "day" else total(sums)
    if not known and unit != "day":
        together = replace(
            together, spend=None, impressions=None, clicks=None, link_clicks=None, conversations_reported=None
        )
    return Bucket(period=period, sums=together, spend_known=known)


def _begin(day: date, unit: Unit) -> date:
    if unit == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if unit == "week" else day


def _after(begins: date, unit: Unit) -> date:
    """The first day of the next period."""
    if unit == "month":
        return (begins + timedelta(days=31)).replace(day=1)
    return begins + timedelta(days=7 if unit == "week" else 1)


def days_of(span: Span) -> list[date]:
    """Every day of a span."""
    return [span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1)]
