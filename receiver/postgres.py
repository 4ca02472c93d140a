"""The writer's one connection to Postgres, and the breaker around it: a write never waits for more than a second.

Connecting is done beside the writer, so that nobody waits for a server that isn't there.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from shared.db.pool import connection_options
from shared.db.webhooks import NewWebhook, insert_webhooks
from shared.logs import get_logger

log = get_logger(__name__)

STATEMENT_SECONDS = 1.0
#: After this the connection is cut from our side: a server that is gone without a word can't keep its own timeout.
CUT_SECONDS = 1.2
REST_SECONDS = 2.0
_TICK_SECONDS = 0.2


class Away(Exception):
    """Postgres did not take the rows, or did not say so. It may have: store them elsewhere under the same ids."""


class BadRow(Exception):
    """Postgres refuses what is in a row, and always will. Holds the SQLSTATE, nothing of the row."""


class Postgres:
    """Inserts webhooks. `up` says whether there is a connection; after a failure there is none for two seconds."""

    def __init__(
        self,
        database_url: str,
        *,
        connect: Callable[..., psycopg.Connection[Any]] = psycopg.connect,
        rest_seconds: float = REST_SECONDS,
        cut_seconds: float = CUT_SECONDS,
    ) -> None:
        self._database_url = database_url
        self._connect_to = connect
        self._rest_seconds = rest_seconds
        self._cut_seconds = cut_seconds
        self._conn: psycopg.Connection[Any] | None = None
        self._busy_since: float | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="postgres", daemon=True)
        self._failing = False

    @property
    def up(self) -> bool:
        return self._conn is not None

    def start(self) -> None:
        """Tries to connect, once, and then goes on trying beside the writer."""
        self._connect()
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._drop()

    def insert(self, webhooks: Sequence[NewWebhook]) -> None:
        """Stores all rows with one statement and one commit. Raises Away or BadRow; then none is stored by us."""
        conn = self._conn
        if conn is None:
            raise Away("not connected")
        self._busy_since = time.monotonic()
        try:
            insert_webhooks(conn, webhooks)
        except psycopg.Error as error:
            if is_data_error(error):
                raise BadRow(error.sqlstate or "22000") from None
            self._failed(error)
            raise Away(type(error).__name__) from error
        except ValueError:
            # Text that has no UTF-8 form fails before it is sent.
            raise BadRow("22P05") from None
        finally:
            self._busy_since = None

    def _failed(self, error: psycopg.Error) -> None:
        log.warning("Postgres took no webhooks, the spool does", error=type(error).__name__, sqlstate=error.sqlstate)
        self._failing = True
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            conn, self._conn = self._conn, None
            if conn is not None:
                conn.close()

    def _watch(self) -> None:
        wait = self._rest_seconds if self._conn is None else _TICK_SECONDS
        while not self._closing.wait(wait):
            wait = _TICK_SECONDS
            if self._conn is not None:
                self._cut_when_stuck()
            elif self._failing:
                # The first tick after a failure: let the server rest before the next try.
                self._failing, wait = False, self._rest_seconds
            elif not self._connect():
                wait = self._rest_seconds

    def _connect(self) -> bool:
        try:
            self._conn = self._connect_to(
                self._database_url,
                autocommit=True,
                **connection_options("receiver", statement_seconds=STATEMENT_SECONDS),
            )
        except psycopg.Error as error:
            log.warning("Postgres is away", error=type(error).__name__)
            return False
        log.info("connected to Postgres")
        return True

    def _cut_when_stuck(self) -> None:
        with self._lock:
            since, conn = self._busy_since, self._conn
            if conn is None or conn.closed or since is None or time.monotonic() - since < self._cut_seconds:
                return
            log.warning("Postgres does not answer, connection cut")
            with socket.socket(fileno=os.dup(conn.fileno())) as twin:
                twin.shutdown(socket.SHUT_RDWR)


def is_data_error(error: psycopg.Error) -> bool:
    """Whether the rows are at fault: SQLSTATE class 22 (data) or 23 (integrity).

    https://www.postgresql.org/docs/current/errcodes-appendix.html. Anything else is the server's or the network's
    trouble, or a missing migration or privilege: the rows are good, and will be taken later.
    """
    # Some data errors are psycopg's own, found before anything was sent, and have no SQLSTATE.
    return isinstance(error, psycopg.DataError | psycopg.IntegrityError)
