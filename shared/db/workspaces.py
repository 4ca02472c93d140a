"""The `workspaces` table: within one, contacts, rules and keys are shared; nothing crosses from one to another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """One workspace and its policies about people's data."""

    id: int
    name: str
    #: Identities are kept as hashes, without a ciphertext.
    hash_only: bool
    #: The text of messages is kept, sealed.
    keep_text: bool
    #: Days that click ids are kept; None: the default of the installation.
    click_days: int | None
    #: What people call it; None: its name.
    title: str | None


def insert_workspace(conn: psycopg.Connection[Any], name: str) -> int | None:
    """Adds a workspace; its id, None if there is one of this name."""
    row = conn.execute(
        "insert into workspaces (name) values (%s) on conflict do nothing returning id", [name]
    ).fetchone()
    return row[0] if row else None


def ensure_workspace(conn: psycopg.Connection[Any], name: str) -> None:
    """Adds the workspace if there is none of this name."""
    conn.execute("insert into workspaces (name) values (%s) on conflict do nothing", [name])


def all_workspaces(conn: psycopg.Connection[Any]) -> list[Workspace]:
    """Every workspace, by name."""
    with conn.cursor(row_factory=class_row(Workspace)) as cursor:
        cursor.execute("select id, name, hash_only, keep_text, click_days, title from workspaces order by name")
        return cursor.fetchall()


def hash_only_workspaces(conn: psycopg.Connection[Any]) -> set[str]:
    """The workspaces in which names are kept as hashes only."""
    return {name for (name,) in conn.execute("select name from workspaces where hash_only").fetchall()}


def update_workspace(conn: psycopg.Connection[Any], workspace_id: int, values: Mapping[str, Any]) -> None:
    """Sets those policies of a workspace that `values` names."""
    columns = [column for column in ("hash_only", "keep_text", "click_days", "title") if column in values]
    changes = ", ".join(f"{column} = %({column})s" for column in columns)
    conn.execute(sql.SQL(f"update workspaces set {changes} where id = %(id)s"), {**values, "id": workspace_id})


def datasets_that_send_names(conn: psycopg.Connection[Any], workspace: str) -> list[str]:
    """The datasets of a workspace's channels that send hashed phones or e-mails."""
    rows = conn.execute(
        "select distinct d.name from datasets d join channels c on c.dataset_id = d.id"
        " where c.workspace = %s and (d.send_phone or d.send_email) order by d.name",
        [workspace],
    ).fetchall()
    return [name for (name,) in rows]


def hash_only_spaces_of(conn: psycopg.Connection[Any], dataset_id: int) -> list[str]:
    """The workspaces of a dataset's channels in which names are kept as hashes only."""
    rows = conn.execute(
        "select distinct w.name from channels c join workspaces w on w.name = c.workspace"
        " where c.dataset_id = %s and w.hash_only order by w.name",
        [dataset_id],
    ).fetchall()
    return [name for (name,) in rows]
