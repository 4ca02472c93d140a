"""Set-up: the ad accounts whose spend is kept, and having it pulled now."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.setup.ad_accounts import add_account, request_sync, set_account
from console.team.roles import Role
from console.web.access import least, membership, person
from console.web.errors import back_to
from console.web.own import only_for_owners_of_everything, own_account
from console.web.runtime import database
from shared.db.ad_accounts import all_accounts
from shared.db.credentials import all_credentials

accounts = Blueprint("accounts", __name__, url_prefix="/w/<int:workspace_id>/accounts")


@accounts.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """Every ad account, and how fresh its spend is."""
    with database() as conn:
        return render_template(
            "accounts.html",
            accounts=all_accounts(conn, workspace=membership().workspace),
            tokens=all_credentials(conn) if person().owner_everywhere else [],
        )


@accounts.post("/")
@least(Role.OWNER)
@back_to("accounts.page")
def add() -> ResponseReturnValue:
    """Adds an ad account; one with a token is pulled from Meta."""
    said: dict[str, Any] = {
        name: text for name in ("meta_id", "zone", "credential") if (text := request.form.get(name, "").strip())
    }
    said["name"] = request.form.get("name", "").strip()
    if currency := request.form.get("currency", "").strip().upper():
        said["currency"] = currency
    if "credential" in said:
        only_for_owners_of_everything()
    with database() as conn:
        add_account(conn, {**said, "workspace": membership().workspace}, actor=person().actor)
    flash(gettext("The ad account is there."), "ok")
    return redirect(url_for("accounts.page"), 303)


@accounts.post("/<int:account_id>/sync")
@least(Role.OPERATOR)
@back_to("accounts.page")
def sync(account_id: int) -> ResponseReturnValue:
    """Has its spend pulled now."""
    with database() as conn:
        request_sync(conn, own_account(conn, account_id), since=None, actor=person().actor)
    flash(gettext("Its spend is pulled within a minute; this page shows how far it is."), "ok")
    return redirect(url_for("accounts.page"), 303)


@accounts.post("/<int:account_id>/switch")
@least(Role.OWNER)
@back_to("accounts.page")
def switch(account_id: int) -> ResponseReturnValue:
    """Whether it is pulled."""
    enabled = request.form.get("enabled") == "1"
    with database() as conn:
        set_account(conn, own_account(conn, account_id).name, {"enabled": enabled}, actor=person().actor)
    flash(gettext("Its spend is pulled again.") if enabled else gettext("Its spend is not pulled any more."), "ok")
    return redirect(url_for("accounts.page"), 303)
