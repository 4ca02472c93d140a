"""The `recovery_codes` table: what stands in for a lost second factor, each good for one login."""

from collections.abc import Sequence
from typing import Any

import psycopg


def replace_codes(conn: psycopg.Connection[Any], user_id: int, hashes: Sequence[bytes]) -> None:
    """Puts these codes in the place of the old ones."""
    conn.execute("delete from recovery_codes where user_id = %s", [user_id])
    conn.execute(
        "insert into recovery_codes (user_id, hash) select %s, unnest(%b::bytea[])",
        [user_id, list(hashes)],
    )


def use_code(conn: psycopg.Connection[Any], user_id: int, hash_: bytes) -> bool:
    """Takes a code that was not used yet; whether there was one."""
    row = conn.execute(
        "update recovery_codes set used_at = now() where user_id = %s and hash = %s and used_at is null returning hash",
        [user_id, hash_],
    ).fetchone()
    return row is not None


def codes_left(conn: psycopg.Connection[Any], user_id: int) -> int:
    """How many codes a person has not used yet."""
    row = conn.execute(
        "select count(*) from recovery_codes where user_id = %s and used_at is null", [user_id]
    ).fetchone()
    assert row is not None
    return int(row[0])
