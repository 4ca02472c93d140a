"""Logging in and out."""

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.team.login import LoggedIn, LoginRefused, log_in, prove_second_factor
from console.team.throttle import Throttled
from console.web import cookies
from console.web.access import Door, least
from console.web.addresses import safe_next
from console.web.client import client
from console.web.runtime import database, runtime
from shared.db import user_sessions

login = Blueprint("login", __name__)


@login.get("/login")
@least(Door.ANYONE)
def page() -> ResponseReturnValue:
    """The form; who is logged in already goes on."""
    if g.person:
        return redirect(_next())
    return render_template("login.html", next=safe_next(request.args.get("next")), email="", error=None)


@login.post("/login")
@least(Door.ANYONE)
def enter() -> ResponseReturnValue:
    """Checks address and password."""
    email = request.form.get("email", "")
    try:
        with database() as conn:
            done = log_in(
                conn,
                runtime().throttle,
                email=email[:254],
                password=request.form.get("password", ""),
                client=client(),
            )
    except (LoginRefused, Throttled) as error:
        status = 429 if isinstance(error, Throttled) else 401
        wanted = safe_next(request.form.get("next"))
        return render_template("login.html", next=wanted, email=email, error=gettext(str(error))), status
    if done.awaits_second_factor:
        response = redirect(url_for("login.code", next=safe_next(request.form.get("next"))), 303)
        cookies.keep_session(response, done.token)
        return response
    return start(done, _next())


@login.get("/login/code")
@least(Door.ANYONE)
def code() -> ResponseReturnValue:
    """The form of the second factor."""
    if g.user_session is None or not g.user_session.awaits_second_factor:
        return redirect(url_for("login.page"))
    return render_template("login_code.html", next=safe_next(request.args.get("next")), error=None)


@login.post("/login/code")
@least(Door.ANYONE)
def check_code() -> ResponseReturnValue:
    """Checks the second factor."""
    if g.user_session is None or not g.user_session.awaits_second_factor:
        flash(gettext("That took too long. Log in again."), "error")
        return redirect(url_for("login.page"), 303)
    try:
        with database() as conn:
            done = prove_second_factor(
                conn,
                runtime().throttle,
                runtime().ring,
                session=g.user_session,
                code=request.form.get("code", "")[:40],
                client=client(),
            )
    except (LoginRefused, Throttled) as error:
        status = 429 if isinstance(error, Throttled) else 401
        wanted = safe_next(request.form.get("next"))
        return render_template("login_code.html", next=wanted, error=gettext(str(error))), status
    return start(done, _next())


@login.post("/logout")
@least(Door.ANYONE)
def leave() -> ResponseReturnValue:
    """Ends the session."""
    if g.user_session:
        with database() as conn:
            user_sessions.end_session(conn, g.user_session.user_id, g.user_session.id)
    session.clear()
    response = redirect(url_for("login.page"), 303)
    cookies.drop_session(response)
    return response


def start(done: LoggedIn, url: str) -> ResponseReturnValue:
    """Goes on as somebody who is logged in; what a form carried before is void."""
    session.clear()
    response = redirect(url, 303)
    cookies.keep_session(response, done.token)
    return response


def _next() -> str:
    return safe_next(request.values.get("next")) or url_for("home.page")
