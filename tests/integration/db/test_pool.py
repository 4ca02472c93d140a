"""The pool of connections: short waits, and quick to come back after an outage however long it was."""

import contextlib
import socket
import threading
import time

import psycopg
import pytest

from shared.db.pool import connect, open_pool


@contextlib.contextmanager
def closed_door():
    """A port whose server hangs up at once, as one does that is starting; yields its address and when it was tried."""
    tried: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()
                    tried.append(time.monotonic())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"postgresql://nobody@127.0.0.1:{server.getsockname()[1]}/x?sslmode=disable&gssencmode=disable", tried
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_server_that_is_away_is_tried_again_every_few_seconds_and_not_ever_more_rarely():
    with closed_door() as (url, tried):
        pool = open_pool(url, process="test", size=2)
        ends = time.monotonic() + 8
        while time.monotonic() < ends:
            with pytest.raises(psycopg.OperationalError), pool.connection(timeout=0.5):
                pass
        pool.close()
        gaps = [later - earlier for earlier, later in zip(tried, [*tried[1:], ends], strict=True)]
        assert len(tried) >= 3
        assert max(gaps) < 3.5


def test_a_pool_replaces_connections_that_the_server_dropped(database_url):
    pool = open_pool(database_url, process="test", size=2)
    with pool.connection() as conn, psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(%s)", [conn.info.backend_pid])
    with pool.connection() as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    pool.close()


def test_every_connection_says_whose_it_is_and_waits_for_nothing_long(database_url):
    with connect(database_url, process="test", statement_seconds=7) as conn:
        names = ("application_name", "statement_timeout", "lock_timeout", "timezone")
        values = [conn.execute(f"show {name}").fetchone()[0] for name in names]
        assert conn.execute("show idle_in_transaction_session_timeout").fetchone() == ("30s",)
    assert values == ["ctwa-test", "7s", "5s", "UTC"]


def test_one_connection_commits_at_the_end_and_rolls_back_on_an_exception(database_url):
    with connect(database_url, process="test") as conn:
        conn.execute("insert into contacts (workspace) values ('kept')")
    with pytest.raises(psycopg.errors.UndefinedTable), connect(database_url, process="test") as conn:
        conn.execute("insert into contacts (workspace) values ('lost'); select * from nothing")
    with connect(database_url, process="test") as conn:
        assert conn.execute("select workspace from contacts").fetchall() == [("kept",)]
