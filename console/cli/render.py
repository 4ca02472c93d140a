"""How results are printed: tables for people, JSON for programs. What came from outside can't steer a terminal."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: What json.dumps leaves as it is and a terminal or a stream may stumble over.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: Wide enough that a table in a pipe is never folded.
_PIPE_WIDTH = 4000


def print_json(value: Any) -> None:
    """Prints one JSON document, indented. Times are ISO 8601 in UTC with a Z, money and ids are text."""
    click.echo(json_text(value))


def json_text(value: Any) -> str:
    """The document that `print_json` prints."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Prints rows under headings, in the terminal's width, or unfolded into a pipe; `empty` when there are none."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if table.row_count:
        _console().print(table)
    else:
        click.echo(empty)


def print_fields(fields: Mapping[str, object], *, indent: int = 0) -> None:
    """Prints names and values below each other, values aligned; None is shown as a dash."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        click.echo(f"{' ' * indent}{name:<{width}}  {plain(value)}")


def plain(value: object) -> str:
    """A value as one line of text that is safe on a terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return plain(", ".join(f"{name}={inner}" for name, inner in value.items()))
    return _CONTROL.sub(" ", str(value))


def iso(moment: datetime) -> str:
    """An aware time in UTC, to the second: 2026-11-22T12:00:00Z."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def money(value: Decimal | None, currency: str | None) -> str:
    """A value with its currency, or a dash."""
    return "-" if value is None else f"{value:f} {currency}"


def _cell(value: object) -> Text:
    return Text(plain(value))


def _console() -> Console:
    # Made for each table: the stream may be another one from call to call.
    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, tuple | frozenset | set):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
