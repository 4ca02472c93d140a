"""The people of a workspace: who they are, what they may do, and how others come in."""

from typing import Any

import psycopg
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.errors import ConflictError, NotFoundError
from console.team import links, people, second_factor
from console.team.letters import Letter, can_send, send
from console.team.roles import Role
from console.team.words import N_
from console.web import letters
from console.web.access import least, membership, person
from console.web.addresses import whole_link
from console.web.errors import back_to
from console.web.runtime import database, runtime
from shared.db import audit, memberships, one_time_links, users

team = Blueprint("team", __name__, url_prefix="/w/<int:workspace_id>/team")


@team.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """Members and open invitations."""
    with database() as conn:
        members = memberships.members_of(conn, membership().workspace)
        return render_template(
            "team.html",
            members=members,
            managed={one.id for one in members if one.id != person().id and people.may_manage(conn, person(), one.id)},
            invitations=one_time_links.live_invitations(conn, membership().workspace),
            roles=list(Role),
        )


@team.post("/invitations")
@least(Role.OWNER)
@back_to("team.page")
def invite() -> ResponseReturnValue:
    """Makes an invitation, and shows its link this once."""
    role = _role()
    with database() as conn:
        token = links.invite(
            conn,
            email=request.form.get("email", ""),
            workspace=membership().workspace,
            role=role,
            actor=person().actor,
        )
    email, url = request.form.get("email", "").strip(), whole_link(token)
    letter = letters.invitation(email, url, workspace=membership().called, lasts=links.LASTS["invitation"])
    return _hand_over("invitation", url, letter)


@team.post("/invitations/<int:link_id>/revoke")
@least(Role.OWNER)
@back_to("team.page")
def revoke_invitation(link_id: int) -> ResponseReturnValue:
    """Takes an invitation back."""
    with database() as conn:
        if one_time_links.revoke_invitation(conn, membership().workspace, link_id) is None:
            raise NotFoundError(N_("This invitation was used, taken back, or has expired."))
        audit.record(
            conn,
            actor=person().actor,
            action="invitation revoked",
            subject=f"workspace:{membership().workspace}",
            workspace=membership().workspace,
        )
    flash(gettext("The invitation can't be used any more."), "ok")
    return redirect(url_for("team.page"), 303)


@team.post("/members/<int:user_id>/role")
@least(Role.OWNER)
@back_to("team.page")
def change_role(user_id: int) -> ResponseReturnValue:
    """Gives a member another role."""
    role = _role()
    _not_oneself(user_id)
    with database() as conn:
        people.change_role(conn, user_id=user_id, workspace=membership().workspace, role=role, actor=person().actor)
    flash(gettext("The role was changed. They have to log in again."), "ok")
    return redirect(url_for("team.page"), 303)


@team.post("/members/<int:user_id>/remove")
@least(Role.OWNER)
@back_to("team.page")
def remove(user_id: int) -> ResponseReturnValue:
    """Takes a member out of the workspace."""
    _not_oneself(user_id)
    with database() as conn:
        people.remove(conn, user_id=user_id, workspace=membership().workspace, actor=person().actor)
    flash(gettext("They are no longer a member of this workspace."), "ok")
    return redirect(url_for("team.page"), 303)


@team.post("/members/<int:user_id>/reset")
@least(Role.OWNER)
@back_to("team.page")
def reset(user_id: int) -> ResponseReturnValue:
    """Makes a link to a new password, and shows it this once."""
    with database() as conn:
        email = _managed(conn, user_id)
        token = links.reset_link(conn, user_id=user_id, actor=person().actor)
    url = whole_link(token)
    return _hand_over("reset", url, letters.new_password(email, url, lasts=links.LASTS["reset"]))


@team.post("/members/<int:user_id>/second-factor/off")
@least(Role.OWNER)
@back_to("team.page")
def turn_off_second_factor(user_id: int) -> ResponseReturnValue:
    """For somebody who lost their phone and their recovery codes."""
    with database() as conn:
        _managed(conn, user_id)
        second_factor.turn_off(conn, user_id, actor=person().actor)
    flash(gettext("Their second factor is off. They can log in with the password alone, and set it up anew."), "ok")
    return redirect(url_for("team.page"), 303)


@team.post("/members/<int:user_id>/disable")
@least(Role.OWNER)
@back_to("team.page")
def disable(user_id: int) -> ResponseReturnValue:
    """Shuts a member out everywhere."""
    return _set_disabled(user_id, disabled=True)


@team.post("/members/<int:user_id>/enable")
@least(Role.OWNER)
@back_to("team.page")
def enable(user_id: int) -> ResponseReturnValue:
    """Lets a member in again."""
    return _set_disabled(user_id, disabled=False)


def _set_disabled(user_id: int, *, disabled: bool) -> ResponseReturnValue:
    with database() as conn:
        _managed(conn, user_id)
        people.set_disabled(conn, user_id=user_id, disabled=disabled, actor=person().actor)
    flash(gettext("They can't log in any more.") if disabled else gettext("They can log in again."), "ok")
    return redirect(url_for("team.page"), 303)


def _managed(conn: psycopg.Connection[Any], user_id: int) -> str:
    """The address of a member whom this owner may shut out or reset. Raises NotFoundError or ConflictError."""
    _not_oneself(user_id)
    members = memberships.members_of(conn, membership().workspace)
    if user_id not in {one.id for one in members}:
        raise NotFoundError(N_("There is no such member in this workspace."))
    if not people.may_manage(conn, person(), user_id):
        raise ConflictError(N_("They are in a workspace that you don't own. An owner of all of theirs can do this."))
    user = users.user_by_id(conn, user_id)
    assert user is not None
    return user.email


def _not_oneself(user_id: int) -> None:
    if user_id == person().id:
        raise ConflictError(N_("This can't be done to oneself. Ask another owner."))


def _role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError:
        abort(400)


def _hand_over(kind: str, url: str, letter: Letter) -> ResponseReturnValue:
    """Sends the link by mail; where there is no mail server, or it refuses, shows the link this once."""
    reason = send(runtime().settings, letter) if can_send(runtime().settings) else None
    if can_send(runtime().settings) and reason is None:
        flash(gettext("The link is on its way to %(email)s.", email=letter.to), "ok")
        return redirect(url_for("team.page"), 303)
    shown = {"kind": kind, "url": url, "email": letter.to, "lasts": links.LASTS[kind], "reason": reason}
    return render_template("one_time_link.html", **shown)
