"""One's own account: name, language, zone, password, second factor, sessions."""

import io
from typing import Any
from zoneinfo import available_timezones

import psycopg
import segno
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.errors import NotFoundError
from console.team import people, second_factor
from console.team.sessions import IDLE, rotate
from console.team.words import N_
from console.web import cookies
from console.web.access import Door, least, person
from console.web.client import client
from console.web.errors import back_to
from console.web.language import LANGUAGES
from console.web.runtime import database, runtime
from shared.db import recovery_codes, user_sessions

account = Blueprint("account", __name__, url_prefix="/account")


@account.get("/")
@least(Door.SIGNED_IN)
def page() -> ResponseReturnValue:
    """Everything about oneself."""
    with database() as conn:
        return render_template(
            "account.html",
            sessions=user_sessions.live_sessions(conn, person().id, idle=IDLE),
            codes_left=recovery_codes.codes_left(conn, person().id),
            pending=second_factor.pending_secret(conn, runtime().ring, person().id),
            zones=sorted(available_timezones()),
        )


@account.post("/profile")
@least(Door.SIGNED_IN)
@back_to("account.page")
def profile() -> ResponseReturnValue:
    """Name, language and zone."""
    language = request.form.get("language") or None
    if language not in (None, *LANGUAGES):
        abort(400)
    with database() as conn:
        people.change_profile(
            conn, person(), name=request.form.get("name", ""), language=language, zone=request.form.get("zone", "")
        )
    flash(gettext("Saved."), "ok")
    return redirect(url_for("account.page"), 303)


@account.post("/password")
@least(Door.SIGNED_IN)
@back_to("account.page")
def password() -> ResponseReturnValue:
    """A new password; other sessions end, and this one gets a new id."""
    with database() as conn:
        _count_try(conn)
        people.change_password(
            conn,
            person=person(),
            current=request.form.get("current", ""),
            password=request.form.get("password", ""),
        )
        _forgive(conn)
        fresh = rotate(conn, person().session_id)
    flash(gettext("Your new password is kept, and your other sessions have ended."), "ok")
    return _with_session(redirect(url_for("account.page"), 303), fresh)


@account.post("/second-factor/begin")
@least(Door.SIGNED_IN)
@back_to("account.page")
def begin_second_factor() -> ResponseReturnValue:
    """Makes the secret that the next code confirms."""
    with database() as conn:
        _count_try(conn)
        people.check_current_password(conn, person(), request.form.get("current", ""))
        _forgive(conn)
        second_factor.begin(conn, runtime().ring, person().id)
    return redirect(f"{url_for('account.page')}#second-factor", 303)


@account.get("/second-factor.svg")
@least(Door.SIGNED_IN)
def qr_code() -> ResponseReturnValue:
    """The QR code of a secret that waits for its first code."""
    with database() as conn:
        secret = second_factor.pending_secret(conn, runtime().ring, person().id)
    if secret is None:
        abort(404)
    picture = io.BytesIO()
    segno.make(second_factor.address(secret, person().email), micro=False).save(
        picture, kind="svg", scale=5, border=3, light="#fff", svgclass=None, lineclass=None
    )
    return Response(picture.getvalue(), content_type="image/svg+xml")


@account.post("/second-factor/confirm")
@least(Door.SIGNED_IN)
@back_to("account.page")
def confirm_second_factor() -> ResponseReturnValue:
    """Switches the second factor on, and shows the recovery codes this once."""
    with database() as conn:
        _count_try(conn)
        codes = second_factor.confirm(
            conn, runtime().ring, person().id, request.form.get("code", ""), session_id=person().session_id
        )
        _forgive(conn)
        fresh = rotate(conn, person().session_id)
    return _with_session(Response(render_template("recovery_codes.html", codes=codes)), fresh)


@account.post("/second-factor/codes")
@least(Door.SIGNED_IN)
@back_to("account.page")
def renew_codes() -> ResponseReturnValue:
    """New recovery codes, shown this once."""
    with database() as conn:
        _count_try(conn)
        people.check_current_password(conn, person(), request.form.get("current", ""))
        _forgive(conn)
        codes = second_factor.renew_codes(conn, person().id)
    return render_template("recovery_codes.html", codes=codes)


@account.post("/second-factor/off")
@least(Door.SIGNED_IN)
@back_to("account.page")
def turn_off_second_factor() -> ResponseReturnValue:
    """Takes the second factor away."""
    with database() as conn:
        _count_try(conn)
        people.check_current_password(conn, person(), request.form.get("current", ""))
        _forgive(conn)
        second_factor.turn_off(conn, person().id, actor=person().actor)
        fresh = rotate(conn, person().session_id)
    flash(gettext("The second factor is off."), "ok")
    return _with_session(redirect(url_for("account.page"), 303), fresh)


@account.post("/sessions/<int:session_id>/end")
@least(Door.SIGNED_IN)
@back_to("account.page")
def end_session(session_id: int) -> ResponseReturnValue:
    """Logs another browser of one's own out."""
    with database() as conn:
        if not user_sessions.end_session(conn, person().id, session_id):
            raise NotFoundError(N_("This session has ended already."))
    flash(gettext("The session has ended."), "ok")
    return redirect(url_for("account.page"), 303)


@account.post("/sessions/end")
@least(Door.SIGNED_IN)
def end_other_sessions() -> ResponseReturnValue:
    """Logs all other browsers of one's own out."""
    with database() as conn:
        user_sessions.end_sessions(conn, person().id, but=person().session_id)
    flash(gettext("Your other sessions have ended."), "ok")
    return redirect(url_for("account.page"), 303)


def _count_try(conn: psycopg.Connection[Any]) -> None:
    """Whoever holds somebody else's session can't try passwords at will."""
    runtime().throttle.admit(conn, account=f"account of {person().id}", network=client().network)


def _forgive(conn: psycopg.Connection[Any]) -> None:
    runtime().throttle.forgive(conn, account=f"account of {person().id}", network=client().network)


def _with_session(response: ResponseReturnValue, token: str) -> ResponseReturnValue:
    assert isinstance(response, Response)
    cookies.keep_session(response, token)
    return response
