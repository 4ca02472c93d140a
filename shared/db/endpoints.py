"""The `endpoints` table: other systems that want to know, and how it goes with each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from shared.crypto import KeyRing

#: What an endpoint may want to know.
EVENTS = ("touchpoint.created", "conversion.attributed", "delivery.finished")
#: What it may be given over and above ids.
INCLUDES = ("phone",)


@dataclass(frozen=True, kw_only=True, repr=False)
class Endpoint:
    """One endpoint; `secrets` is sealed, `open_secrets` opens it."""

    id: int
    workspace: str
    name: str
    url: str
    events: list[str]
    include: list[str]
    secrets: bytes
    previous_until: datetime | None
    #: Whether the secret before the current one signs as well, by Postgres's clock.
    signs_twice: bool
    allow_private: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    failures: int
    last_problem: str | None
    last_arrived_at: datetime | None


_COLUMNS = (
    "id, workspace, name, url, events, include, secrets, previous_until,"
    " coalesce(previous_until > now(), false) as signs_twice, allow_private, disabled_at, disabled_reason,"
    " failing_since, failures, last_problem, last_arrived_at"
)
_CHANGEABLE = ("name", "url", "events", "include", "secrets", "previous_until", "allow_private")


def all_endpoints(conn: psycopg.Connection[Any], workspace: str | None = None) -> list[Endpoint]:
    """Every endpoint, or those of one workspace, by name."""
    with conn.cursor(row_factory=class_row(Endpoint)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from endpoints where %(it)s::text is null or workspace = %(it)s"
            " order by workspace, name",
            {"it": workspace},
        ).fetchall()


def endpoint_by_name(conn: psycopg.Connection[Any], workspace: str, name: str) -> Endpoint | None:
    """The endpoint of this name in a workspace."""
    with conn.cursor(row_factory=class_row(Endpoint)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from endpoints where workspace = %s and name = %s", [workspace, name]
        ).fetchone()


def endpoint_by_id(conn: psycopg.Connection[Any], endpoint_id: int) -> Endpoint | None:
    """The endpoint with this id."""
    with conn.cursor(row_factory=class_row(Endpoint)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from endpoints where id = %s", [endpoint_id]).fetchone()


def insert_endpoint(conn: psycopg.Connection[Any], values: Mapping[str, Any]) -> int:
    """Adds an endpoint; its id. `values` holds columns by name, `secrets` sealed."""
    row = conn.execute(
        "insert into endpoints (workspace, name, url, events, include, secrets, allow_private, created_by)"
        " values (%(workspace)s, %(name)s, %(url)s, %(events)s, %(include)s, %(secrets)s, %(allow_private)s,"
        " %(created_by)s) returning id",
        values,
    ).fetchone()
    assert row is not None
    return int(row[0])


def update_endpoint(conn: psycopg.Connection[Any], endpoint_id: int, values: Mapping[str, Any]) -> None:
    """Sets those changeable columns that `values` names."""
    columns = [column for column in _CHANGEABLE if column in values]
    if columns:
        changes = ", ".join(f"{column} = %({column})s" for column in columns)
        conn.execute(
            sql.SQL(f"update endpoints set {changes}, updated_at = now() where id = %(id)s"),
            {**values, "id": endpoint_id},
        )


def enable_endpoint(conn: psycopg.Connection[Any], endpoint_id: int) -> None:
    """Lets it be posted to, and forgets its failures."""
    conn.execute(
        "update endpoints set disabled_at = null, disabled_reason = null, failing_since = null, failures = 0,"
        " rest_until = null, updated_at = now() where id = %s",
        [endpoint_id],
    )


def disable_endpoint(conn: psycopg.Connection[Any], endpoint_id: int, reason: str) -> None:
    """Stops posting to it, and writing notifications for it. What waits goes on waiting."""
    conn.execute(
        "update endpoints set disabled_at = now(), disabled_reason = %s, updated_at = now()"
        " where id = %s and disabled_at is null",
        [reason, endpoint_id],
    )


def delete_endpoint(conn: psycopg.Connection[Any], endpoint_id: int) -> None:
    """Removes an endpoint and its notifications."""
    conn.execute("delete from notifications where endpoint_id = %s", [endpoint_id])
    conn.execute("delete from endpoints where id = %s", [endpoint_id])


def note_arrival(conn: psycopg.Connection[Any], endpoint_id: int) -> None:
    """Something arrived: what failed before is over."""
    conn.execute(
        "update endpoints set failing_since = null, failures = 0, rest_until = null, last_problem = null,"
        " last_arrived_at = now() where id = %s",
        [endpoint_id],
    )


def note_failure(conn: psycopg.Connection[Any], endpoint_id: int, problem: str, *, rest_seconds: float) -> float:
    """Something didn't arrive: the endpoint rests for a while. For how many seconds nothing has arrived by now."""
    row = conn.execute(
        "update endpoints set failing_since = coalesce(failing_since, now()), failures = failures + 1,"
        " rest_until = now() + make_interval(secs => %s), last_problem = %s where id = %s"
        " returning extract(epoch from now() - failing_since)::float8",
        [rest_seconds, problem, endpoint_id],
    ).fetchone()
    return float(row[0]) if row else 0.0


def seal_secrets(ring: KeyRing, secrets: Sequence[str]) -> bytes:
    """The current secret and the one before it, sealed for the table."""
    return ring.seal(json.dumps(list(secrets)).encode())


def open_secrets(ring: KeyRing, endpoint: Endpoint) -> list[str]:
    """The secrets that sign now, current first. Raises CannotDecrypt."""
    secrets: list[str] = json.loads(ring.open(endpoint.secrets))
    return secrets if endpoint.signs_twice else secrets[:1]
