"""The `users` table: the people who work in the console."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class User:
    """One person, without their secrets."""

    id: int
    email: str
    name: str
    #: A password was chosen; without one, nobody can log in.
    has_password: bool
    has_second_factor: bool
    #: Owner of every workspace, of those to come, and of what belongs to none.
    owner_everywhere: bool
    #: None: as the browser asks.
    language: str | None
    zone: str
    disabled_at: datetime | None
    last_login_at: datetime | None
    created_at: datetime

    @property
    def shown_name(self) -> str:
        """What others know the person by."""
        return self.name or self.email


@dataclass(frozen=True, kw_only=True, repr=False)
class Secrets:
    """What a person proves themselves by."""

    id: int
    password_hash: str | None
    #: Sealed; confirmed or not yet.
    totp_secret: bytes | None
    totp_confirmed_at: datetime | None
    totp_step: int
    disabled_at: datetime | None


COLUMNS = (
    "u.id, u.email, u.name, u.password_hash is not null as has_password,"
    " u.totp_confirmed_at is not null as has_second_factor, u.owner_everywhere, u.language, u.zone, u.disabled_at,"
    " u.last_login_at, u.created_at"
)
_SECRETS = "id, password_hash, totp_secret, totp_confirmed_at, totp_step, disabled_at"


def user_by_id(conn: psycopg.Connection[Any], user_id: int) -> User | None:
    """The user of this id."""
    with conn.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(f"select {COLUMNS} from users u where u.id = %s", [user_id]).fetchone()


def user_by_email(conn: psycopg.Connection[Any], email: str) -> User | None:
    """The user of this address, which is in lower case."""
    with conn.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(f"select {COLUMNS} from users u where u.email = %s", [email]).fetchone()


def all_users(conn: psycopg.Connection[Any]) -> list[User]:
    """Everybody, by address; those who are disabled too."""
    with conn.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(f"select {COLUMNS} from users u order by u.email").fetchall()


def any_user(conn: psycopg.Connection[Any]) -> bool:
    """Whether there is anybody at all."""
    return conn.execute("select from users limit 1").fetchone() is not None


def secrets_by_email(conn: psycopg.Connection[Any], email: str) -> Secrets | None:
    """What the person of this address proves themselves by."""
    with conn.cursor(row_factory=class_row(Secrets)) as cursor:
        return cursor.execute(f"select {_SECRETS} from users where email = %s", [email]).fetchone()


def secrets_of(conn: psycopg.Connection[Any], user_id: int) -> Secrets:
    """What this person proves themselves by, locked until the transaction ends. Raises LookupError."""
    with conn.cursor(row_factory=class_row(Secrets)) as cursor:
        found = cursor.execute(f"select {_SECRETS} from users where id = %s for update", [user_id]).fetchone()
    if found is None:
        raise LookupError(f"no user {user_id}")
    return found


def insert_user(
    conn: psycopg.Connection[Any], *, email: str, name: str, password_hash: str | None, owner_everywhere: bool
) -> int | None:
    """Adds a user; the id, or None when the address is taken."""
    row = conn.execute(
        "insert into users (email, name, password_hash, owner_everywhere) values (%s, %s, %s, %s)"
        " on conflict do nothing returning id",
        [email, name, password_hash, owner_everywhere],
    ).fetchone()
    return row[0] if row else None


def set_password(conn: psycopg.Connection[Any], user_id: int, password_hash: str | None) -> None:
    """Puts this hash in the place of the old one."""
    conn.execute("update users set password_hash = %s where id = %s", [password_hash, user_id])


def set_profile(conn: psycopg.Connection[Any], user_id: int, *, name: str, language: str | None, zone: str) -> None:
    """What a person may say of themselves."""
    conn.execute(
        "update users set name = %s, language = %s, zone = %s where id = %s",
        [name, language, zone, user_id],
    )


def set_language(conn: psycopg.Connection[Any], user_id: int, language: str) -> None:
    """The language the pages come in."""
    conn.execute("update users set language = %s where id = %s", [language, user_id])


def set_disabled(conn: psycopg.Connection[Any], user_id: int, *, disabled: bool) -> None:
    """Shuts a person out, or lets them in again."""
    conn.execute("update users set disabled_at = case when %s then now() end where id = %s", [disabled, user_id])


def set_owner_everywhere(conn: psycopg.Connection[Any], user_id: int, *, everywhere: bool) -> None:
    """Makes a person owner of every workspace, of those to come, and of what belongs to none; or takes that back."""
    conn.execute("update users set owner_everywhere = %s where id = %s", [everywhere, user_id])


def others_own_everything(conn: psycopg.Connection[Any], user_id: int) -> int:
    """How many others own everything and can log in."""
    row = conn.execute(
        "select count(*) from users where owner_everywhere and disabled_at is null and password_hash is not null"
        " and id <> %s",
        [user_id],
    ).fetchone()
    assert row is not None
    return int(row[0])


def set_totp_secret(conn: psycopg.Connection[Any], user_id: int, sealed: bytes | None) -> None:
    """Keeps a secret that is not confirmed yet, or none: the second factor is off until it is."""
    conn.execute(
        "update users set totp_secret = %s, totp_confirmed_at = null, totp_step = 0 where id = %s", [sealed, user_id]
    )


def take_totp_step(conn: psycopg.Connection[Any], user_id: int, step: int) -> bool:
    """Notes that the code of this step was used, which also confirms the secret. False when it was used before."""
    row = conn.execute(
        "update users set totp_step = %s, totp_confirmed_at = coalesce(totp_confirmed_at, now())"
        " where id = %s and totp_step < %s returning id",
        [step, user_id, step],
    ).fetchone()
    return row is not None


def note_login(conn: psycopg.Connection[Any], user_id: int) -> None:
    """The person logged in now."""
    conn.execute("update users set last_login_at = now() where id = %s", [user_id])
