"""Contacts: people listed and looked for, one person's way in time, what operators say of them, export and erasure.

A name is looked for with a POST, so that no number stands in an address or a log.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from console.contact_timeline import timeline
from console.contacts import (
    KINDS,
    Person,
    Rings,
    ask_for_erasure,
    export,
    names_of,
    person_by_id,
    reveal_names,
    search_people,
    summary,
)
from console.errors import ConsoleError, InvalidError, NotFoundError
from console.imports.hand_over import hand_over
from console.imports.plan import the_workspace
from console.team.roles import Role
from console.team.words import N_
from console.web.access import least, membership, person
from console.web.errors import back_to
from console.web.own import only_tests, own_channels
from console.web.runtime import database, runtime
from shared.db.contact_lists import ContactFilter, list_people, stages_of
from shared.db.erasures import open_erasure_of
from shared.queue import Work

contacts = Blueprint("contacts", __name__, url_prefix="/w/<int:workspace_id>/contacts")
_PAGE = 50
_STEPS = 300
KIND_WORDS = {
    "phone": lazy_gettext("Phone number"),
    "email": lazy_gettext("E-mail address"),
    "bsuid": lazy_gettext("Business-scoped user id"),
    "lid": lazy_gettext("LID"),
    "provider_id": lazy_gettext("Provider's own id"),
}
#: A section of what is held about somebody -> what the page calls it.
HELD_WORDS = {
    "contacts": lazy_gettext("Contacts"),
    "identities": lazy_gettext("Names"),
    "changes": lazy_gettext("Changes of stage, tags and consent"),
    "messages": lazy_gettext("Messages"),
    "touchpoints": lazy_gettext("Touchpoints"),
    "conversions": lazy_gettext("Conversions"),
    "corrections": lazy_gettext("Corrections of sales"),
    "reported_to_meta": lazy_gettext("Events for Meta"),
    "requests_to_meta": lazy_gettext("Requests to Meta"),
    "submissions": lazy_gettext("Reports by API, file or rule"),
    "webhooks": lazy_gettext("Webhooks"),
    "erasures": lazy_gettext("Erasures"),
}


@contacts.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """The newest people that the filters name, their names shortened."""
    return _list(None)


@contacts.post("/search")
@least(Role.VIEWER)
def search() -> ResponseReturnValue:
    """The person of this name."""
    kind = request.form.get("kind", "")
    if kind not in KINDS:
        abort(400)
    try:
        with database() as conn:
            found = search_people(
                conn, runtime().hash_ring, kind, request.form.get("name", ""), workspace=membership().workspace
            )
    except ConsoleError as error:
        return _list(gettext(str(error)))
    if found:
        return redirect(url_for("contacts.contact", contact_id=found[0].id), 303)
    return _list(gettext("Nobody in this workspace has that name."))


@contacts.get("/<int:contact_id>")
@least(Role.VIEWER)
def contact(contact_id: int) -> ResponseReturnValue:
    """One person, names shortened, with their way in time."""
    return _show(contact_id, reveal=False)


@contacts.post("/<int:contact_id>/reveal")
@least(Role.OPERATOR)
def reveal(contact_id: int) -> ResponseReturnValue:
    """The same with names in full; the audit log keeps who asked."""
    return _show(contact_id, reveal=True)


@contacts.post("/<int:contact_id>/stage")
@least(Role.OPERATOR)
@back_to("contacts.contact")
def stage(contact_id: int) -> ResponseReturnValue:
    """Says that a person has come to a stage."""
    to = request.form.get("stage", "").strip()
    if not to or len(to) > 100:
        raise InvalidError(N_("A stage has 1 to 100 characters, such as qualified."))
    return _hand_over(contact_id, "contacts/stage", {"stage": to})


@contacts.post("/<int:contact_id>/tags")
@least(Role.OPERATOR)
@back_to("contacts.contact")
def tags(contact_id: int) -> ResponseReturnValue:
    """Puts a tag on, or takes one off."""
    said = {name: [text] for name in ("add", "remove") if (text := request.form.get(name, "").strip()[:100])}
    if not said:
        raise InvalidError(N_("Say which tag."))
    return _hand_over(contact_id, "contacts/tags", said)


@contacts.post("/<int:contact_id>/consent")
@least(Role.OPERATOR)
@back_to("contacts.contact")
def consent(contact_id: int) -> ResponseReturnValue:
    """Records that a person agrees to the use of their data for ads, or no longer does."""
    given = request.form.get("given", "")
    if given not in ("1", "0"):
        abort(400)
    return _hand_over(contact_id, "contacts/consent", {"given": given == "1", "origin": "console"})


@contacts.post("/<int:contact_id>/export")
@least(Role.OWNER)
@back_to("contacts.contact")
def download(contact_id: int) -> ResponseReturnValue:
    """All that is held about a person, in clear, as a file; the audit log keeps who asked."""
    with database() as conn:
        document = export(conn, _rings(), _own(conn, contact_id), actor=person().actor)
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    # A name may hold half a character, which JSON can say and UTF-8 can't.
    body = text.encode("utf-8", "backslashreplace")
    name = f'attachment; filename="contact-{contact_id}.json"'
    return Response(body, content_type="application/json", headers={"Content-Disposition": name})


@contacts.post("/<int:contact_id>/erase")
@least(Role.OWNER)
@back_to("contacts.contact")
def erase(contact_id: int) -> ResponseReturnValue:
    """Says what would be erased; with the typed number of the contact, has it erased."""
    with database() as conn:
        found = _own(conn, contact_id)
        typed = request.form.get("typed")
        if typed is None or typed.strip() != str(found.id):
            held = summary(conn, _rings(), found)
            return render_template("contact_erase.html", contact=held, words=HELD_WORDS, wrong=typed is not None)
        ask_for_erasure(conn, _rings(), found, actor=person().actor)
    runtime().ring_for(Work.ERASING)
    flash(gettext("The erasure is written down; the workers carry it out."), "ok")
    return redirect(url_for("contacts.contact", contact_id=contact_id), 303)


def _list(error: str | None) -> ResponseReturnValue:
    given = {name: request.args.get(name, "").strip()[:100] for name in ("stage", "tag", "test")}
    with database() as conn:
        with_test = given["test"] == "1" or only_tests(conn, own_channels(conn))
        which = ContactFilter(
            workspace=membership().workspace,
            stage=given["stage"] or None,
            tag=given["tag"] or None,
            with_test=with_test,
        )
        found = list_people(conn, which, limit=_PAGE + 1, after=request.args.get("before", type=int))
        return render_template(
            "contacts.html",
            rows=found[:_PAGE],
            names=names_of(conn, _rings(), [row.id for row in found[:_PAGE]]),
            stages=stages_of(conn, membership().workspace),
            asked={name: value for name, value in given.items() if value},
            with_test=with_test,
            kinds=KIND_WORDS,
            error=error,
            older=found[_PAGE - 1].id if len(found) > _PAGE else None,
        )


def _show(contact_id: int, *, reveal: bool) -> ResponseReturnValue:
    with database() as conn:
        found = _own(conn, contact_id)
        if found.id != contact_id and not reveal:
            return redirect(url_for("contacts.contact", contact_id=found.id), 303)
        held = summary(conn, _rings(), found)
        if reveal:
            held["identities"] = reveal_names(conn, _rings(), found, actor=person().actor)
        steps = timeline(conn, found.contact_ids, limit=_STEPS)
        return render_template(
            "contact.html",
            contact=held,
            steps=steps,
            cut=len(steps) == _STEPS,
            kinds=KIND_WORDS,
            revealed=reveal,
            erasing=open_erasure_of(conn, found.contact_ids),
        )


def _hand_over(contact_id: int, path: str, said: Mapping[str, Any]) -> ResponseReturnValue:
    with database() as conn:
        found = _own(conn, contact_id)
        item = {"contact": {"id": found.id}, "occurred_at": datetime.now(UTC).isoformat(), **said}
        hand_over(
            conn, runtime().ring, the_workspace(conn, found.workspace), path, [item], origin="console",
            actor=person().actor, detail={"contact": found.id},
        )  # fmt: skip
    runtime().ring_for(Work.INTAKE)
    flash(gettext("Noted. It shows here as soon as a worker has read it, usually within seconds."), "ok")
    return redirect(url_for("contacts.contact", contact_id=found.id), 303)


def _own(conn: psycopg.Connection[Any], contact_id: int) -> Person:
    """The person of this id in this page's workspace; else there is no such page."""
    try:
        found = person_by_id(conn, contact_id)
    except NotFoundError:
        abort(404)
    return found if found.workspace == membership().workspace else abort(404)


def _rings() -> Rings:
    return Rings(runtime().ring, runtime().hash_ring)
