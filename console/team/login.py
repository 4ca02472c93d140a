"""Logging in: throttled before anything is looked at, in the same time and words for people there are and aren't."""

from dataclasses import dataclass
from typing import Any

import psycopg

from console.errors import ConsoleError
from console.team import second_factor
from console.team.passwords import hash_password, is_outdated, is_password
from console.team.sessions import Client, open_session
from console.team.throttle import Throttle
from console.team.words import N_
from shared.crypto import KeyRing
from shared.db import audit, user_sessions, users
from shared.db.user_sessions import UserSession


class LoginRefused(ConsoleError):
    """The address, the password or the code is wrong; which one is not told."""


@dataclass(frozen=True, kw_only=True)
class LoggedIn:
    """A new session: the id for its cookie, and whether it opens nothing before the second factor."""

    token: str
    awaits_second_factor: bool


def normal_email(text: str) -> str:
    """An address as it is stored and compared."""
    return text.strip().lower()


def log_in(conn: psycopg.Connection[Any], throttle: Throttle, *, email: str, password: str, client: Client) -> LoggedIn:
    """Opens a session for whoever knows the password. Raises LoginRefused or Throttled.

    Commits on its own: no transaction is open while the password is worked out.
    """
    account = normal_email(email)
    throttle.admit(conn, account=account, network=client.network)
    found = users.secrets_by_email(conn, account)
    conn.commit()
    right = is_password(found.password_hash if found else None, password)
    if not right or found is None or found.disabled_at:
        raise LoginRefused(N_("The e-mail address or the password is wrong."))
    assert found.password_hash is not None
    if is_outdated(found.password_hash):
        users.set_password(conn, found.id, hash_password(password))
    awaits = found.totp_confirmed_at is not None
    if not awaits:
        throttle.forgive(conn, account=account, network=client.network)
        _note(conn, found.id)
    token = open_session(conn, found.id, client, awaits_second_factor=awaits)
    conn.commit()
    return LoggedIn(token=token, awaits_second_factor=awaits)


def prove_second_factor(
    conn: psycopg.Connection[Any],
    throttle: Throttle,
    ring: KeyRing,
    *,
    session: UserSession,
    code: str,
    client: Client,
) -> LoggedIn:
    """Replaces a session that awaits the second factor by a whole one. Raises LoginRefused or Throttled."""
    account = f"second factor of {session.user_id}"
    throttle.admit(conn, account=account, network=client.network)
    if not second_factor.proves(conn, ring, session.user_id, code):
        conn.rollback()
        raise LoginRefused(N_("The code doesn't fit. Wait for the next one, or use a recovery code."))
    user = users.user_by_id(conn, session.user_id)
    assert user is not None
    for one in (account, user.email):
        throttle.forgive(conn, account=one, network=client.network)
    user_sessions.end_session(conn, session.user_id, session.id)
    _note(conn, session.user_id)
    token = open_session(conn, session.user_id, client)
    conn.commit()
    return LoggedIn(token=token, awaits_second_factor=False)


def _note(conn: psycopg.Connection[Any], user_id: int) -> None:
    users.note_login(conn, user_id)
    audit.record(conn, actor=f"user:{user_id}", action="log in", subject=f"user:{user_id}")
