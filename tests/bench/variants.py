"""What acknowledge.py compares the receiver with, as factories for granian. BENCH_THREADS is the number of threads."""

import io
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from flask import Flask, request
from psycopg_pool import ConnectionPool

from receiver.app import create_app
from receiver.asgi import Message, Receive, Send, make_environ, run_wsgi
from receiver.inbox import Inbox, Sink, ThreadTicket, Ticket
from receiver.runtime import NEEDS, Runtime
from shared.db.pool import open_pool
from shared.db.webhooks import insert_webhooks
from shared.queue import make_publisher
from shared.settings import load_settings


class CommitEach(Inbox):
    """An inbox that commits every webhook by itself, in the thread of its request."""

    def __init__(self, pool: ConnectionPool[Any]) -> None:  # without a writer's thread
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


def bare_event_loop() -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """The same view, run in an event loop as the receiver's front runs its own."""
    app = bare()

    async def front(scope: Message, receive: Receive, send: Send) -> None:
        environ = make_environ(scope)
        message = await receive()
        parts = [message["body"]]
        while message["more_body"]:
            message = await receive()
            parts.append(message["body"])
        environ["wsgi.input"] = io.BytesIO(b"".join(parts))
        status, headers, content = run_wsgi(app, environ)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return front


def commit_each() -> Flask:
    """The receiver's own view, with one commit for each request."""
    runtime = Runtime(load_settings(os.environ, needs=NEEDS))
    runtime.start()
    pool = open_pool(os.environ["DATABASE_URL"], process="bench", size=int(os.environ["BENCH_THREADS"]))
    return create_app(replace(runtime.door, inbox=CommitEach(pool)), runtime.call_door, runtime.readiness)


def delay_each() -> Flask:
    """The plain recipe: the payload goes to Celery, and is as durable as Redis is."""
    app = Flask(__name__, static_folder=None)
    celery = make_publisher(os.environ["REDIS_URL"])

    @app.post("/webhooks/<key>")
    def webhook(key: str) -> str:
        body = request.get_data(cache=False, as_text=True)
        celery.send_task("bench.nobody", [key, body], queue="bench", expires=1)
        return ""

    return app
