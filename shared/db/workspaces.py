"""The `workspaces` table: within one, contacts, rules and keys are shared; nothing crosses from one to another."""

from dataclasses import dataclass
from typing import Any

import psycopg
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


def ensure_workspace(conn: psycopg.Connection[Any], name: str) -> None:
    """Adds the workspace if there is none of this name."""
    conn.execute("insert into workspaces (name) values (%s) on conflict do nothing", [name])


def all_workspaces(conn: psycopg.Connection[Any]) -> list[Workspace]:
    """Every workspace, by name."""
    with conn.cursor(row_factory=class_row(Workspace)) as cursor:
        cursor.execute("select id, name, hash_only, keep_text, click_days from workspaces order by name")
        return cursor.fetchall()
