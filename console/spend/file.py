"""A file of spend, line by line: Ads Manager's export in six languages, or the plain form."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from console.errors import InvalidError
from console.spend.cells import CellError, date_order, decimal_mark, read_count, read_date, read_money
from console.spend.headers import Columns, recognise
from shared.domain.sentences import sentence

LARGEST_BYTES = 50 * 1024 * 1024
#: Ads Manager has some hundred columns; further right nothing is looked for.
_MOST_COLUMNS = 500
_COUNTS = ("impressions", "reach", "clicks", "link_clicks", "conversations_started")
_ID = re.compile(r"(?:[a-z]{1,3}:)?([0-9]{3,32})")


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """One line of spend. `object_id` is Meta's id, or `name:…` where the file has a name only."""

    day: date
    level: str
    object_id: str
    currency: str | None
    spend: Decimal
    names: dict[str, str]
    counts: dict[str, int | None]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the file as it stands, and what it says or why it can't be used (a reason code)."""

    number: int
    cells: Sequence[str]
    row: FileRow | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class SpendFile:
    """A file's heading and lines; totals and empty lines are left out."""

    heading: Sequence[str]
    lines: Sequence[Line]


def read_file(content: bytes, *, decimal: str | None = None, dates: str | None = None) -> SpendFile:
    """Reads a file. `decimal` (`.` or `,`) and `dates` (`dmy`, `mdy`) decide where its own cells don't.

    Raises InvalidError when it is no table of spend at all.
    """
    if len(content) > LARGEST_BYTES:
        raise InvalidError(sentence("The file is larger than 50 MB: split it by month."))
    table = _table(_text(content))
    start, columns = _heading(table)
    body = [(number, cells) for number, cells in enumerate(table[start + 1 :], start + 2) if any(map(str.strip, cells))]
    try:
        mark = decimal or decimal_mark(_column(body, columns, "spend"))
        order = dates or date_order(_column(body, columns, "day" if "day" in columns.places else "starts"))
    except CellError as error:
        raise InvalidError(
            sentence(
                "The file writes numbers or dates in two ways, so they can't be told apart. Give --decimal and --dates."
            )
        ) from error
    lines = [_line(number, cells, columns, mark, order) for number, cells in body]
    return SpendFile(heading=table[start], lines=[line for line in lines if line is not None])


def _line(number: int, cells: list[str], columns: Columns, mark: str | None, order: str | None) -> Line | None:
    """None for a line of totals, which has neither a day nor a name."""
    given = {name: cells[place].strip() for name, place in columns.places.items() if place < len(cells)}
    if not given.get("day") and not any(value for name, value in given.items() if name.endswith(("_id", "_name"))):
        return None
    try:
        return Line(number=number, cells=cells, row=_row(given, columns, mark, order))
    except CellError as error:
        return Line(number=number, cells=cells, problem=str(error))


def _row(given: dict[str, str], columns: Columns, mark: str | None, order: str | None) -> FileRow:
    level, object_id = what_is_named(given)
    currency = (given.get("currency") or columns.currency or "").upper()
    if currency and not re.fullmatch("[A-Z]{3}", currency):
        raise CellError("currency_invalid")
    return FileRow(
        day=_day(given, order),
        level=level,
        object_id=object_id,
        currency=currency or None,
        spend=read_money(given.get("spend") or "0", mark),
        names={name: value for name, value in given.items() if name.endswith(("_id", "_name")) and value},
        counts={name: read_count(given[name]) if name in given else None for name in _COUNTS},
    )


def _day(given: dict[str, str], order: str | None) -> date:
    if given.get("day"):
        return read_date(given["day"], order)
    starts = read_date(given.get("starts", ""), order)
    if given.get("ends") and read_date(given["ends"], order) != starts:
        raise CellError("not_by_day")
    return starts


def what_is_named(given: Mapping[str, str]) -> tuple[str, str]:
    """The level and the id of the finest thing that a line names. Raises CellError for what is no id."""
    for level in ("ad", "ad_set", "campaign"):
        if text := given.get(f"{level}_id"):
            return level, _id(text)
        if name := given.get(f"{level}_name"):
            return level, f"name:{name[:500]}"
    return "account", "account"


def _id(text: str) -> str:
    """Ads Manager writes `ag:120…` so that a spreadsheet keeps the digits; one that was rounded is no id any more."""
    match = _ID.fullmatch(text)
    if match is None:
        raise CellError("id_rounded" if re.fullmatch(r"[0-9.,]+E\+?[0-9]+", text, re.IGNORECASE) else "id_invalid")
    return match[1]


def _heading(table: Sequence[list[str]]) -> tuple[int, Columns]:
    """Where the heading stands: some exports have lines about the report before it."""
    for number, cells in enumerate(table[:20]):
        columns = recognise(cells[:_MOST_COLUMNS])
        if "spend" in columns.places and columns.places.keys() & {"day", "starts"}:
            return number, columns
    raise InvalidError(
        sentence(
            "No heading with a day and an amount spent was found. Export from Ads Manager with the breakdown By time >"
            " Day, or use the columns date,ad_id,spend,currency[,impressions,clicks,conversations]."
        )
    )


def _column(body: Sequence[tuple[int, list[str]]], columns: Columns, name: str) -> list[str]:
    place = columns.places[name]
    return [cells[place] for _, cells in body if place < len(cells)]


def _table(text: str) -> list[list[str]]:
    # Lines before the heading have none, and amounts have commas: the line with most of a mark is told by it.
    lines = text.splitlines()[:20] or [""]
    delimiter = max(",;\t", key=lambda mark: max(line.count(mark) for line in lines))
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise InvalidError(sentence("The file is no CSV that can be read. Export it again as CSV.")) from error


def _text(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif content.startswith(b"PK\x03\x04"):
        raise InvalidError(sentence("This is an Excel file. Export it as CSV."))
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return content.decode(encoding).replace("\x00", "")
        except UnicodeDecodeError:
            continue
    raise InvalidError(sentence("The file's characters can't be read. Save it as CSV in UTF-8."))
