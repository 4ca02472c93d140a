"""Who may do what, in one place: each view is marked with the least it asks for, and one guard holds it.

A view without a mark keeps the application from starting.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask, abort, g, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from console.team.roles import Person, Role
from console.team.sessions import find_session, person_of
from console.web import cookies
from console.web.runtime import database, runtime
from console.web.turns import begin_turn, end_turns
from shared.db.memberships import Membership

V = TypeVar("V", bound=Callable[..., Any])
_MARK = "least_access"
WORKSPACE = "workspace_id"


class Door(StrEnum):
    """What is not of a workspace."""

    #: Programs that look whether we are up, and files: nobody is looked up, so that it works without Postgres.
    MACHINE = "machine"
    #: Whoever comes.
    ANYONE = "anyone"
    #: Whoever is logged in, whatever their role.
    SIGNED_IN = "signed in"


Access = Door | Role


def least(access: Access) -> Callable[[V], V]:
    """Marks a view: a role in the workspace of its URL, or a door."""

    def mark(view: V) -> V:
        setattr(view, _MARK, access)
        return view

    return mark


def access_of(app: Flask, endpoint: str) -> Access | None:
    """The mark of a view, or of the class it was made of."""
    view = app.view_functions[endpoint]
    found = getattr(view, _MARK, None) or getattr(getattr(view, "view_class", None), _MARK, None)
    return found if isinstance(found, Door | Role) else None


def install(app: Flask) -> None:
    """Sets the guard before every request."""
    setattr(app.view_functions["static"], _MARK, Door.MACHINE)
    app.url_value_preprocessor(_take_workspace)
    app.url_defaults(_give_workspace(app))
    app.before_request(_guard(app))
    end_turns(app)


def check(app: Flask) -> None:
    """Every view is marked, and those of a workspace have it in their URL. Raises RuntimeError."""
    for rule in app.url_map.iter_rules():
        access = access_of(app, rule.endpoint)
        if access is None:
            raise RuntimeError(f"{rule.endpoint} has no mark: put @least(…) on it (docs/console.md)")
        if isinstance(access, Role) is not (WORKSPACE in rule.arguments):
            raise RuntimeError(f"{rule.endpoint} asks for {access}, which does not go with {rule.rule}")


def person() -> Person:
    """Who is asking. For views that the guard lets nobody else into."""
    found = g.person
    assert isinstance(found, Person)
    return found


def membership() -> Membership:
    """The workspace that this page is of, and the person's role in it."""
    found = g.membership
    assert isinstance(found, Membership)
    return found


def may(role: Role) -> bool:
    """Whether the person has at least this role in the workspace of this page."""
    return g.membership is not None and Role(g.membership.role).covers(role)


def _take_workspace(endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.person, g.user_session, g.membership = None, None, None
    g.workspace_id = values.pop(WORKSPACE, None) if values else None


def _give_workspace(app: Flask) -> Callable[[str, dict[str, Any]], None]:
    def give(endpoint: str, values: dict[str, Any]) -> None:
        current = g.get("membership")
        if current and WORKSPACE not in values and app.url_map.is_endpoint_expecting(endpoint, WORKSPACE):
            values[WORKSPACE] = current.workspace_id

    return give


def _guard(app: Flask) -> Callable[[], ResponseReturnValue | None]:
    def guard() -> ResponseReturnValue | None:
        # Without an endpoint there is no such page, or not by this method: the router says so to whoever asks.
        access = access_of(app, request.endpoint) if request.endpoint else Door.ANYONE
        if access is Door.MACHINE:
            return None
        _find_person()
        if access is Door.ANYONE:
            return None
        if g.person is None:
            return _to_login()
        if not begin_turn(runtime().turns, g.person.actor):
            abort(429)
        if isinstance(access, Role):
            if g.workspace_id is None or (found := g.person.membership(g.workspace_id)) is None:
                # Not even that there is such a workspace.
                abort(404)
            g.membership = found
            if session.get("workspace") != found.workspace_id:
                session["workspace"] = found.workspace_id
            if not may(access):
                abort(403)
        return None

    return guard


def _find_person() -> None:
    token = cookies.session_token()
    if not token:
        return
    with database() as conn:
        g.user_session = find_session(conn, token)
        g.person = person_of(conn, g.user_session) if g.user_session else None
    if g.person:
        # Pages of no workspace show the one that was last looked at.
        g.membership = g.person.membership(session.get("workspace", 0)) or next(iter(g.person.memberships), None)


def _to_login() -> ResponseReturnValue:
    asked = request.full_path.rstrip("?") if request.method == "GET" else None
    login = url_for("login.page", next=asked if asked != "/" else None)
    if request.headers.get("HX-Request"):
        response = make_response("", 401)
        response.headers["HX-Redirect"] = url_for("login.page")
        return response
    return redirect(login, 303)
