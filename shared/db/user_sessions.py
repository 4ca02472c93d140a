"""The `user_sessions` table: browsers that are logged in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class UserSession:
    """One browser that is, or is about to be, logged in."""

    id: int
    user_id: int
    #: The password was right, the second factor is still to come: this session opens nothing.
    awaits_second_factor: bool
    agent: str
    network: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


_COLUMNS = "id, user_id, awaits_second_factor, agent, network, created_at, seen_at, expires_at"


def insert_session(
    conn: psycopg.Connection[Any],
    *,
    hash_: bytes,
    user_id: int,
    awaits_second_factor: bool,
    agent: str,
    network: str,
    lasts: timedelta,
) -> None:
    """Opens a session."""
    conn.execute(
        "insert into user_sessions (hash, user_id, awaits_second_factor, agent, network, expires_at)"
        " values (%s, %s, %s, %s, %s, now() + %s)",
        [hash_, user_id, awaits_second_factor, agent, network, lasts],
    )


def live_session(conn: psycopg.Connection[Any], hash_: bytes, *, idle: timedelta) -> UserSession | None:
    """The session of this hash unless it ended, expired, was idle for too long, or its user was shut out."""
    with conn.cursor(row_factory=class_row(UserSession)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from user_sessions s where hash = %s and ended_at is null and expires_at > now()"
            " and seen_at > now() - %s"
            " and exists (select from users u where u.id = s.user_id and u.disabled_at is null)",
            [hash_, idle],
        ).fetchone()


def live_sessions(conn: psycopg.Connection[Any], user_id: int, *, idle: timedelta) -> list[UserSession]:
    """The sessions of a person, newest first."""
    with conn.cursor(row_factory=class_row(UserSession)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from user_sessions where user_id = %s and ended_at is null and expires_at > now()"
            " and seen_at > now() - %s and not awaits_second_factor order by seen_at desc, id desc",
            [user_id, idle],
        ).fetchall()


def note_seen(conn: psycopg.Connection[Any], session_id: int) -> None:
    """The session was used now; written once a minute at most."""
    conn.execute(
        "update user_sessions set seen_at = now() where id = %s and seen_at < now() - interval '1 minute'", [session_id]
    )


def rotate_session(conn: psycopg.Connection[Any], session_id: int, hash_: bytes) -> None:
    """Gives the session another id; the old one opens nothing any more."""
    conn.execute("update user_sessions set hash = %s, seen_at = now() where id = %s", [hash_, session_id])


def end_session(conn: psycopg.Connection[Any], user_id: int, session_id: int) -> bool:
    """Ends one session of this person; whether there was one."""
    row = conn.execute(
        "update user_sessions set ended_at = now() where id = %s and user_id = %s and ended_at is null returning id",
        [session_id, user_id],
    ).fetchone()
    return row is not None


def end_sessions(conn: psycopg.Connection[Any], user_id: int, *, but: int | None = None) -> int:
    """Ends all sessions of a person, but for one; how many."""
    return conn.execute(
        "update user_sessions set ended_at = now() where user_id = %s and ended_at is null"
        " and id is distinct from %s::bigint",
        [user_id, but],
    ).rowcount
