"""The table of ads as plain rows, for files and programs: names as the API has them, money as text. Pure."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from console.csv_cells import plain_text
from console.roi.ads import AdsReport, Row
from console.roi.measures import UNITS, measures

_WHAT = ("currency", "kind", "id", "name", "status", "account", "campaign_name", "ad_set_name", "headline")
_SPEEDS = ("reply_seconds", "qualify_seconds", "purchase_seconds")
COLUMNS = (*_WHAT, *UNITS, *_SPEEDS)


def plain_rows(report: AdsReport) -> list[dict[str, Any]]:
    """Every row of every table, then what is aside; with all figures. Unknown is None, never zero."""
    found = []
    for table in report.tables:
        found += [_plain(row, table.currency) for row in table.rows]
        aside = Row(kind="unknown", id="", name=None, account=None, sums=table.aside)
        found.append({**_plain(aside, table.currency), "kind": "not_from_ads"})
    return found


def _plain(row: Row, currency: str) -> dict[str, Any]:
    values = {name: currency if name == "currency" else getattr(row, name) for name in _WHAT}
    for name, ratio in measures(row.sums).items():
        values[name] = _number(name, ratio.value)
    return values | {name: getattr(row.speeds, name) if row.speeds else None for name in _SPEEDS}


def _number(name: str, value: Decimal | None) -> int | str | None:
    if value is None:
        return None
    return int(value) if UNITS[name] == "count" else str(round(value, 6).normalize())


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as CSV. A text that a spreadsheet would run as a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([[_cell(name, row[name]) for name in COLUMNS] for row in rows])
    return out.getvalue()


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return ""
    return plain_text(str(value)) if name in _WHAT else value
