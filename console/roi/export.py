"""Figures as plain values, for files and programs: names as the API has them, money as text, unknown as None. Pure."""

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from console.csv_cells import plain_text
from console.roi.ads import AdsReport, Row
from console.roi.measures import UNITS, measures
from shared.domain.roi import Ratio, Sums, figures

WHAT = ("currency", "kind", "id", "name", "status", "account", "campaign_name", "ad_set_name", "headline")
SPEEDS = ("reply_seconds", "qualify_seconds", "purchase_seconds")
COLUMNS = (*WHAT, *UNITS, *SPEEDS)
#: Figures that are made of two sums; the others are sums.
RATIOS = frozenset(figures(Sums()))


def plain_rows(report: AdsReport) -> list[dict[str, Any]]:
    """Every row of every table, then what is aside; with all figures. Unknown is None, never zero."""
    found = []
    for table in report.tables:
        found += [plain_row(row, table.currency) for row in table.rows]
        aside = Row(kind="unknown", id="", name=None, account=None, sums=table.aside)
        found.append({**plain_row(aside, table.currency), "kind": "not_from_ads"})
    return found


def plain_row(row: Row, currency: str) -> dict[str, Any]:
    """A row of the table of ads, by COLUMNS."""
    return what_of(row, currency) | plain_figures(row.sums) | speeds_of(row)


def what_of(row: Row, currency: str) -> dict[str, Any]:
    """What a row is of, by WHAT."""
    return {name: currency if name == "currency" else getattr(row, name) for name in WHAT}


def speeds_of(row: Row) -> dict[str, Any]:
    """The medians of a row, in seconds."""
    return {name: getattr(row.speeds, name) if row.speeds else None for name in SPEEDS}


def plain_figures(sums: Sums) -> dict[str, int | str | None]:
    """Every figure by its name."""
    return {name: plain_number(name, ratio.value) for name, ratio in measures(sums).items()}


def told_figures(sums: Sums) -> dict[str, Any]:
    """Every figure by its name; of a ratio, what it is made of as well."""
    return {
        name: told_ratio(name, ratio) if name in RATIOS else plain_number(name, ratio.value)
        for name, ratio in measures(sums).items()
    }


def told_ratio(name: str, ratio: Ratio) -> dict[str, Any]:
    """{value, numerator, denominator, few, low, high} of a ratio; the last two where it stands on too few events."""
    bounds = (ratio.low, ratio.high) if ratio.few else (None, None)
    return {
        "value": plain_number(name, ratio.value),
        "numerator": _sum(ratio.numerator),
        "denominator": _sum(ratio.denominator),
        "few": ratio.few,
        "low": plain_number(name, bounds[0]),
        "high": plain_number(name, bounds[1]),
    }


def plain_number(name: str, value: Decimal | None) -> int | str | None:
    """The value of a figure: a count as a number, all else as text."""
    if value is None:
        return None
    return int(value) if UNITS[name] == "count" else plain_decimal(value, least=2 if UNITS[name] == "money" else 0)


def plain_decimal(value: Decimal, *, least: int = 2) -> str:
    """A number as text without an exponent, with `least` to 6 decimals."""
    whole, _, decimals = f"{round(value, 6):f}".partition(".")
    kept = decimals.rstrip("0").ljust(least, "0")
    return f"{whole}.{kept}" if kept else whole


def _sum(value: Decimal | int | None) -> int | str | None:
    return plain_decimal(value) if isinstance(value, Decimal) else value


def as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV. A text that a spreadsheet would run as a formula gets an apostrophe before it; figures don't."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([[_cell(name, row[name]) for name in columns] for row in rows])
    return out.getvalue()


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return ""
    return plain_text(value) if isinstance(value, str) and name not in UNITS else value
