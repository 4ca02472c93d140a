"""What charts are drawn from: JSON for chart.js, in the page's language; and the same numbers as a table."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from flask_babel import get_locale

from console.roi.measures import measures
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


def chart(days: Iterable[tuple[date, Sums]], styles: dict[str, Style], currency: str, gaps: Sequence[date]) -> str:
    """The data of a chart by day: {times, series, gaps, currency, locale}. What is unknown is null: a gap."""
    values = [(day, measures(sums)) for day, sums in days]
    return json.dumps(
        {
            "times": [_seconds(day) for day, _ in values],
            "series": [
                {
                    "label": str(KPIS[name].label),
                    "colour": colour,
                    "scale": scale,
                    "kind": kind,
                    "values": [_number(made[name].value) for _, made in values],
                }
                for name, (colour, scale, kind) in styles.items()
            ],
            "gaps": [_seconds(day) for day in gaps],
            "currency": currency,
            "locale": str(get_locale()).replace("_", "-"),
        }
    )


def day_rows(
    days: Iterable[tuple[date, Sums]],
    columns: Sequence[str],
    currency: str,
    link: Callable[[date, str], str] | None = None,
) -> list[dict[str, Any]]:
    """Each day's numbers: {day, cells}, a cell being its text and the address of the rows behind it, '' of nothing."""
    rows = []
    for day, sums in days:
        made = measures(sums)
        cells = [
            (figure(name, made[name].value, currency, plain=True), link(day, name) if link and made[name].value else "")
            for name in columns
        ]
        rows.append({"day": day, "cells": cells})
    return rows


def _seconds(day: date) -> int:
    """A day as charts count it: its midnight as if the zone were UTC, so that no browser's zone shifts it."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _number(value: Decimal | None) -> float | None:
    return None if value is None else round(float(value), 4)
