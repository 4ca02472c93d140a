"""Set-up: datasets, whether they send, their test mode, and the tokens they send with. Tokens are only ever written."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.setup.credentials import add_credential, replace_token
from console.setup.datasets import add_dataset, change_dataset, explained_pause, pause, resume
from console.setup.datasets import probe as try_token
from console.team.roles import Role
from console.web.access import least, person
from console.web.errors import back_to
from console.web.own import choosable_datasets, only_for_owners_of_everything
from console.web.runtime import database, runtime
from shared.db.credentials import Credential, all_credentials
from shared.db.datasets import Dataset
from shared.db.results import states_of_dataset
from shared.queue import Work

datasets = Blueprint("datasets", __name__, url_prefix="/w/<int:workspace_id>/datasets")


@datasets.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """The datasets that this person may see, each with its state, and the tokens for who owns everything."""
    with database() as conn:
        found = choosable_datasets(conn)
        tokens: list[Credential] = all_credentials(conn)
        names = {one.id: one.name for one in tokens}
        return render_template(
            "datasets.html",
            datasets=[(one, explained_pause(one), states_of_dataset(conn, one.id)) for one in found],
            token_names=names,
            tokens=tokens if person().owner_everywhere else [],
            everything=person().owner_everywhere,
        )


@datasets.post("/")
@least(Role.OWNER)
@back_to("datasets.page")
def add() -> ResponseReturnValue:
    """Adds a dataset."""
    only_for_owners_of_everything()
    values: dict[str, Any] = {
        name: request.form.get(name, "").strip() or None for name in ("name", "meta_id", "waba_id", "credential")
    }
    with database() as conn:
        add_dataset(conn, {name: value for name, value in values.items() if value}, actor=person().actor)
    flash(gettext("The dataset is there. Give it to a channel, and its events go there."), "ok")
    return redirect(url_for("datasets.page"), 303)


@datasets.post("/<int:dataset_id>/change")
@least(Role.OWNER)
@back_to("datasets.page")
def change(dataset_id: int) -> ResponseReturnValue:
    """Changes whether it sends, its WhatsApp account, or its token."""
    only_for_owners_of_everything()
    changes = {
        name: request.form[name].strip() or None
        for name in ("sending", "waba_id", "credential")
        if name in request.form
    }
    with database() as conn:
        changed = change_dataset(conn, _dataset(conn, dataset_id).name, changes, actor=person().actor)
    if changed.wakes:
        runtime().ring_for(Work.SENDING)
    flash(gettext("Changed.") if changed.fields else gettext("Nothing was different."), "ok")
    return redirect(url_for("datasets.page"), 303)


@datasets.post("/<int:dataset_id>/test-mode")
@least(Role.OWNER)
@back_to("datasets.page")
def test_mode(dataset_id: int) -> ResponseReturnValue:
    """Begins test mode for an hour, or ends it when there is no code."""
    only_for_owners_of_everything()
    code = request.form.get("code", "").strip() or None
    with database() as conn:
        change_dataset(conn, _dataset(conn, dataset_id).name, {"test_event_code": code}, actor=person().actor)
    flash(gettext("Test mode is on for an hour.") if code else gettext("Test mode is over."), "ok")
    return redirect(url_for("datasets.page"), 303)


@datasets.post("/<int:dataset_id>/pause")
@least(Role.OWNER)
@back_to("datasets.page")
def stop(dataset_id: int) -> ResponseReturnValue:
    """Pauses a dataset: what comes waits."""
    only_for_owners_of_everything()
    with database() as conn:
        pause(conn, _dataset(conn, dataset_id).name, detail=None, actor=person().actor)
    flash(gettext("Paused. What comes waits, for six and a half days at most."), "ok")
    return redirect(url_for("datasets.page"), 303)


@datasets.post("/<int:dataset_id>/resume")
@least(Role.OWNER)
@back_to("datasets.page")
def go_on(dataset_id: int) -> ResponseReturnValue:
    """Ends a pause."""
    only_for_owners_of_everything()
    with database() as conn:
        resumed = resume(conn, _dataset(conn, dataset_id).name, actor=person().actor)
    runtime().ring_for(Work.SENDING)
    flash(gettext("It sends again.") if resumed else gettext("It was not paused."), "ok")
    return redirect(url_for("datasets.page"), 303)


@datasets.post("/<int:dataset_id>/probe")
@least(Role.OPERATOR)
@back_to("datasets.page")
def probe(dataset_id: int) -> ResponseReturnValue:
    """Has the workers try the token on the dataset, without making an event."""
    with database() as conn:
        try_token(conn, _dataset(conn, dataset_id).name, actor=person().actor)
    flash(gettext("The workers try it within a minute; the result is shown here."), "ok")
    return redirect(url_for("datasets.page"), 303)


@datasets.post("/tokens")
@least(Role.OWNER)
@back_to("datasets.page")
def keep_token() -> ResponseReturnValue:
    """Keeps a new token, or puts another one in the place of one that is there. It is never shown again."""
    only_for_owners_of_everything()
    name, token = request.form.get("name", "").strip(), request.form.get("token", "").strip()
    with database() as conn:
        if any(one.name == name for one in all_credentials(conn)):
            replace_token(conn, runtime().token_ring, name=name, token=token, actor=person().actor)
        else:
            add_credential(conn, runtime().token_ring, name=name, token=token, actor=person().actor)
    runtime().ring_for(Work.SENDING)
    flash(gettext("The token is kept, sealed. Nobody can read it here."), "ok")
    return redirect(url_for("datasets.page"), 303)


def _dataset(conn: Any, dataset_id: int) -> Dataset:
    found = next((one for one in choosable_datasets(conn) if one.id == dataset_id), None)
    return found or abort(404)
