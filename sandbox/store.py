"""What was received, in SQLite: the events, the calls to `/events`, and lifetime totals.

A write is committed when the method returns, so an answer that follows it is never ahead of the record; a
process killed at any moment keeps all of it. The newest `keep` events and calls stay, the totals count for
ever.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

DEFAULT_KEEP = 200_000
FILE_NAME = "sandbox.sqlite3"

# Meta drops the later of two website events with one event_id and event_name within this time.
# https://developers.facebook.com/docs/marketing-api/conversions-api/deduplicate-pixel-and-server-events
DEDUPLICATION_WINDOW = timedelta(hours=48)

Outcome = Literal["accepted", "refused", "probe", "fault"]
Filters = Mapping[str, str | bool]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id INTEGER NOT NULL,
    received_at REAL NOT NULL,
    dataset TEXT NOT NULL,
    event_name TEXT NOT NULL,
    event_id TEXT,
    duplicate INTEGER NOT NULL,
    deduplicated INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_key ON events (dataset, event_name, event_id);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at REAL NOT NULL,
    dataset TEXT NOT NULL,
    version TEXT,
    test_event_code TEXT,
    events INTEGER,
    kept INTEGER NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL,
    status INTEGER,
    code INTEGER,
    subcode INTEGER,
    reason TEXT,
    fault TEXT,
    fbtrace_id TEXT,
    latency_ms REAL
);
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
_TOTALS = (
    "requests",
    "requests_accepted",
    "requests_refused",
    "requests_probe",
    "requests_fault",
    "events_accepted",
    "duplicates",
    "deduplicated",
)


@dataclass(frozen=True)
class Call:
    """One call to `/events`. `status` None: no answer goes out; `latency_ms` None: it is not out yet."""

    received_at: datetime
    dataset: str
    outcome: Outcome
    version: str | None = None
    test_event_code: str | None = None
    events: int | None = None
    status: int | None = None
    code: int | None = None
    subcode: int | None = None
    reason: str | None = None
    fault: str | None = None
    fbtrace_id: str | None = None
    latency_ms: float | None = None


class Store:
    """The record. Thread-safe: one connection under one lock."""

    def __init__(self, data_dir: Path | None = None, keep: int = DEFAULT_KEEP) -> None:
        """Open the record in `data_dir`, which is made if need be, or in memory without one."""
        if data_dir is not None:
            data_dir.mkdir(parents=True, exist_ok=True)
        place = ":memory:" if data_dir is None else str(data_dir / FILE_NAME)
        self._keep = keep
        self._lock = threading.Lock()
        self._closed = False
        self._db = sqlite3.connect(place, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        # Enough for a killed process, which is what tests do; only a power cut may lose the last commits.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._db.close()

    def record(self, call: Call, events: Sequence[Mapping[str, Any]] = ()) -> int:
        """Keep a call and the events it brought, in one commit; returns the call's id."""
        with self._transaction():
            request_id = self._insert_call(call, len(events))
            counts = self._insert_events(request_id, call, events)
            self._count({"requests": 1, f"requests_{call.outcome}": 1, **counts})
            self._prune("requests", request_id)
        return request_id

    def finish(self, request_id: int, latency_ms: float) -> None:
        """Set how long an answer took that went out late, or broken; too late once the record is closed."""
        if self._closed:
            return
        with self._transaction():
            self._db.execute("UPDATE requests SET latency_ms = ? WHERE id = ?", (latency_ms, request_id))

    def received(
        self, filters: Filters, limit: int, offset: int = 0, newest_first: bool = False
    ) -> tuple[int, list[dict[str, Any]]]:
        """How many kept events match, and a page of them. Filters are columns of the events."""
        matching, rows = self._page("events", filters, limit, offset, newest_first)
        for row in rows:
            row.update(
                duplicate=bool(row["duplicate"]),
                deduplicated=bool(row["deduplicated"]),
                event=json.loads(row.pop("body")),
            )
        return matching, rows

    def requests(
        self, filters: Filters, limit: int, offset: int = 0, newest_first: bool = False
    ) -> tuple[int, list[dict[str, Any]]]:
        """How many kept calls match, and a page of them. Filters are columns of the calls."""
        return self._page("requests", filters, limit, offset, newest_first)

    def totals(self) -> dict[str, int]:
        """Lifetime counts, also of what is no longer kept."""
        with self._lock:
            counted = dict(self._db.execute("SELECT name, count FROM totals").fetchall())
        return {name: counted.get(name, 0) for name in _TOTALS}

    def clear(self) -> None:
        """Forget everything, the totals too."""
        with self._transaction():
            for table in ("events", "requests", "totals"):
                self._db.execute(f"DELETE FROM {table}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _insert_call(self, call: Call, kept: int) -> int:
        columns = {**vars(call), "received_at": call.received_at.timestamp(), "kept": kept}
        inserted = self._db.execute(
            f"INSERT INTO requests ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            [_storable(value) for value in columns.values()],
        )
        assert inserted.lastrowid is not None
        return inserted.lastrowid

    def _insert_events(self, request_id: int, call: Call, events: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Insert the events and prune the oldest; returns what to add to the totals."""
        now = call.received_at.timestamp()
        duplicates = deduplicated = 0
        for event in events:
            key = (call.dataset, _storable(event["event_name"]), _storable(event.get("event_id")))
            repeats, dropped = self._repeats(key, now, event["action_source"] == "website")
            duplicates += repeats
            deduplicated += dropped
            last = self._db.execute(
                "INSERT INTO events (request_id, received_at, dataset, event_name, event_id, duplicate,"
                " deduplicated, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (request_id, now, *key, repeats, dropped, json.dumps(event)),
            ).lastrowid
            self._prune("events", last or 0)
        return {"events_accepted": len(events), "duplicates": duplicates, "deduplicated": deduplicated}

    def _repeats(self, key: tuple[Any, ...], now: float, website: bool) -> tuple[bool, bool]:
        """Whether this key counts once more, and whether it is dropped by the rule for website events."""
        if key[-1] is None:
            return False, False
        last = self._db.execute(
            "SELECT max(received_at) FROM events"
            " WHERE dataset = ? AND event_name = ? AND event_id = ? AND NOT deduplicated",
            key,
        ).fetchone()[0]
        if last is None:
            return False, False
        dropped = website and now - last < DEDUPLICATION_WINDOW.total_seconds()
        return not dropped, dropped

    def _count(self, counts: Mapping[str, int]) -> None:
        self._db.executemany(
            "INSERT INTO totals (name, count) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET count = count + excluded.count",
            [(name, count) for name, count in counts.items() if count],
        )

    def _prune(self, table: str, last_id: int) -> None:
        self._db.execute(f"DELETE FROM {table} WHERE id <= ?", (last_id - self._keep,))

    def _page(
        self, table: str, filters: Filters, limit: int, offset: int, newest_first: bool
    ) -> tuple[int, list[dict[str, Any]]]:
        where = " AND ".join(f"{column} = ?" for column in filters) or "TRUE"
        order = "DESC" if newest_first else "ASC"
        values = [_storable(value) for value in filters.values()]
        with self._lock:
            matching = self._db.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchone()[0]
            rows = self._db.execute(
                f"SELECT * FROM {table} WHERE {where} ORDER BY id {order} LIMIT ? OFFSET ?",
                [*values, limit, offset],
            ).fetchall()
        return matching, [{**dict(row), "received_at": _iso(row["received_at"])} for row in rows]


def _storable(value: Any) -> Any:
    """SQLite takes no lone surrogates, which JSON can carry."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
