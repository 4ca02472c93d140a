"""Whether the process runs, and whether it can serve pages. Both say nothing about anybody."""

import psycopg
from flask import Blueprint, Response
from psycopg_pool import PoolTimeout

from console.web.access import Door, least
from console.web.runtime import database
from shared.db.migrate import MigrationError, pending

health = Blueprint("health", __name__)


@health.get("/healthz")
@least(Door.MACHINE)
def healthz() -> Response:
    """The process runs."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@health.get("/readyz")
@least(Door.MACHINE)
def readyz() -> Response:
    """Postgres answers, and its schema is this version's."""
    try:
        with database() as conn:
            ready = not pending(conn)
    except (psycopg.Error, PoolTimeout, MigrationError):
        ready = False
    return Response("ready\n" if ready else "not ready\n", 200 if ready else 503, content_type="text/plain")
