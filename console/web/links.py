"""One-time links: the first owner's, invitations, resets. Looking at one changes nothing: mail programs look, too."""

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.errors import ConsoleError, NotFoundError
from console.team.links import accept_as, find_link, is_for_somebody_known, use_with_password
from console.team.login import LoggedIn
from console.team.sessions import open_session, rotate
from console.web import cookies
from console.web.access import Door, least
from console.web.client import client
from console.web.login import start
from console.web.runtime import database

links = Blueprint("links", __name__)


@links.get("/link/<token>")
@least(Door.ANYONE)
def page(token: str) -> ResponseReturnValue:
    """What the link is for, with the form to use it."""
    return _show(token, error=None)


@links.post("/link/<token>")
@least(Door.ANYONE)
def use(token: str) -> ResponseReturnValue:
    """Uses the link up: a new account, a new password, or another workspace."""
    try:
        if g.person and request.form.get("accept"):
            return _accept(token)
        return _with_password(token)
    except NotFoundError:
        return _show(token, error=None)
    except ConsoleError as error:
        return _show(token, error=gettext(str(error)), status=422)


def _show(token: str, *, error: str | None, status: int = 200) -> ResponseReturnValue:
    try:
        with database() as conn:
            link = find_link(conn, token)
            known = is_for_somebody_known(conn, link)
    except NotFoundError as gone:
        return render_template("link_gone.html", why=gettext(str(gone))), 404
    shown = {"link": link, "known": known, "error": error}
    return render_template("link.html", token=token, name=request.form.get("name", ""), **shown), status


def _accept(token: str) -> ResponseReturnValue:
    with database() as conn:
        link = accept_as(conn, token, user_id=g.person.id, email=g.person.email)
        fresh = rotate(conn, g.person.session_id)
    session.clear()
    response = redirect(url_for("home.page"), 303)
    cookies.keep_session(response, fresh)
    flash(
        gettext("You are a member of %(workspace)s now.", workspace=link.workspace or gettext("every workspace")), "ok"
    )
    return response


def _with_password(token: str) -> ResponseReturnValue:
    with database() as conn:
        link = find_link(conn, token)
        user_id = use_with_password(
            conn,
            token,
            email=request.form.get("email", ""),
            name=request.form.get("name", ""),
            password=request.form.get("password", ""),
        )
        if link.kind != "reset":
            return start(LoggedIn(token=open_session(conn, user_id, client()), awaits_second_factor=False), "/")
    # With the new password they log in as always, second factor and all.
    session.clear()
    flash(gettext("Your new password is kept. Log in with it."), "ok")
    response = redirect(url_for("login.page"), 303)
    cookies.drop_session(response)
    return response
