"""The way in: the first page of the workspace that was last looked at; and the language of all pages."""

from datetime import timedelta

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console.web import navigation
from console.web.access import Door, least, person
from console.web.addresses import safe_next
from console.web.language import COOKIE, LANGUAGES
from console.web.runtime import database, runtime
from shared.db import users

home = Blueprint("home", __name__)


@home.get("/")
@least(Door.SIGNED_IN)
def page() -> ResponseReturnValue:
    """Goes to the first page there is."""
    if g.membership is None:
        return render_template("no_workspace.html")
    return redirect(navigation.visible(navigation.PAGES)[0].url)


@home.post("/workspace")
@least(Door.SIGNED_IN)
def switch() -> ResponseReturnValue:
    """Goes to another workspace of the person's."""
    wanted = request.form.get("workspace", type=int) or 0
    found = person().membership(wanted)
    if found is None:
        abort(404)
    g.membership = found
    return redirect(navigation.visible(navigation.PAGES)[0].url, 303)


@home.post("/language")
@least(Door.ANYONE)
def language() -> ResponseReturnValue:
    """Keeps the language with the person, or before they log in, in a cookie."""
    wanted = request.form.get("language", "")
    if wanted not in LANGUAGES:
        abort(400)
    response = redirect(safe_next(request.form.get("next")) or url_for("home.page"), 303)
    if g.person:
        with database() as conn:
            users.set_language(conn, g.person.id, wanted)
    response.set_cookie(
        COOKIE, wanted, max_age=timedelta(days=365), secure=runtime().secure, httponly=True, samesite="Lax"
    )
    return response
