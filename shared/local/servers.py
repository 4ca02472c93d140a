"""The stack's Postgres and Redis: the ones it is told of, or embedded ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from shared.local.ports import Ports
from shared.local.postgres import embedded_postgres
from shared.local.process import Process, StackError
from shared.local.supervisor import Step
from shared.local.valkey import embedded_valkey


@dataclass(frozen=True)
class Servers:
    """Where the servers are, and what a plan has to begin with to have them."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    items: tuple[Process | Step, ...]


def choose_servers(
    state_dir: Path, ports: Ports, *, database_url: str | None = None, redis_url: str | None = None
) -> Servers:
    """A server for each URL given, checked at the start; an embedded one for each that is not.

    Raises StackError when an embedded server is needed and none is installed.
    """
    checks: list[Step] = []
    processes: list[Process] = []
    if database_url:
        given_database = database_url
        checks.append(Step("Postgres of DATABASE_URL", lambda: _check_postgres(given_database)))
    else:
        postgres = embedded_postgres(state_dir, ports.pick("postgres"))
        database_url = postgres.url
        checks.append(Step(f"Postgres cluster {postgres.data.name}", postgres.prepare))
        processes.append(postgres.process())
    if redis_url:
        given_redis = redis_url
        checks.append(Step("Redis of REDIS_URL", lambda: _check_redis(given_redis)))
    else:
        valkey = embedded_valkey(state_dir / "valkey", ports.pick("valkey"))
        redis_url = valkey.url
        checks.append(Step("Valkey configuration", valkey.prepare))
        processes.append(valkey.process())
    return Servers(database_url, redis_url, (*checks, *processes))


def _check_postgres(url: str) -> None:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        raise StackError(f"The Postgres server of DATABASE_URL does not let us in: {error}") from None
    except psycopg.Error:
        # Its text would repeat the URL, and so the password.
        raise StackError("DATABASE_URL is not a Postgres URL (postgresql://user:password@host:port/name).") from None


def _check_redis(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except redis.RedisError as error:
        raise StackError(f"The Redis server of REDIS_URL does not let us in: {error}") from None
    except ValueError:
        raise StackError("REDIS_URL is not a Redis URL (redis://:password@host:port/0).") from None
