"""An import before it happens: every row with its verdict, and what is handed over of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from console.errors import InvalidError, NotFoundError
from console.imports.columns import Reading, Rows, columns_of
from console.imports.files import Table, read_table
from console.imports.verdicts import WORDS, Judge
from shared.crypto import HashRing
from shared.db.workspaces import Workspace, all_workspaces
from shared.domain.submission_forms import Malformed, parse_items

#: Wraps what is gone through, to show how far it is.
Progress = Callable[[list[tuple[int, list[str]]]], Iterable[tuple[int, list[str]]]]
_LEFT_OUT = ("bad", "duplicate")


@dataclass(frozen=True, kw_only=True, repr=False)
class PlannedRow:
    """One row: the line it begins on, its cells, what would become of it, why it is bad, and its item."""

    line: int
    cells: list[str]
    verdict: str
    reason: str | None = None
    item: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan:
    """A whole file. `counts` is verdict -> rows, in the order of `verdicts.WORDS`."""

    table: Table
    rows: list[PlannedRow]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(row.verdict for row in self.rows)
        return {verdict: found[verdict] for verdict in WORDS if verdict in found}

    @property
    def items(self) -> list[Mapping[str, Any]]:
        """What is handed over: all but bad rows and what is known already."""
        return [row.item for row in self.rows if row.verdict not in _LEFT_OUT]

    @property
    def bad(self) -> list[tuple[int, list[str], str]]:
        """The rows that can't be used: line, cells, reason."""
        return [(row.line, row.cells, row.reason or "") for row in self.rows if row.verdict == "bad"]


def the_workspace(conn: psycopg.Connection[Any], name: str | None) -> Workspace:
    """The workspace of this name, or the only one there is. Raises NotFoundError and InvalidError."""
    known = all_workspaces(conn)
    if name is None and len(known) == 1:
        return known[0]
    if name is None:
        raise InvalidError(f"Say which workspace, with --workspace: {', '.join(one.name for one in known)}.")
    found = next((one for one in known if one.name == name), None)
    if found is None:
        raise NotFoundError(f"There is no workspace {name!r}. There are: {', '.join(one.name for one in known)}.")
    return found


def plan_import(
    conn: psycopg.Connection[Any],
    ring: HashRing,
    workspace: Workspace,
    kind: str,
    path: Path,
    reading: Reading,
    *,
    progress: Progress = lambda rows: rows,
) -> Plan:
    """Reads the file and judges its rows; nothing is written. Raises InvalidError for what is no such file."""
    table = read_table(path)
    rows = Rows(kind, columns_of(kind, table.headings), reading)
    now = datetime.now(UTC)
    judge = Judge(conn, ring, workspace.name, now)
    return Plan(
        table=table, rows=[_planned(line, cells, kind, rows, judge, now) for line, cells in progress(table.rows)]
    )


def _planned(line: int, cells: list[str], kind: str, rows: Rows, judge: Judge, now: datetime) -> PlannedRow:
    try:
        item = rows.item(cells, now=now)
    except ValueError as error:
        return PlannedRow(line=line, cells=cells, verdict="bad", reason=str(error))
    [parsed] = parse_items(kind, json.dumps(item).encode(), received_at=now)
    if isinstance(parsed, Malformed):
        return PlannedRow(line=line, cells=cells, verdict="bad", reason=str(parsed).replace("contact.id", "contact_id"))
    verdict, reason = judge.verdict(parsed)
    return PlannedRow(line=line, cells=cells, verdict=verdict, reason=reason, item=item, occurred_at=parsed.occurred_at)
