"""The `credentials` table: Meta access tokens, sealed, and how much of their quota is used."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from shared.capi.inspection import Inspection


@dataclass(frozen=True, kw_only=True, repr=False)
class Credential:
    """One Meta access token. Many datasets may share it, so the throttle is kept here."""

    id: int
    name: str
    #: Sealed under TOKEN_KEYS.
    token: bytes
    usage_percent: int | None
    throttled_until: datetime | None
    #: What Meta last said of it: `ok`, `invalid`, or a reason code why nothing is known; None before it was asked.
    inspection: str | None
    inspected_at: datetime | None
    #: None: never, or not known.
    expires_at: datetime | None
    data_access_expires_at: datetime | None
    scopes: list[str] | None


_COLUMNS = (
    "id, name, token, usage_percent, throttled_until, inspection, inspected_at, expires_at, data_access_expires_at,"
    " scopes"
)


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
    """Adds a credential or replaces the token of an existing one; its id. A new token starts without a throttle,
    and nothing is known of it."""
    row = conn.execute(
        """
        insert into credentials (name, token) values (%s, %s)
        on conflict (name) do update set token = excluded.token, usage_percent = null, throttled_until = null,
            inspection = null, inspected_at = null, expires_at = null, data_access_expires_at = null, scopes = null,
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


def claim_inspections(conn: psycopg.Connection[Any], *, every_seconds: float) -> list[int]:
    """The credentials in use that are to be asked about; they count as asked from now on, lest two ask at once."""
    rows = conn.execute(
        """
        update credentials set inspected_at = now() where id in (
            select id from credentials c
            where (inspected_at is null or inspected_at < now() - make_interval(secs => %s))
              and (throttled_until is null or throttled_until < now())
              and exists (select from datasets d where d.credential_id = c.id and d.sending <> 'off')
            order by inspected_at nulls first limit 50 for update skip locked
        ) returning id
        """,
        [every_seconds],
    ).fetchall()
    return [credential_id for (credential_id,) in rows]


def record_inspection(conn: psycopg.Connection[Any], credential: Credential, found: Inspection) -> None:
    """Keeps what Meta said of a token, unless it was replaced meanwhile. Where nothing was learned, what was known
    before stays."""
    conn.execute(
        """
        update credentials set inspection = %(result)s,
               expires_at = case when %(learned)s then %(expires)s else expires_at end,
               data_access_expires_at = case when %(learned)s then %(data_access)s else data_access_expires_at end,
               scopes = case when %(learned)s then %(scopes)s else scopes end
        where id = %(id)s and token = %(token)s
        """,
        {
            "result": found.result,
            "learned": found.result == "ok",
            "expires": found.expires_at,
            "data_access": found.data_access_expires_at,
            "scopes": list(found.scopes),
            "id": credential.id,
            "token": credential.token,
        },
    )
