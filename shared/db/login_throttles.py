"""The `login_throttles` table: how often a login failed lately, by the keyed hash of an account or a network."""

from datetime import timedelta
from typing import Any

import psycopg


def count_try(conn: psycopg.Connection[Any], key: bytes, *, window: timedelta) -> int:
    """Counts one more try; how many there were since the window of this key began, this one too.

    Tries side by side wait for each other, so that none of them is overlooked.
    """
    row = conn.execute(
        """
        insert into login_throttles as t (key, failures) values (%(key)s, 1)
        on conflict (key) do update set
            failures = case when t.since > now() - %(window)s then t.failures + 1 else 1 end,
            since = case when t.since > now() - %(window)s then t.since else now() end
        returning failures
        """,
        {"key": key, "window": window},
    ).fetchone()
    assert row is not None
    return int(row[0])


def forget_tries(conn: psycopg.Connection[Any], key: bytes) -> None:
    """The login succeeded: the next one starts from nothing."""
    conn.execute("delete from login_throttles where key = %s", [key])


def prune_throttles(conn: psycopg.Connection[Any], *, window: timedelta) -> None:
    """Drops what no longer counts."""
    conn.execute("delete from login_throttles where since < now() - %s", [window])


def give_back_try(conn: psycopg.Connection[Any], key: bytes) -> None:
    """The try was none of those to count: it succeeded."""
    conn.execute("update login_throttles set failures = greatest(failures - 1, 0) where key = %s", [key])
