"""What acknowledge.py compares the receiver with, as factories for granian. BENCH_THREADS is the number of threads."""

import os
from dataclasses import replace
from typing import Any

from flask import Flask, request
from psycopg_pool import ConnectionPool

from receiver.app import create_app
from receiver.inbox import Sink, ThreadTicket, Ticket
from receiver.runtime import NEEDS, Runtime
from shared.db.pool import open_pool
from shared.db.webhooks import insert_webhooks
from shared.settings import load_settings


class CommitEach:
    """An inbox that commits every webhook by itself, in the thread of its request."""

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool

    def put(self, ticket: Ticket) -> None:
        with self._pool.connection() as conn:
            insert_webhooks(conn, [ticket.webhook])
        ticket.sink = Sink.POSTGRES
        ThreadTicket.settled([ticket])


def bare() -> Flask:
    """A view that reads the body and answers 200: what Flask under this server can do at most."""
    app = Flask(__name__, static_folder=None)

    @app.post("/webhooks/<key>")
    def webhook(key: str) -> str:
        request.get_data(cache=False)
        return ""

    return app


def commit_each() -> Flask:
    """The receiver's own view, with one commit for each request."""
    runtime = Runtime(load_settings(os.environ, needs=NEEDS))
    runtime.start()
    pool = open_pool(os.environ["DATABASE_URL"], process="bench", size=int(os.environ["BENCH_THREADS"]))
    return create_app(replace(runtime.door, inbox=CommitEach(pool)), runtime.readiness)
