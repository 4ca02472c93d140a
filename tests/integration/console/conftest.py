"""The command line against a real database, as the role that production gives it."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.crypto import HashRing, generate_key
from shared.db.migrate import set_role_passwords
from shared.db.pool import open_pool
from shared.queue import Bell, make_publisher, make_redis
from shared.settings import load_settings
from tests.integration.console.commands import CONSOLE_PASSWORD, PUBLIC_URL, Cli
from tests.integration.workers.world import ScriptedGraph, World
from workers.identities import Identities
from workers.runtime import Runtime


@pytest.fixture(scope="session")
def console_role(postgres_url: str) -> str:
    """The console's role with a password, on the whole test server."""
    with psycopg.connect(postgres_url) as conn:
        set_role_passwords(conn, {"ctwa_console": CONSOLE_PASSWORD})
    return "ctwa_console"


@pytest.fixture
def cli(database_url: str, console_role: str) -> Cli:
    """The commands on a database of this test, as the console's role, without Redis."""
    parts: dict[str, Any] = conninfo_to_dict(database_url)
    console_url = make_conninfo(**{**parts, "user": console_role, "password": CONSOLE_PASSWORD})
    keys = {name: generate_key() for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS")}
    return Cli({"DATABASE_URL": console_url, "PUBLIC_URL": PUBLIC_URL, **keys}, database_url)


@pytest.fixture
def world(cli: Cli, valkey_url: str) -> Iterator[World]:
    """Workers on the same database and keys, that the test sets to work by hand; Meta's answers are scripted."""
    settings = load_settings({**cli.environ, "DATABASE_URL": cli.owner_url, "REDIS_URL": valkey_url})
    redis, publisher = make_redis(valkey_url), make_publisher(valkey_url)
    graph = ScriptedGraph()
    runtime = Runtime(
        settings=settings,
        pool=open_pool(cli.owner_url, process="test", size=2),
        bell=Bell(redis, publisher),
        secret_ring=cli.secret_ring,
        token_ring=cli.token_ring,
        identities=Identities(cli.secret_ring, HashRing(settings.hash_keys)),
        graph=graph,  # type: ignore[arg-type]
        stopping=threading.Event(),
    )
    yield World(runtime, graph, cli.owner_url)
    runtime.close()
    publisher.close()
    redis.close()
