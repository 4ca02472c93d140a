"""The `tombstones` table: names that were erased, as keyed hashes, and since when."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from shared.db.contacts import IdentityKey


def erased_names(conn: psycopg.Connection[Any], keys: Iterable[IdentityKey]) -> dict[IdentityKey, datetime]:
    """Which of these names were erased, and when."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = conn.execute(
        """
        select t.workspace, t.kind, t.hash, t.erased_at
        from unnest(%b::text[], %b::text[], %b::bytea[]) as k (workspace, kind, hash)
        join tombstones t using (workspace, kind, hash)
        """,
        [[key[0] for key in wanted], [key[1] for key in wanted], [key[2] for key in wanted]],
    ).fetchall()
    return {(workspace, kind, digest): erased_at for workspace, kind, digest, erased_at in rows}


def bury(conn: psycopg.Connection[Any], workspace: str, names: Sequence[tuple[str, str, bytes]]) -> None:
    """Sets tombstones for names, given as (kind, id of the hash's key, hash): erased by Postgres's now."""
    conn.execute(
        """
        insert into tombstones (workspace, kind, hash_key, hash, erased_at)
        select distinct on (n.kind, n.hash) %s, n.kind, n.hash_key, n.hash, now()
        from unnest(%b::text[], %b::text[], %b::bytea[]) as n (kind, hash_key, hash)
        on conflict (workspace, kind, hash) do update set erased_at = excluded.erased_at
        """,
        [workspace, [name[0] for name in names], [name[1] for name in names], [name[2] for name in names]],
    )


def tombstones_by_key(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """How many tombstones each hash key has: without the key they are blind."""
    return dict(conn.execute("select hash_key, count(*) from tombstones group by hash_key").fetchall())
