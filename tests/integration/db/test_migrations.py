"""Migrations: each once, in order, whole or not at all, and never behind anybody's back."""

import secrets
import threading

import psycopg
import pytest
from psycopg import sql

from shared.db import migrate as module
from shared.db.migrate import Migration, MigrationError, migrate, pending, read_migrations, set_role_passwords
from tests.databases import with_database


@pytest.fixture
def empty_url(postgres_url):
    """A database of this test that no migration has seen."""
    name = f"empty_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    yield with_database(postgres_url, name)
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def ship(monkeypatch, *texts):
    """This version's migrations, and these after them."""
    shipped = read_migrations()
    extra = [
        Migration(number, f"{number:04d}_extra.sql", text)
        for number, text in enumerate(texts, start=shipped[-1].number + 1)
    ]
    monkeypatch.setattr(module, "read_migrations", lambda: [*shipped, *extra])
    return extra


def test_all_migrations_are_applied_once(empty_url):
    with psycopg.connect(empty_url) as conn:
        assert [migration.name for migration in pending(conn)] == migrate(conn)
        assert migrate(conn) == []
        assert pending(conn) == []


def test_two_migrators_at_once_apply_each_migration_once(empty_url):
    applied = []

    def run():
        with psycopg.connect(empty_url) as conn:
            applied.extend(migrate(conn))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [migration.name for migration in read_migrations()]


def test_a_migration_that_fails_leaves_nothing_behind_and_can_be_mended(conn, monkeypatch):
    (bad,) = ship(monkeypatch, "create table half_done (); select * from nothing")
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(conn)
    assert conn.execute("select to_regclass('half_done')").fetchone() == (None,)
    assert pending(conn) == [bad]
    monkeypatch.undo()
    (good,) = ship(monkeypatch, "create table whole ()")
    assert migrate(conn) == [good.name]


def test_after_a_failure_the_lock_is_free_again(conn, database_url, monkeypatch):
    ship(monkeypatch, "select * from nothing")
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(conn)
    monkeypatch.undo()
    with psycopg.connect(database_url, options="-c statement_timeout=2000") as other:
        assert migrate(other) == []


def test_those_before_a_failing_migration_stay_applied(conn, monkeypatch):
    good, bad = ship(monkeypatch, "create table good ()", "select * from nothing")
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(conn)
    assert pending(conn) == [bad]
    assert conn.execute("select to_regclass('good')").fetchone() == ("good",)
    assert good.name.endswith("_extra.sql")


def test_a_migration_that_was_edited_after_it_was_applied_is_named(conn):
    conn.execute("update schema_migrations set checksum = 'other' where number = 2")
    with pytest.raises(MigrationError, match=r"0002_roles\.sql was changed after it was applied: restore it"):
        migrate(conn)


def test_a_database_that_is_newer_than_this_version_is_left_alone(conn):
    conn.execute("insert into schema_migrations (number, name, checksum) values (9001, 'later', '')")
    with pytest.raises(MigrationError, match="migration 9001, which this version doesn't know: run a newer version"):
        migrate(conn)


@pytest.mark.parametrize("names", [["0001_a.sql", "0001_b.sql"], ["1_a.sql"], ["0001_A.sql"]])
def test_a_double_or_a_bad_name_among_the_files_is_refused(tmp_path, monkeypatch, names):
    folder = tmp_path / "migrations"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("select 1")
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    with pytest.raises(MigrationError, match="migration"):
        read_migrations()


def test_files_that_are_no_sql_are_overlooked(tmp_path, monkeypatch):
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_a.sql").write_text("select 1")
    (tmp_path / "migrations" / "__pycache__").mkdir()
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    assert [migration.number for migration in read_migrations()] == [1]


def test_a_role_gets_its_password_as_a_verifier_only(conn):
    try:
        set_role_passwords(conn, {"ctwa_receiver": "s3cret"})
        stored = conn.execute("select rolpassword from pg_authid where rolname = 'ctwa_receiver'").fetchone()[0]
        assert stored.startswith("SCRAM-SHA-256$")
        assert "s3cret" not in stored
    finally:
        conn.execute("alter role ctwa_receiver nologin password null")
        conn.commit()
