"""One-time links: the first owner's, invitations, and resets. They are looked at by GET and used by POST only."""

from datetime import timedelta
from typing import Any

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError
from console.team.login import normal_email
from console.team.passwords import check_password, hash_password
from console.team.people import check_email
from console.team.roles import Role
from console.team.tokens import hash_token, new_token
from console.team.words import N_
from shared.db import audit, memberships, one_time_links, user_sessions, users
from shared.db.one_time_links import OneTimeLink

LASTS = {
    "first_owner": timedelta(days=1),
    "invitation": timedelta(days=7),
    "reset": timedelta(hours=24),
}


def first_owner_link(conn: psycopg.Connection[Any], *, actor: str) -> str | None:
    """The token of a link that makes its holder the owner of everything; None when there is a user already."""
    if users.any_user(conn):
        return None
    token = _keep(conn, "first_owner", actor=actor)
    audit.record(conn, actor=actor, action="first owner's link made", subject="installation")
    return token


def invite(conn: psycopg.Connection[Any], *, email: str, workspace: str | None, role: Role, actor: str) -> str:
    """The token of an invitation to a workspace, or without one to own everything. Raises InvalidError."""
    email = check_email(email)
    token = _keep(conn, "invitation", actor=actor, email=email, workspace=workspace, role=role)
    where = f"workspace:{workspace}" if workspace else "installation"
    audit.record(conn, actor=actor, action="invite", subject=where, detail={"role": role}, workspace=workspace)
    return token


def reset_link(conn: psycopg.Connection[Any], *, user_id: int, actor: str) -> str:
    """The token of a link by which a person chooses a new password. What they have stays good until they use it."""
    token = _keep(conn, "reset", actor=actor, user_id=user_id)
    audit.record(conn, actor=actor, action="password reset link made", subject=f"user:{user_id}")
    return token


def find_link(conn: psycopg.Connection[Any], token: str) -> OneTimeLink:
    """What a link is for. Raises NotFoundError when it can't be used any more, or never could."""
    return _found(one_time_links.live_link(conn, hash_token(token)))


def is_for_somebody_known(conn: psycopg.Connection[Any], link: OneTimeLink) -> bool:
    """Whether an invitation is for a person who has an account, and logs in with it to accept."""
    return (
        link.email is not None and (known := users.user_by_email(conn, link.email)) is not None and known.has_password
    )


def use_with_password(conn: psycopg.Connection[Any], token: str, *, email: str, name: str, password: str) -> int:
    """Uses a link as somebody who isn't logged in: a new account, or a new password; the user's id.

    `email` counts for the first owner only. Raises NotFoundError, InvalidError or ConflictError.
    """
    link = _found(one_time_links.live_link(conn, hash_token(token), lock=True))
    if link.kind == "reset":
        assert link.user_id is not None
        return _reset(conn, link, link.user_id, password)
    if link.kind == "first_owner" and users.any_user(conn):
        raise ConflictError(N_("There is an owner already. Ask them for an invitation."))
    address = check_email(email) if link.kind == "first_owner" else str(link.email)
    check_password(password, email=address)
    everywhere = link.kind == "first_owner" or link.workspace is None
    user_id = users.insert_user(
        conn,
        email=address,
        name=name.strip()[:100],
        password_hash=hash_password(password),
        owner_everywhere=everywhere,
    )
    if user_id is None:
        raise ConflictError(N_("There is an account of this address. Log in, then open the invitation again."))
    _join(conn, link, user_id)
    return user_id


def accept_as(conn: psycopg.Connection[Any], token: str, *, user_id: int, email: str) -> OneTimeLink:
    """Accepts an invitation as somebody who is logged in; which one.

    Raises NotFoundError, and InvalidError when it is for somebody else.
    """
    link = _found(one_time_links.live_link(conn, hash_token(token), lock=True))
    if link.kind != "invitation" or link.email != normal_email(email):
        raise InvalidError(N_("This invitation is for another address. Log in with that one."))
    if link.workspace is None:
        users.set_owner_everywhere(conn, user_id, everywhere=True)
    _join(conn, link, user_id)
    return link


def _join(conn: psycopg.Connection[Any], link: OneTimeLink, user_id: int) -> None:
    # Whoever could make one owned all of their workspaces so far.
    one_time_links.revoke_resets_of(conn, user_id)
    if link.workspace is not None:
        # A member is made more by an invitation, never less: that takes another owner, so that one is left.
        mine = memberships.memberships_of(conn, user_id)
        if not any(one.workspace == link.workspace and Role(one.role).covers(Role(str(link.role))) for one in mine):
            memberships.set_role(conn, user_id, link.workspace, str(link.role))
    one_time_links.use_link(conn, link.id)
    action = "first owner created" if link.kind == "first_owner" else "invitation accepted"
    detail = {"role": link.role or Role.OWNER, "invited_by": link.created_by}
    audit.record(
        conn,
        actor=f"user:{user_id}",
        action=action,
        subject=f"user:{user_id}",
        detail=detail,
        workspace=link.workspace,
    )


def _reset(conn: psycopg.Connection[Any], link: OneTimeLink, user_id: int, password: str) -> int:
    user = users.user_by_id(conn, user_id)
    assert user is not None
    check_password(password, email=user.email)
    users.set_password(conn, user_id, hash_password(password))
    user_sessions.end_sessions(conn, user_id)
    one_time_links.use_link(conn, link.id)
    audit.record(conn, actor=f"user:{user_id}", action="password reset", subject=f"user:{user_id}")
    return user_id


def _keep(conn: psycopg.Connection[Any], kind: str, *, actor: str, **what: Any) -> str:
    token = new_token()
    one_time_links.insert_link(conn, hash_=hash_token(token), kind=kind, lasts=LASTS[kind], created_by=actor, **what)
    return token


def _found(link: OneTimeLink | None) -> OneTimeLink:
    if link is None:
        raise NotFoundError(N_("This link was used, taken back, or has expired. Ask for a new one."))
    return link
