"""Pages of lists: a cursor that is told with each page and given back for the next, JSON or CSV, and what may sort."""

import base64
import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from flask import Response, abort
from marshmallow import RAISE, Schema, fields, validate

from console.csv_cells import plain_text
from shared.db.reports import Slice

Row = TypeVar("Row")
MOST = 500


class StrictQuery(Schema):
    """Parameters of a request; a name that isn't one is refused, so that no filter is silently left out."""

    class Meta:
        unknown = RAISE

    workspace = fields.String(metadata={"description": "For people who are logged in and have several workspaces."})


class PageQuery(StrictQuery):
    """Which page, and in which form."""

    limit = fields.Integer(
        load_default=50, validate=validate.Range(min=1, max=MOST), metadata={"description": "Rows of a page."}
    )
    cursor = fields.String(
        validate=validate.Length(max=300), metadata={"description": "next_cursor of the page before."}
    )
    format = fields.String(
        load_default="json", validate=validate.OneOf(["json", "csv"]), metadata={"description": "json or csv."}
    )


class TimedQuery(PageQuery):
    """A page of rows that happened some time; newest first unless said otherwise."""

    sort = fields.String(
        load_default="-occurred_at",
        validate=validate.OneOf(["-occurred_at", "occurred_at"]),
        metadata={"description": "-occurred_at: newest first."},
    )
    since = fields.AwareDateTime(metadata={"description": "Not before, with its zone."})
    until = fields.AwareDateTime(metadata={"description": "Before, with its zone."})


def slice_of(query: dict[str, Any], id_type: Callable[[str], Any]) -> Slice:
    """The part of a list that was asked for, and one row more to see whether there is another page."""
    after = query.get("cursor")
    return Slice(
        limit=query["limit"] + 1,
        ascending=query.get("sort") == "occurred_at",
        after=_read_cursor(after, id_type) if after else None,
    )


def page(
    query: dict[str, Any], rows: Sequence[Row], key: Callable[[Row], tuple[datetime, Any]], schema: Schema
) -> Response | dict[str, Any]:
    """One page as it is answered: {data, next_cursor}, or CSV with the cursor in the header Next-Cursor."""
    shown = rows[: query["limit"]]
    more = _cursor(*key(shown[-1])) if len(rows) > len(shown) else None
    if query["format"] == "csv":
        response = Response(_csv(schema, shown), content_type="text/csv; charset=utf-8")
        if more:
            response.headers["Next-Cursor"] = more
        return response
    return {"data": shown, "next_cursor": more}


def _cursor(moment: datetime, key: UUID | int) -> str:
    return base64.urlsafe_b64encode(json.dumps([moment.isoformat(), str(key)]).encode()).decode().rstrip("=")


def _read_cursor(text: str, id_type: Callable[[str], Any]) -> tuple[datetime, Any]:
    try:
        moment, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        found = datetime.fromisoformat(moment), id_type(key)
        if found[0].tzinfo is None or (isinstance(found[1], int) and not -(2**63) <= found[1] < 2**63):
            raise ValueError
    except (ValueError, TypeError, AttributeError, RecursionError):
        abort(422, "The cursor is not one of ours. Take next_cursor of the page before, or leave it out.")
    return found


def _csv(schema: Schema, rows: Sequence[Any]) -> str:
    names = list(schema.dump_fields)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    for row in schema.dump(rows, many=True):
        writer.writerow([_cell(row.get(name)) for name in names])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value) if isinstance(value, dict | list | bool) else str(value)
    return plain_text(text) if isinstance(value, str) else text
