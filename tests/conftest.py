"""Fixtures that several kinds of tests share. Unit tests use none of them: they touch no socket."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from shared.db.migrate import migrate
from shared.local.postgres import running_postgres
from shared.local.valkey import running_valkey
from tests.databases import TEMPLATE, Databases, with_database

# How fast an example is says nothing on a busy machine, so no test fails for it. Thorough searches are in tests/fuzz.
settings.register_profile("ctwa", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ctwa")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """A name for bytes in test ids: ciphertexts and gzip differ from run to run, and names must not."""
    del config
    return f"{argname} of {len(val)} bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Postgres of this test session, with a migrated template database that tests are cloned from."""
    with running_postgres(tmp_path_factory.mktemp("postgres") / "pg", durable=False) as url:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
        with psycopg.connect(with_database(url, TEMPLATE)) as conn:
            migrate(conn)
        yield url


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Databases:
    """Where the databases of tests come from."""
    return Databases(postgres_url)


@pytest.fixture
def database_url(postgres_url: str, databases: Databases) -> Iterator[str]:
    """A migrated database of this test alone; the URL is the owner's."""
    name = databases.take()
    yield with_database(postgres_url, name)
    databases.give_back(name)


@pytest.fixture
def conn(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to `database_url` as its owner."""
    with psycopg.connect(database_url) as connection:
        yield connection


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Valkey of this test session."""
    with running_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def samples_dir() -> Path:
    """The folder of captured provider payloads."""
    return Path(__file__).parent / "fixtures" / "providers"
