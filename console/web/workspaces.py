"""Workspaces: adding one, and what one is called. Going from one to another is at the top of every page."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.team.roles import Role
from console.web.access import least, membership, person
from console.web.errors import back_to
from console.web.runtime import database
from console.workspaces import add_workspace, change_workspace

workspaces = Blueprint("workspaces", __name__, url_prefix="/w/<int:workspace_id>/workspaces")


@workspaces.get("/")
@least(Role.OWNER)
def page() -> ResponseReturnValue:
    """The workspaces of this person, what this one is called, and a form for another one."""
    return render_template("workspaces.html", mine=person().memberships, this=membership())


@workspaces.post("/")
@least(Role.OWNER)
@back_to("workspaces.page")
def add() -> ResponseReturnValue:
    """Adds a workspace whose owner this person is, and goes there."""
    name = request.form.get("name", "").strip()
    owner = None if person().owner_everywhere else person().id
    with database() as conn:
        workspace_id = add_workspace(conn, name, actor=person().actor, owner=owner)
    flash(gettext("%(name)s is there. Add its first channel.", name=name), "ok")
    return redirect(url_for("setup.page", workspace_id=workspace_id), 303)


@workspaces.post("/called")
@least(Role.OWNER)
@back_to("workspaces.page")
def call() -> ResponseReturnValue:
    """Changes what this workspace is called; an empty text is its name again."""
    title = " ".join(request.form.get("title", "").split()) or None
    name = membership().workspace
    with database() as conn:
        changed = change_workspace(conn, name, {"title": None if title == name else title}, actor=person().actor)
    flash(gettext("Changed.") if changed else gettext("Nothing was different."), "ok")
    return redirect(url_for("workspaces.page"), 303)
