"""The `alert_routes` table: where alerts go. An address may be a secret (Slack's is) or a person's, so it is sealed."""

import json
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from shared.crypto import KeyRing


@dataclass(frozen=True, kw_only=True, repr=False)
class Route:
    """One place where alerts go; those of one workspace, or of all when it is None."""

    id: int
    workspace: str | None
    name: str
    kind: str
    #: Sealed; `open_target` opens it.
    target: bytes
    #: What of the address anybody may read: a host, or a masked mailbox.
    shown: str
    allow_private: bool
    enabled: bool


@dataclass(frozen=True, kw_only=True, repr=False)
class Target:
    """Where exactly, and what a webhook is signed with, the newest secret first."""

    address: str
    secrets: tuple[str, ...] = ()


_COLUMNS = "id, workspace, name, kind, target, shown, allow_private, enabled"


def all_routes(conn: psycopg.Connection[Any], *, enabled_only: bool = False) -> list[Route]:
    """Every route, by name."""
    with conn.cursor(row_factory=class_row(Route)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from alert_routes where enabled or not %s order by name".encode(), [enabled_only]
        ).fetchall()


def route_by_name(conn: psycopg.Connection[Any], name: str) -> Route | None:
    """The route of this name."""
    with conn.cursor(row_factory=class_row(Route)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from alert_routes where name = %s".encode(), [name]).fetchone()


def route_by_id(conn: psycopg.Connection[Any], route_id: int) -> Route | None:
    """The route of this id."""
    with conn.cursor(row_factory=class_row(Route)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from alert_routes where id = %s".encode(), [route_id]).fetchone()


def insert_route(
    conn: psycopg.Connection[Any],
    *,
    workspace: str | None,
    name: str,
    kind: str,
    target: bytes,
    shown: str,
    allow_private: bool,
    by: str,
) -> int:
    """Adds a route; its id."""
    row = conn.execute(
        """
        insert into alert_routes (workspace, name, kind, target, shown, allow_private, created_by)
        values (%s, %s, %s, %s, %s, %s, %s) returning id
        """,
        [workspace, name, kind, target, shown, allow_private, by],
    ).fetchone()
    assert row is not None
    return int(row[0])


def delete_route(conn: psycopg.Connection[Any], route_id: int) -> None:
    """Removes a route, with what was to be sent there."""
    conn.execute("delete from alert_routes where id = %s", [route_id])


def seal_target(ring: KeyRing, target: Target) -> bytes:
    """A target as it is stored."""
    return ring.seal(json.dumps({"address": target.address, "secrets": target.secrets}).encode())


def open_target(ring: KeyRing, sealed: bytes) -> Target:
    """A stored target. Raises CannotDecrypt."""
    stored = json.loads(ring.open(sealed))
    return Target(address=stored["address"], secrets=tuple(stored["secrets"]))
