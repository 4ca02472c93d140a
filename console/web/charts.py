"""Trends by day, week or month: JSON for chart.js in the page's language, and the same numbers as a table."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from babel.dates import format_date, format_skeleton
from flask import Flask, request
from flask_babel import get_locale, lazy_gettext

from console.roi.measures import measures
from console.roi.periods import UNITS, Bucket, Period, Unit, by_period
from console.web.formats import day as day_words
from console.web.kpis import KPIS, figure
from shared.domain.roi import Sums

#: Which colour of console.css (--chart-1 …), which scale, and bars or a line. Bars of spend have a scale without an
#: axis: beside revenue they would not be seen.
Style = tuple[int, Literal["count", "money", "spend", "rate"], Literal["bars", "line"]]
TREND: dict[str, Style] = {
    "spend": (1, "spend", "bars"),
    "leads": (2, "count", "line"),
    "qualified": (3, "count", "line"),
    "purchases": (5, "count", "line"),
    "revenue": (4, "money", "line"),
}
QUALITY: dict[str, Style] = {"capture_rate": (1, "rate", "line"), "click_id_coverage": (3, "rate", "line")}
#: Columns of the tables below them.
TREND_COLUMNS = ("spend", "conversations", "leads", "qualified", "purchases", "revenue")
QUALITY_COLUMNS = ("conversations_reported", "conversations", "with_click_id", "capture_rate", "click_id_coverage")


#: What a point of a trend is, the head of its column, and how far apart points are in seconds.
UNIT_WORDS: Mapping[Unit, tuple[Any, Any, int]] = {
    "day": (lazy_gettext("Day by day"), lazy_gettext("Day"), 86400),
    "week": (lazy_gettext("Week by week"), lazy_gettext("Week"), 7 * 86400),
    "month": (lazy_gettext("Month by month"), lazy_gettext("Month"), 30 * 86400),
}


@dataclass(frozen=True, kw_only=True)
class Trend:
    """A chart and its table. `rows` are {name, complete, cells}, a cell being its text and the address of its rows."""

    unit: Unit
    chart: str
    rows: list[dict[str, Any]]
    columns: Sequence[str]
    #: Days whose spend is not known.
    gaps: Sequence[date]

    @property
    def cut(self) -> list[str]:
        """The names of periods that are not whole."""
        return [row["name"] for row in self.rows if not row["complete"]]


def install(app: Flask) -> None:
    """What templates call these by."""
    app.jinja_env.globals["unit_words"] = UNIT_WORDS


def asked_unit() -> Unit:
    """By what this request wants trends, by day unless it says otherwise."""
    return next((unit for unit in UNITS if unit == request.args.get("unit")), "day")


def trend(
    days: Mapping[date, Sums],
    gaps: Collection[date],
    today: date,
    styles: Mapping[str, Style],
    columns: Sequence[str],
    currency: str = "",
    link: Callable[[Period, str], str] | None = None,
) -> Trend:
    """The trend of some days, by what the request wants. `link` is the address of the rows behind a period's figure."""
    unit = asked_unit()
    buckets = by_period(days, gaps, unit, today)
    return Trend(
        unit=unit,
        chart=_chart(buckets, styles, currency, unit),
        rows=[_row(bucket, columns, currency, unit, link) for bucket in buckets],
        columns=columns,
        gaps=sorted(gaps),
    )


def period_name(period: Period, unit: Unit) -> str:
    """A day, the days of a week that were asked about, or a month: 24 Nov 2026, 23 – 29 Nov 2026, November 2026."""
    if unit == "day":
        return day_words(period.begins)
    if unit == "month":
        return str(format_skeleton("yMMMM", period.begins, locale=get_locale()))
    first, last = period.span.first, period.span.last
    if first == last:
        return day_words(last)
    pattern = "d" if (first.year, first.month) == (last.year, last.month) else "d MMM"
    return f"{format_date(first, pattern, locale=get_locale())} – {day_words(last)}"


def _chart(buckets: Sequence[Bucket], styles: Mapping[str, Style], currency: str, unit: Unit) -> str:
    """{times, names, series, gaps, cut, step, currency, locale}. What is unknown is null: a gap."""
    made = [measures(bucket.sums) for bucket in buckets]
    return json.dumps(
        {
            "times": [_seconds(bucket.period.begins) for bucket in buckets],
            "names": [period_name(bucket.period, unit) for bucket in buckets],
            "series": [
                {
                    "label": str(KPIS[name].label),
                    "colour": colour,
                    "scale": scale,
                    "kind": kind,
                    "values": [_number(one[name].value) for one in made],
                }
                for name, (colour, scale, kind) in styles.items()
            ],
            "gaps": [_seconds(bucket.period.begins) for bucket in buckets if not bucket.spend_known],
            "cut": [_seconds(bucket.period.begins) for bucket in buckets if not bucket.period.complete],
            "unit": unit,
            "step": UNIT_WORDS[unit][2],
            "currency": currency,
            "locale": str(get_locale()).replace("_", "-"),
        }
    )


def _row(
    bucket: Bucket, columns: Sequence[str], currency: str, unit: Unit, link: Callable[[Period, str], str] | None
) -> dict[str, Any]:
    made, period = measures(bucket.sums), bucket.period
    cells = [
        (figure(name, made[name].value, currency, plain=True), link(period, name) if link and made[name].value else "")
        for name in columns
    ]
    return {"name": period_name(period, unit), "complete": period.complete, "cells": cells}


def _seconds(day: date) -> int:
    """A day as charts count it: its midnight as if the zone were UTC, so that no browser's zone shifts it."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _number(value: Decimal | None) -> float | None:
    return None if value is None else round(float(value), 4)
