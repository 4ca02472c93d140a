"""Connections to Postgres. Made after a fork, never before: a shared socket would mix two processes' answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool


def open_pool(database_url: str, *, process: str, size: int, statement_seconds: int = 10) -> ConnectionPool[Any]:
    """A pool of at most `size` connections that checks each before it lends it and reconnects by itself."""
    return ConnectionPool(
        database_url,
        min_size=0,
        max_size=size,
        timeout=5,
        max_idle=60,
        # The pool tries ever more rarely for this long, and starts afresh when it is asked after that.
        reconnect_timeout=5,
        check=ConnectionPool.check_connection,
        kwargs=connection_options(process, statement_seconds=statement_seconds),
        open=True,
    )


def connection_options(process: str, *, statement_seconds: float) -> dict[str, Any]:
    """What every connection of ours sets: a name to be seen by, short waits, and no forgotten transactions."""
    return {
        "application_name": f"ctwa-{process}",
        "connect_timeout": 2,
        "tcp_user_timeout": 5000,
        "keepalives_idle": 10,
        "options": (
            f"-c statement_timeout={int(statement_seconds * 1000)} -c lock_timeout=5000"
            " -c idle_in_transaction_session_timeout=30000 -c timezone=UTC"
        ),
    }


def server_time(conn: psycopg.Connection[Any]) -> datetime:
    """Postgres's clock, at the start of the transaction: the one that leases, retries and ages go by."""
    row = conn.execute("select now()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


@contextmanager
def connect(database_url: str, *, process: str, statement_seconds: float = 30) -> Iterator[psycopg.Connection[Any]]:
    """One connection for a command: commits at the end, rolls back on an exception, and closes."""
    with psycopg.connect(database_url, **connection_options(process, statement_seconds=statement_seconds)) as conn:
        yield conn
