"""Asking for a new password by mail. The answer, and how long it takes, tell nobody who has an account."""

from dataclasses import replace

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.team.forgotten import send_reset
from console.team.letters import can_send, send
from console.team.links import LASTS
from console.team.login import normal_email
from console.team.throttle import Throttled
from console.web.access import Door, least
from console.web.addresses import whole_link
from console.web.client import client
from console.web.letters import new_password
from console.web.runtime import database, runtime

forgotten = Blueprint("forgotten", __name__)
_TOKEN = "TOKEN"  # noqa: S105 - what stands for it until there is one


@forgotten.get("/forgotten")
@least(Door.ANYONE)
def page() -> ResponseReturnValue:
    """The form; without a mail server there is no such page."""
    _needs_mail()
    return render_template("forgotten.html", sent=False, error=None)


@forgotten.post("/forgotten")
@least(Door.ANYONE)
def ask() -> ResponseReturnValue:
    """Has a letter sent, if there is an account of this address."""
    _needs_mail()
    email = normal_email(request.form.get("email", "")[:254])
    around = runtime()
    try:
        with database() as conn:
            around.throttle.admit(conn, account=f"reset:{email}", network=client().network)
    except Throttled as error:
        return render_template("forgotten.html", sent=False, error=gettext(str(error))), 429
    # Written here, in the language of the page; the thread knows neither.
    letter = new_password("", whole_link(_TOKEN), lasts=LASTS["reset"])

    def deliver(to: str, token: str) -> str | None:
        return send(around.settings, replace(letter, to=to, text=letter.text.replace(_TOKEN, token)))

    around.background.run(lambda: send_reset(around.pool.connection, email, deliver))
    return render_template("forgotten.html", sent=True, error=None)


def _needs_mail() -> None:
    if not can_send(runtime().settings):
        abort(404)
