"""Receivers as real processes. `receiver` is shared by the tests of a module that don't harm it."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.databases import with_database
from tests.integration.receiver.harness import Receiver, World, running


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> World:
    """A database of this test alone."""
    world = World(database_url, tmp_path)
    world.set_up()
    return world


@pytest.fixture(scope="module")
def shared_world(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A database for all tests of a module."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {} template ctwa_template").format(sql.Identifier(name)))
    world = World(with_database(postgres_url, name), tmp_path_factory.mktemp("receiver"))
    world.set_up()
    yield world
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def receiver(shared_world: World) -> Iterator[Receiver]:
    with running(shared_world) as receiver:
        yield receiver
