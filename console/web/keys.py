"""The API keys of a workspace: made, shown once, and revoked."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from console.team.keys import make_key, revoke_key
from console.team.roles import Role
from console.web.access import least, membership, person
from console.web.errors import back_to
from console.web.runtime import database
from shared.db.api_keys import api_keys_of
from shared.domain.api_scopes import Scope

keys = Blueprint("keys", __name__, url_prefix="/w/<int:workspace_id>/keys")
SCOPE_WORDS = {
    Scope.CONVERSIONS_WRITE: lazy_gettext("Report conversions"),
    Scope.CONTACTS_WRITE: lazy_gettext("Report stages, tags and consent of contacts"),
    Scope.RULES_WRITE: lazy_gettext("Change rules"),
    Scope.SPEND_WRITE: lazy_gettext("Bring in spend, and add ad accounts"),
    Scope.ALERTS_WRITE: lazy_gettext("Acknowledge and resolve alerts"),
    Scope.RESULTS_READ: lazy_gettext("Read results"),
}


@keys.get("/")
@least(Role.OWNER)
def page() -> ResponseReturnValue:
    """The keys, and the form for another one."""
    with database() as conn:
        found = api_keys_of(conn, membership().workspace)
    return render_template("keys.html", keys=found, scope_words=SCOPE_WORDS)


@keys.post("/")
@least(Role.OWNER)
@back_to("keys.page")
def make() -> ResponseReturnValue:
    """Makes a key, and shows it this once."""
    try:
        scopes = [Scope(text) for text in request.form.getlist("scope")]
    except ValueError:
        abort(400)
    name = request.form.get("name", "")
    with database() as conn:
        made = make_key(
            conn,
            workspace=membership().workspace,
            name=name,
            scopes=scopes,
            is_test=request.form.get("test") == "1",
            actor=person().actor,
        )
    return render_template("key.html", name=name.strip(), secret_text=made.secret)


@keys.post("/<int:key_id>/revoke")
@least(Role.OWNER)
@back_to("keys.page")
def revoke(key_id: int) -> ResponseReturnValue:
    """Makes a key good for nothing."""
    with database() as conn:
        revoke_key(conn, workspace=membership().workspace, key_id=key_id, actor=person().actor)
    flash(gettext("The key can no longer be used."), "ok")
    return redirect(url_for("keys.page"), 303)
