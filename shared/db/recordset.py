"""Rows of one table as one parameter, so that storing fifty costs one statement: its planning, its triggers, its trip.

For `insert into t (…) select … from jsonb_populate_recordset(null::t, %s)`, which knows the columns' types.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.capi.payload import exact_json


def as_recordset(rows: Iterable[Mapping[str, Any]]) -> Jsonb:
    """The rows, in order: values by column. None is null; bytes have no place here."""
    return Jsonb([{name: _as_json(value) for name, value in row.items()} for row in rows], dumps=exact_json)


def _as_json(value: Any) -> Any:
    """A value in a form that its column reads; lists and objects stay what they are."""
    match value:
        case datetime():
            return value.isoformat()
        case UUID() | Decimal():
            return str(value)
        case timedelta():
            return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
        case _:
            return value
