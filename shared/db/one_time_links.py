"""The `one_time_links` table: the first owner's link, invitations, and resets of a password."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class OneTimeLink:
    """A link that was given out; what it lets its holder do is told by `kind`."""

    id: int
    kind: str
    #: Whose password a reset is for.
    user_id: int | None
    #: Whom an invitation is for, and as what; without a workspace: as owner everywhere.
    email: str | None
    workspace: str | None
    role: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime


_COLUMNS = "id, kind, user_id, email, workspace, role, created_by, created_at, expires_at"
_LIVE = "used_at is null and revoked_at is null and expires_at > now()"


def resets_lately(conn: psycopg.Connection[Any], user_id: int, *, made_by: str) -> int:
    """How many links to a new password somebody made for a user in the last hour."""
    row = conn.execute(
        "select count(*) from one_time_links where user_id = %s and kind = 'reset' and created_by = %s"
        " and created_at > now() - interval '1 hour'",
        [user_id, made_by],
    ).fetchone()
    return int(row[0]) if row else 0


def insert_link(
    conn: psycopg.Connection[Any],
    *,
    hash_: bytes,
    kind: str,
    lasts: timedelta,
    created_by: str,
    user_id: int | None = None,
    email: str | None = None,
    workspace: str | None = None,
    role: str | None = None,
) -> int:
    """Keeps a link; its id. Older ones for the same purpose open nothing any more."""
    conn.execute(
        f"update one_time_links set revoked_at = now() where {_LIVE} and kind = %s"
        " and user_id is not distinct from %s and email is not distinct from %s and workspace is not distinct from %s",
        [kind, user_id, email, workspace],
    )
    row = conn.execute(
        "insert into one_time_links (hash, kind, user_id, email, workspace, role, created_by, expires_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, now() + %s) returning id",
        [hash_, kind, user_id, email, workspace, role, created_by, lasts],
    ).fetchone()
    assert row is not None
    return int(row[0])


def live_link(conn: psycopg.Connection[Any], hash_: bytes, *, lock: bool = False) -> OneTimeLink | None:
    """The link of this hash unless it was used, taken back, or has expired."""
    with conn.cursor(row_factory=class_row(OneTimeLink)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from one_time_links where hash = %s and {_LIVE}{' for update' if lock else ''}", [hash_]
        ).fetchone()


def live_invitations(conn: psycopg.Connection[Any], workspace: str) -> list[OneTimeLink]:
    """The invitations to a workspace that nobody has accepted yet, newest first."""
    with conn.cursor(row_factory=class_row(OneTimeLink)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from one_time_links where kind = 'invitation' and workspace = %s and {_LIVE}"
            " order by id desc",
            [workspace],
        ).fetchall()


def use_link(conn: psycopg.Connection[Any], link_id: int) -> None:
    """Nobody can use the link after this."""
    conn.execute("update one_time_links set used_at = now() where id = %s", [link_id])


def revoke_invitation(conn: psycopg.Connection[Any], workspace: str, link_id: int) -> OneTimeLink | None:
    """Takes an invitation to this workspace back; which one, or None when there is none to take back."""
    with conn.cursor(row_factory=class_row(OneTimeLink)) as cursor:
        return cursor.execute(
            f"update one_time_links set revoked_at = now() where id = %s and workspace = %s and kind = 'invitation'"
            f" and {_LIVE} returning {_COLUMNS}",
            [link_id, workspace],
        ).fetchone()


def revoke_invitations_of(conn: psycopg.Connection[Any], user_id: int, *, workspace: str | None = None) -> None:
    """Takes back what a person could come in by again: invitations for their address, and those they gave out.

    To one workspace, or without one to all.
    """
    conn.execute(
        f"update one_time_links set revoked_at = now() where kind = 'invitation' and {_LIVE}"
        " and (%(workspace)s::text is null or workspace = %(workspace)s)"
        " and (created_by = %(actor)s or email = (select email from users where id = %(user)s))",
        {"workspace": workspace, "actor": f"user:{user_id}", "user": user_id},
    )


def revoke_resets_of(conn: psycopg.Connection[Any], user_id: int) -> None:
    """Takes back links to a new password that somebody holds for a person."""
    conn.execute(
        f"update one_time_links set revoked_at = now() where kind = 'reset' and user_id = %s and {_LIVE}", [user_id]
    )
