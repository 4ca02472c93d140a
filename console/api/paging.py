"""Pages of lists: a cursor that is told with each page and given back for the next, JSON or CSV, and what may sort."""

import base64
import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from flask import Response, abort, request
from marshmallow import RAISE, Schema, fields, validate

from console.csv_cells import plain_text
from shared.db.reports import Slice

Row = TypeVar("Row")
Found = TypeVar("Found")
MOST = 500


class StrictQuery(Schema):
    """Parameters of a request; a name that isn't one is refused, so that no filter is silently left out."""

    class Meta:
        unknown = RAISE

    workspace = fields.String(metadata={"description": "For people who are logged in and have several workspaces."})


class FormQuery(StrictQuery):
    """In which form."""

    format = fields.String(
        validate=validate.OneOf(["json", "csv"]),
        metadata={"description": "json or csv. Without it, the header Accept says: text/csv is CSV."},
    )


class PageQuery(FormQuery):
    """Which page, and in which form."""

    limit = fields.Integer(
        load_default=50, validate=validate.Range(min=1, max=MOST), metadata={"description": "Rows of a page."}
    )
    cursor = fields.String(
        validate=validate.Length(max=300), metadata={"description": "next_cursor of the page before."}
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
        after=read_cursor(after, lambda values: _moment_and_id(values, id_type)) if after else None,
    )


def page(
    query: dict[str, Any], rows: Sequence[Row], key: Callable[[Row], tuple[datetime, Any]], schema: Schema
) -> Response | dict[str, Any]:
    """One page as it is answered: {data, next_cursor}, or CSV with the cursor in the header Next-Cursor."""
    shown = rows[: query["limit"]]
    more = None
    if len(rows) > len(shown):
        moment, own_id = key(shown[-1])
        more = write_cursor(moment.isoformat(), str(own_id))
    return _told(query, shown, more, schema)


def page_after(
    query: dict[str, Any],
    read: Callable[[Any, int], Sequence[Row]],
    place: Callable[[Any], Any],
    values: Callable[[Row], tuple[str | int, ...]],
    schema: Schema,
) -> Response | dict[str, Any]:
    """One page of a list that goes on after a row's `values`, which `place` reads back for `read(after, limit)`."""
    text = query.get("cursor")
    rows = read(read_cursor(text, place) if text else None, query["limit"] + 1)
    shown = rows[: query["limit"]]
    more = write_cursor(*values(shown[-1])) if len(rows) > len(shown) else None
    return _told(query, shown, more, schema)


def part_of(query: dict[str, Any], rows: Sequence[Row]) -> tuple[Sequence[Row], str | None]:
    """The page of a list that is made whole each time, and the next cursor: how many rows came before."""
    text = query.get("cursor")
    first = read_cursor(text, lambda values: _place(*values)) if text else 0
    last = first + query["limit"]
    return rows[first:last], write_cursor(last) if last < len(rows) else None


def _place(count: Any) -> int:
    if not isinstance(count, int) or count < 0:
        raise ValueError
    return count


def _told(query: dict[str, Any], shown: Sequence[Any], more: str | None, schema: Schema) -> Response | dict[str, Any]:
    return csv_page(_csv(schema, shown), more) if wants_csv(query) else {"data": shown, "next_cursor": more}


def wants_csv(query: dict[str, Any]) -> bool:
    """Whether rows are asked for as a table."""
    if "format" in query:
        return bool(query["format"] == "csv")
    return request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv"


def csv_page(text: str, more: str | None) -> Response:
    """A table as it is answered, with the next cursor in the header Next-Cursor."""
    response = Response(text, content_type="text/csv; charset=utf-8")
    if more:
        response.headers["Next-Cursor"] = more
    return response


def write_cursor(*values: str | int) -> str:
    """A place in a list, as text for an address."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def read_cursor(text: str, read: Callable[[Any], Found]) -> Found:
    """What `read` makes of the values of a cursor; whatever it finds wrong with them is a problem of the request."""
    try:
        return read(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
    except (ValueError, TypeError, AttributeError, RecursionError):
        abort(422, "The cursor is not one of ours. Take next_cursor of the page before, or leave it out.")


def _moment_and_id(values: Any, id_type: Callable[[str], Any]) -> tuple[datetime, Any]:
    moment, key = values
    found = datetime.fromisoformat(moment), id_type(key)
    if found[0].tzinfo is None or (isinstance(found[1], int) and not -(2**63) <= found[1] < 2**63):
        raise ValueError
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
