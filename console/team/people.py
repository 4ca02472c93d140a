"""People and their roles: who may be what, without ever leaving a workspace to nobody."""

from typing import Any
from zoneinfo import available_timezones

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError
from console.team.login import normal_email
from console.team.passwords import check_password, hash_password, is_password
from console.team.roles import Person, Role
from console.team.words import N_
from shared.db import audit, memberships, one_time_links, user_sessions, users
from shared.db.users import User
from shared.mailbox import is_mailbox


def check_email(text: str) -> str:
    """The address as it is stored. Raises InvalidError."""
    email = normal_email(text)
    if not is_mailbox(email):
        raise InvalidError(N_("This is no e-mail address."))
    return email


def create_user(
    conn: psycopg.Connection[Any],
    *,
    email: str,
    name: str,
    password: str,
    workspace: str | None,
    role: Role,
    actor: str,
) -> int:
    """Adds a person, to a workspace or without one as owner everywhere; the id. Raises InvalidError, ConflictError."""
    email = check_email(email)
    check_password(password, email=email)
    user_id = users.insert_user(
        conn, email=email, name=name, password_hash=hash_password(password), owner_everywhere=workspace is None
    )
    if user_id is None:
        raise ConflictError(N_("There is a user of this address already."))
    if workspace is not None:
        memberships.set_role(conn, user_id, workspace, role)
    _record(conn, actor, "user created", user_id, workspace, role=role if workspace else "owner everywhere")
    return user_id


def change_role(conn: psycopg.Connection[Any], *, user_id: int, workspace: str, role: Role, actor: str) -> None:
    """Gives a member another role and ends their sessions, so that they log in anew; open invitations of theirs, too.

    Raises NotFoundError, and ConflictError for the last owner.
    """
    user = _member(conn, user_id, workspace)
    if role is not Role.OWNER:
        _keep_an_owner(conn, user, workspace)
    memberships.set_role(conn, user_id, workspace, role)
    one_time_links.revoke_invitations_of(conn, user_id, workspace=workspace)
    user_sessions.end_sessions(conn, user_id)
    _record(conn, actor, "role changed", user_id, workspace, role=role)


def grant(conn: psycopg.Connection[Any], *, user_id: int, workspace: str | None, role: Role, actor: str) -> None:
    """Makes a person this in a workspace, or without one owner everywhere; their sessions end. For the command line.

    Raises ConflictError when nobody else would own everything, or the workspace.
    """
    user = users.user_by_id(conn, user_id)
    assert user is not None
    one_time_links.revoke_resets_of(conn, user_id)
    if workspace is None:
        users.set_owner_everywhere(conn, user_id, everywhere=True)
    else:
        if role is not Role.OWNER:
            _keep_an_owner(conn, user, workspace)
        if user.owner_everywhere:
            if users.others_own_everything(conn, user_id) == 0:
                raise ConflictError(N_("Nobody else owns everything. Make somebody else an owner of everything first."))
            users.set_owner_everywhere(conn, user_id, everywhere=False)
        memberships.set_role(conn, user_id, workspace, role)
    user_sessions.end_sessions(conn, user_id)
    _record(conn, actor, "role changed", user_id, workspace, role=role if workspace else "owner everywhere")


def remove(conn: psycopg.Connection[Any], *, user_id: int, workspace: str, actor: str) -> None:
    """Takes a member out of the workspace, and ends their sessions and open invitations of theirs.

    Raises ConflictError for the last owner.
    """
    user = _member(conn, user_id, workspace)
    _keep_an_owner(conn, user, workspace)
    memberships.remove_member(conn, user_id, workspace)
    one_time_links.revoke_invitations_of(conn, user_id, workspace=workspace)
    user_sessions.end_sessions(conn, user_id)
    _record(conn, actor, "member removed", user_id, workspace)


def set_disabled(conn: psycopg.Connection[Any], *, user_id: int, disabled: bool, actor: str) -> None:
    """Shuts a person out everywhere and ends their sessions, or lets them in again. Raises ConflictError."""
    user = users.user_by_id(conn, user_id)
    if user is None:
        raise NotFoundError(N_("There is no such user."))
    if disabled:
        for one in memberships.memberships_of(conn, user_id):
            if one.role == Role.OWNER and memberships.lock_owners(conn, one.workspace) == {user_id}:
                raise ConflictError(N_("This is the last owner of a workspace. Make somebody else an owner first."))
    users.set_disabled(conn, user_id, disabled=disabled)
    one_time_links.revoke_invitations_of(conn, user_id)
    user_sessions.end_sessions(conn, user_id)
    _record(conn, actor, "user disabled" if disabled else "user enabled", user_id, None)


def may_manage(conn: psycopg.Connection[Any], person: Person, user_id: int) -> bool:
    """Whether a person may shut another out or reset what they log in with, which reaches into all their workspaces."""
    if person.owner_everywhere:
        return True
    user = users.user_by_id(conn, user_id)
    if user is None or user.owner_everywhere:
        return False
    theirs = memberships.memberships_of(conn, user_id)
    return bool(theirs) and all(person.owns(one.workspace) for one in theirs)


def change_password(conn: psycopg.Connection[Any], *, person: Person, current: str, password: str) -> None:
    """Gives a person the password they chose, and ends their other sessions. Raises InvalidError."""
    check_current_password(conn, person, current)
    check_password(password, email=person.email)
    users.set_password(conn, person.id, hash_password(password))
    one_time_links.revoke_resets_of(conn, person.id)
    user_sessions.end_sessions(conn, person.id, but=person.session_id)
    _record(conn, person.actor, "password changed", person.id, None)


def check_current_password(conn: psycopg.Connection[Any], person: Person, password: str) -> None:
    """Raises InvalidError unless it is the person's password."""
    if not is_password(users.secrets_of(conn, person.id).password_hash, password):
        raise InvalidError(N_("The current password is wrong."))


def change_profile(
    conn: psycopg.Connection[Any], person: Person, *, name: str, language: str | None, zone: str
) -> None:
    """What a person says of themselves. Raises InvalidError."""
    if zone not in available_timezones():
        raise InvalidError(N_("There is no such time zone. Names are like Europe/Madrid or America/Sao_Paulo."))
    users.set_profile(conn, person.id, name=name.strip()[:100], language=language, zone=zone)


def _member(conn: psycopg.Connection[Any], user_id: int, workspace: str) -> User:
    found = next((one for one in memberships.members_of(conn, workspace) if one.id == user_id), None)
    if found is None:
        raise NotFoundError(N_("There is no such member in this workspace."))
    if found.owner_everywhere:
        raise ConflictError(N_("This person owns every workspace. That can be changed by `ctwa users` only."))
    return found


def _keep_an_owner(conn: psycopg.Connection[Any], user: User, workspace: str) -> None:
    if memberships.lock_owners(conn, workspace) == {user.id}:
        raise ConflictError(N_("This is the last owner of the workspace. Make somebody else an owner first."))


def _record(
    conn: psycopg.Connection[Any], actor: str, action: str, user_id: int, workspace: str | None, **detail: Any
) -> None:
    audit.record(conn, actor=actor, action=action, subject=f"user:{user_id}", detail=detail, workspace=workspace)
