"""Reads CSV files as people have them, and writes those rows back that can't be used."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from console.errors import InvalidError

#: A file is read into memory whole.
MOST_BYTES = 100 * 1024 * 1024
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, repr=False)
class Table:
    """A file's headings and rows, each row with the number of its first line."""

    headings: list[str]
    rows: list[tuple[int, list[str]]]


def read_table(path: Path) -> Table:
    """Reads UTF-8 (UTF-16 with its mark, Windows-1252), parted by comma, semicolon, tab or bar. Raises InvalidError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidError(f"{path} is larger than {MOST_BYTES >> 20} MB. Split it.")
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidError(f"{path} can't be read: {error.strerror}.") from error
    text = _decoded(raw)
    if not text.strip():
        raise InvalidError(f"{path} is empty.")
    head = text.lstrip().splitlines()[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidError(f"{path} is no CSV file from line {line} on: {error}.") from error
    if len(rows) < 2:
        raise InvalidError(f"{path} has no rows below its headings.")
    return Table(headings=[heading.strip() for heading in rows[0][1]], rows=rows[1:])


def write_bad_rows(path: Path, table: Table, bad: Sequence[tuple[int, list[str], str]]) -> Path:
    """Writes rows (line, cells, reason) beside the file, for the owner's eyes; where they are."""
    target = path.with_name(f"{path.stem}.bad.csv")
    # It holds people's numbers: nobody else may read it.
    target.touch(mode=0o600)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*table.headings, "line", "reason"])
        for line, cells, reason in bad:
            padded = [*cells, *[""] * (len(table.headings) - len(cells))]
            writer.writerow([*padded[: len(table.headings)], line, reason])
    return target


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What spreadsheets on Windows write unless told otherwise.
        return raw.decode("cp1252", "replace")
