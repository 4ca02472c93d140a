"""The `api_keys` table: programs that report conversions or read results, each for one workspace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """One key, without what proves it."""

    id: int
    workspace: str
    name: str
    #: The first characters, to recognise it by.
    start: str
    scopes: list[str]
    #: What it reports is left out of every total.
    is_test: bool
    last_used_at: datetime | None
    revoked_at: datetime | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class DoorKey:
    """What the receiver may know of a key."""

    id: int
    workspace: str
    hash: bytes
    scopes: Sequence[str]
    is_test: bool


_COLUMNS = "id, workspace, name, start, scopes, is_test, last_used_at, revoked_at, created_by, created_at"


def insert_api_key(
    conn: psycopg.Connection[Any],
    *,
    workspace: str,
    name: str,
    start: str,
    hash_: bytes,
    scopes: Sequence[str],
    is_test: bool,
    created_by: str,
) -> int | None:
    """Keeps a key by its SHA-256; the id, or None when the workspace has a key of this name in use."""
    row = conn.execute(
        "insert into api_keys (workspace, name, start, hash, scopes, is_test, created_by)"
        " values (%s, %s, %s, %s, %s, %s, %s)"
        " on conflict (workspace, name) where revoked_at is null do nothing returning id",
        [workspace, name, start, hash_, list(scopes), is_test, created_by],
    ).fetchone()
    return row[0] if row else None


def door_keys(conn: psycopg.Connection[Any]) -> list[DoorKey]:
    """Every key that is not revoked, as much of it as the receiver's role may read."""
    with conn.cursor(row_factory=class_row(DoorKey)) as cursor:
        return cursor.execute(
            "select id, workspace, hash, scopes, is_test from api_keys where revoked_at is null order by id"
        ).fetchall()


def api_keys_of(conn: psycopg.Connection[Any], workspace: str) -> list[ApiKey]:
    """The keys of a workspace: those in use first, then the revoked ones, newest first."""
    with conn.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from api_keys where workspace = %s order by revoked_at is not null, id desc",
            [workspace],
        ).fetchall()


def live_api_key(conn: psycopg.Connection[Any], hash_: bytes) -> ApiKey | None:
    """The key of this hash unless it was revoked."""
    with conn.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from api_keys where hash = %s and revoked_at is null", [hash_]
        ).fetchone()


def revoke_api_key(conn: psycopg.Connection[Any], workspace: str, key_id: int) -> ApiKey | None:
    """Makes a key of this workspace good for nothing; which one, or None when there is none in use."""
    with conn.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(
            "update api_keys set revoked_at = now() where id = %s and workspace = %s and revoked_at is null"
            f" returning {_COLUMNS}",
            [key_id, workspace],
        ).fetchone()
