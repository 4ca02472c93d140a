"""The `memberships` table: which role a person has in which workspace."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from shared.db.users import COLUMNS, User


@dataclass(frozen=True, kw_only=True)
class Membership:
    """One workspace that a person may work in."""

    workspace_id: int
    workspace: str
    title: str | None
    role: str

    @property
    def called(self) -> str:
        """What people call the workspace."""
        return self.title or self.workspace


@dataclass(frozen=True, kw_only=True)
class Member(User):
    """A person, and their role in the workspace that was asked for."""

    role: str
    #: When they last opened a page.
    seen_at: datetime | None


def memberships_of(conn: psycopg.Connection[Any], user_id: int) -> list[Membership]:
    """The workspaces of a person by what they are called, with their role in each."""
    with conn.cursor(row_factory=class_row(Membership)) as cursor:
        return cursor.execute(
            """
            select w.id as workspace_id, w.name as workspace, w.title,
                   case when u.owner_everywhere then 'owner' else m.role end as role
            from users u cross join workspaces w
            left join memberships m on m.user_id = u.id and m.workspace = w.name
            where u.id = %s and (u.owner_everywhere or m.role is not null)
            order by lower(coalesce(w.title, w.name)), w.name
            """,
            [user_id],
        ).fetchall()


def members_of(conn: psycopg.Connection[Any], workspace: str) -> list[Member]:
    """Everybody who may work in the workspace, by address; those who are disabled too."""
    with conn.cursor(row_factory=class_row(Member)) as cursor:
        return cursor.execute(
            f"""
            select {COLUMNS}, case when u.owner_everywhere then 'owner' else m.role end as role,
                   (select max(s.seen_at) from user_sessions s where s.user_id = u.id) as seen_at
            from users u left join memberships m on m.user_id = u.id and m.workspace = %s
            where u.owner_everywhere or m.role is not null order by u.email
            """,
            [workspace],
        ).fetchall()


def set_role(conn: psycopg.Connection[Any], user_id: int, workspace: str, role: str) -> None:
    """Lets a person into a workspace, or changes their role in it."""
    conn.execute(
        "insert into memberships (user_id, workspace, role) values (%s, %s, %s)"
        " on conflict (user_id, workspace) do update set role = excluded.role",
        [user_id, workspace, role],
    )


def remove_member(conn: psycopg.Connection[Any], user_id: int, workspace: str) -> None:
    """Takes a person out of a workspace."""
    conn.execute("delete from memberships where user_id = %s and workspace = %s", [user_id, workspace])


def lock_owners(conn: psycopg.Connection[Any], workspace: str) -> set[int]:
    """Those who can still log in and own the workspace. Others who ask wait until this transaction ends."""
    conn.execute("select pg_advisory_xact_lock(hashtext('owners of a workspace'))")
    rows = conn.execute(
        "select u.id from users u left join memberships m on m.user_id = u.id and m.workspace = %s"
        " where u.disabled_at is null and u.password_hash is not null and (u.owner_everywhere or m.role = 'owner')",
        [workspace],
    ).fetchall()
    return {user_id for (user_id,) in rows}
