"""Numbered SQL migrations, applied in order under an advisory lock, with a checksum of each that was applied."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import Any

import psycopg
from psycopg import sql

_LOCK = 7_226_292_001  # Any number of our own: two migrators must not run at once.
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
ROLES = ("ctwa_receiver", "ctwa_worker", "ctwa_console")


class MigrationError(Exception):
    """The migrations and the database disagree; the message says where and what to do."""


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_migrations() -> list[Migration]:
    """The migrations shipped with this version, in order. Raises MigrationError for a double or a bad name."""
    migrations = []
    for entry in files("shared.db").joinpath("migrations").iterdir():
        if not entry.name.endswith(".sql"):
            continue
        match = _NAME.match(entry.name)
        if match is None:
            raise MigrationError(f"{entry.name}: a migration is named like 0001_what_it_does.sql")
        migrations.append(Migration(int(match[1]), entry.name, entry.read_text(encoding="utf-8")))
    migrations.sort(key=lambda migration: migration.number)
    for earlier, later in pairwise(migrations):
        if earlier.number == later.number:
            raise MigrationError(f"two migrations have one number: {earlier.name} and {later.name}")
    return migrations


def pending(conn: psycopg.Connection[Any]) -> list[Migration]:
    """The migrations this database doesn't have yet.

    Raises MigrationError if an applied one was edited since, or is unknown to this (older) version.
    """
    applied = _applied(conn)
    migrations = read_migrations()
    unknown = sorted(set(applied) - {migration.number for migration in migrations})
    if unknown:
        raise MigrationError(
            f"the database has migration {unknown[0]:04d}, which this version doesn't know: run a newer version"
        )
    for migration in migrations:
        if migration.number in applied and applied[migration.number] != migration.checksum:
            raise MigrationError(
                f"{migration.name} was changed after it was applied: restore it and put the change into a new migration"
            )
    return [migration for migration in migrations if migration.number not in applied]


def migrate(conn: psycopg.Connection[Any]) -> list[str]:
    """Applies what is pending, each in a transaction of its own; the names of those applied."""
    conn.execute("select pg_advisory_lock(%s)", [_LOCK])
    conn.commit()
    try:
        conn.execute(
            "create table if not exists schema_migrations (number integer primary key, name text not null,"
            " checksum text not null, applied_at timestamptz not null default now())"
        )
        conn.commit()
        done = []
        for migration in pending(conn):
            conn.execute("set local lock_timeout = '4s'")
            conn.execute(migration.text.encode())
            conn.execute(
                "insert into schema_migrations (number, name, checksum) values (%s, %s, %s)",
                [migration.number, migration.name, migration.checksum],
            )
            conn.commit()
            done.append(migration.name)
        return done
    finally:
        conn.rollback()
        conn.execute("select pg_advisory_unlock(%s)", [_LOCK])
        conn.commit()


def set_role_passwords(conn: psycopg.Connection[Any], passwords: Mapping[str, str]) -> None:
    """Lets the roles in `passwords` log in. The server stores a SCRAM verifier, and no log sees the password."""
    for role, password in passwords.items():
        verifier = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        conn.execute(
            sql.SQL("alter role {} with login password {}").format(sql.Identifier(role), sql.Literal(verifier))
        )
    conn.commit()


def _applied(conn: psycopg.Connection[Any]) -> dict[int, str]:
    if conn.execute("select to_regclass('schema_migrations')").fetchone() == (None,):
        return {}
    return dict(conn.execute("select number, checksum from schema_migrations").fetchall())
