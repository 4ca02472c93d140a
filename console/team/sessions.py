"""Sessions: rows in Postgres, found by the hash of a random id that a cookie holds. docs/decisions/0022 says why."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

from console.team.roles import Person
from console.team.tokens import hash_token, new_token
from shared.db import user_sessions
from shared.db.memberships import memberships_of
from shared.db.user_sessions import UserSession
from shared.db.users import user_by_id

#: A session ends when nobody used it for this long, and in any case after LONGEST.
IDLE = timedelta(hours=12)
LONGEST = timedelta(days=14)
#: How long one may take to find the second factor.
_BETWEEN_FACTORS = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Client:
    """Where a request comes from, as far as it is kept: "Firefox on Linux" and the first part of the address."""

    agent: str
    network: str


def open_session(
    conn: psycopg.Connection[Any], user_id: int, client: Client, *, awaits_second_factor: bool = False
) -> str:
    """Opens a session; the id that its cookie holds."""
    token = new_token()
    user_sessions.insert_session(
        conn,
        hash_=hash_token(token),
        user_id=user_id,
        awaits_second_factor=awaits_second_factor,
        agent=client.agent,
        network=client.network,
        lasts=_BETWEEN_FACTORS if awaits_second_factor else LONGEST,
    )
    return token


def find_session(conn: psycopg.Connection[Any], token: str) -> UserSession | None:
    """The session of a cookie, if it is still one."""
    return user_sessions.live_session(conn, hash_token(token), idle=IDLE)


def person_of(conn: psycopg.Connection[Any], found: UserSession) -> Person | None:
    """Who a session belongs to, and what they may do now. None while their second factor is awaited."""
    if found.awaits_second_factor:
        return None
    user_sessions.note_seen(conn, found.id)
    user = user_by_id(conn, found.user_id)
    assert user is not None
    return Person(
        id=user.id,
        email=user.email,
        name=user.name,
        owner_everywhere=user.owner_everywhere,
        has_second_factor=user.has_second_factor,
        language=user.language,
        zone=user.zone,
        session_id=found.id,
        memberships=memberships_of(conn, user.id),
    )


def rotate(conn: psycopg.Connection[Any], session_id: int) -> str:
    """A new id for a session whose person may do more than before, or proved themselves anew; the old one is void."""
    token = new_token()
    user_sessions.rotate_session(conn, session_id, hash_token(token))
    return token
