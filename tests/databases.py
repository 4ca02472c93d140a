"""Databases for tests: each test has one of its own, and what a test leaves is wiped rather than dropped.

Copying a template of three hundred files took half a second of a core for every test; deleting a few rows takes none.
"""

import contextlib
import secrets
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

TEMPLATE = "ctwa_template"
#: A database with a larger table is dropped: dead rows would slow down the tests after it.
_MOST_BYTES = 1_000_000
#: And one whose tables the planner believes to hold more: it would plan for rows that are gone.
_MOST_ROWS = 100

#: Everything but rows that a test may have changed: tables, grants, functions, triggers, constraints, settings.
_SHAPE = """
select md5(string_agg(line, ',' order by line)) from (
    select concat_ws(' ', 'r', relname, relkind, relowner, relacl, relrowsecurity) as line from pg_class
    where relnamespace = 'public'::regnamespace
    union all select concat_ws(' ', 'a', attrelid::regclass, attname, atttypid, attnotnull, attacl, atthasdef)
    from pg_attribute join pg_class c on c.oid = attrelid
    where relnamespace = 'public'::regnamespace and attnum > 0
    union all select concat_ws(' ', 'p', oid, prosrc, proacl, proconfig) from pg_proc
    where pronamespace = 'public'::regnamespace
    union all select concat_ws(' ', 't', tgrelid::regclass, tgname, tgenabled) from pg_trigger where not tgisinternal
    union all select concat_ws(' ', 'c', conrelid::regclass, conname, convalidated) from pg_constraint
    union all select concat_ws(' ', 's', setrole, setconfig) from pg_db_role_setting
    where setdatabase = (select oid from pg_database where datname = current_database())
    union all select concat_ws(' ', 'e', extname) from pg_extension
) lines
"""
_USED = """
select c.oid::regclass::text, pg_relation_size(c.oid), c.reltuples from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and pg_relation_size(c.oid) > 0
"""
_SEQUENCES = """
select c.oid::regclass::text, pg_sequence_last_value(c.oid) from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
"""


class Databases:
    """Copies of the template on one server, which is the owner's at `url`. For one process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: list[str] = []
        with psycopg.connect(with_database(url, TEMPLATE)) as conn:
            self._shape = _shape(conn)
            self._sequences: dict[str, int | None] = dict(conn.execute(_SEQUENCES).fetchall())
            self._rows = {table: _copy(conn, table) for table, _, _ in conn.execute(_USED).fetchall()}

    def take(self) -> str:
        """The name of a database that is as migrations leave it."""
        if self._free:
            return self._free.pop()
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
            )
        return name

    def give_back(self, name: str) -> bool:
        """Wipes it for the next test, or drops it where more than rows and sequences were changed; whether it wiped."""
        wiped = False
        with contextlib.suppress(psycopg.Error), psycopg.connect(with_database(self._url, name)) as conn:
            wiped = self._wipe(conn)
        if wiped:
            self._free.append(name)
        else:
            with psycopg.connect(self._url, autocommit=True) as conn:
                conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        return wiped

    def _wipe(self, conn: psycopg.Connection[Any]) -> bool:
        conn.execute(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        used = conn.execute(_USED).fetchall()
        if any(size > _MOST_BYTES or rows > _MOST_ROWS for _, size, rows in used) or _shape(conn) != self._shape:
            return False
        # Neither triggers nor foreign keys, so the order does not matter.
        conn.execute("set session_replication_role = replica")
        for table in {table for table, _, _ in used} | self._rows.keys():
            conn.execute(f"delete from {table}")
        for table, rows in self._rows.items():
            with conn.cursor().copy(f"copy {table} from stdin") as copy:
                copy.write(rows)
        for sequence, last in conn.execute(_SEQUENCES).fetchall():
            if last != self._sequences[sequence]:
                first = self._sequences[sequence]
                conn.execute("select setval(%s, %s, %s)", [sequence, first or 1, first is not None])
        return True


def with_database(url: str, name: str) -> str:
    """The same server's URL with another database."""
    parts = conninfo_to_dict(url)
    parts["dbname"] = name
    return make_conninfo(**parts)


def _shape(conn: psycopg.Connection[Any]) -> str:
    row = conn.execute(_SHAPE).fetchone()
    assert row is not None
    return str(row[0])


def _copy(conn: psycopg.Connection[Any], table: str) -> bytes:
    with conn.cursor().copy(f"copy {table} to stdout") as copy:
        return b"".join(copy)
