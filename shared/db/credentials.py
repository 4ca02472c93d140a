"""The `credentials` table: Meta access tokens, sealed, and how much of their quota is used."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True, repr=False)
class Credential:
    """One Meta access token. Many datasets may share it, so the throttle is kept here."""

    id: int
    name: str
    #: Sealed under TOKEN_KEYS.
    token: bytes
    usage_percent: int | None
    throttled_until: datetime | None


_COLUMNS = "id, name, token, usage_percent, throttled_until"


def all_credentials(conn: psycopg.Connection[Any]) -> list[Credential]:
    """Every credential, by name."""
    with conn.cursor(row_factory=class_row(Credential)) as cursor:
        cursor.execute(f"select {_COLUMNS} from credentials order by name")
        return cursor.fetchall()


def credential_by_name(conn: psycopg.Connection[Any], name: str) -> Credential | None:
    """The credential with this name."""
    with conn.cursor(row_factory=class_row(Credential)) as cursor:
        cursor.execute(f"select {_COLUMNS} from credentials where name = %s", [name])
        return cursor.fetchone()


def credential_by_id(conn: psycopg.Connection[Any], credential_id: int) -> Credential | None:
    """The credential with this id."""
    with conn.cursor(row_factory=class_row(Credential)) as cursor:
        cursor.execute(f"select {_COLUMNS} from credentials where id = %s", [credential_id])
        return cursor.fetchone()


def save_credential(conn: psycopg.Connection[Any], name: str, token: bytes) -> int:
    """Adds a credential or replaces the token of an existing one; its id. A new token starts without a throttle."""
    row = conn.execute(
        """
        insert into credentials (name, token) values (%s, %s)
        on conflict (name) do update set token = excluded.token, usage_percent = null, throttled_until = null,
            updated_at = now()
        returning id
        """,
        [name, token],
    ).fetchone()
    assert row is not None
    return int(row[0])


def record_usage(
    conn: psycopg.Connection[Any], credential_id: int, *, percent: int | None, throttle_seconds: float | None
) -> None:
    """Keeps what Meta's usage headers said; a throttle only ever moves later."""
    conn.execute(
        """
        update credentials set usage_percent = coalesce(%(percent)s, usage_percent),
               throttled_until = case when %(seconds)s::float8 is null then throttled_until
                   else greatest(throttled_until, now() + make_interval(secs => %(seconds)s)) end,
               updated_at = now()
        where id = %(id)s and (%(seconds)s::float8 is not null or usage_percent is distinct from %(percent)s)
        """,
        {"id": credential_id, "percent": percent, "seconds": throttle_seconds},
    )
