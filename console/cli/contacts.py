"""`ctwa contacts`: look for a person, show, export and erase what is held about them."""

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import json_text, plain, print_fields, print_json, print_table
from console.contacts import KINDS, Person, Rings, ask_for_erasure, export, person_by_id, search_people, summary
from console.errors import ConflictError, InvalidError, NotFoundError
from shared.db.erasures import Erasure, erasure_by_id
from shared.queue import Work

_Command = Callable[..., Any]
#: How often the progress of an erasure is looked at.
_LOOK_SECONDS = 0.5

_WHO = (
    click.argument("id", type=int, required=False),
    click.option(
        "--phone",
        metavar="NUMBER|-",
        help="By phone, with the country code. - reads it from standard input, or asks: a shell keeps what is typed.",
    ),
    click.option("--email", metavar="ADDRESS|-", help="By e-mail address."),
    click.option("--bsuid", metavar="BSUID|-", help="By business-scoped user id."),
    click.option("--lid", metavar="LID|-", help="By LID."),
    click.option("--provider-id", metavar="ID|-", help="By the provider's own id of the person."),
    click.option("--workspace", metavar="NAME", help="Only in this workspace."),
)


def who_options(command: _Command) -> _Command:
    """The ways of naming a person; `one_person` takes what was given."""
    for option in reversed(_WHO):
        command = option(command)
    return command


@click.group()
def contacts() -> None:
    """People: look for one, show, export and erase what is held about them.

    A person is named by a contact's ID, or by --phone, --email, --bsuid, --lid or --provider-id; with - as the value it
    is read from standard input and stands in no shell history.
    """


@contacts.command()
@who_options
@options.as_json
@session
def search(session: Session, /, id: int | None, as_json: bool, **who: Any) -> None:  # noqa: A002
    """Find a person by a name, in every workspace.

    JSON: a list of what `ctwa contacts show --json` prints. Exit code 1: nobody has that name.
    """
    rings = rings_of(session)
    with session.database() as conn:
        found = [summary(conn, rings, person) for person in _people(conn, rings, id, who)]
    if as_json:
        print_json(found)
    else:
        print_table(
            ("CONTACT", "WORKSPACE", "NAMES", "COUNTRY", "STAGE", "ADS", "LAST TOUCH"),
            [
                (
                    row["id"], row["workspace"], _names(row), row["country"], row["stage"], len(row["ads"]),
                    row["last_touch_at"],
                )
                for row in found
            ],
            empty="Nobody has that name.",
        )  # fmt: skip
    if not found:
        raise SystemExit(1)


@contacts.command()
@who_options
@options.as_json
@session
def show(session: Session, /, id: int | None, as_json: bool, **who: Any) -> None:  # noqa: A002
    """Show who a person is, names shortened, and how much is held about them.

    JSON: {id, workspace, merged_contacts: [id], identities: [{kind, value}], country, stage, tags, consent, created_at,
    erased_at, first_touch_at, last_touch_at, ads: [ad id], held: {section: rows}}; the value of an identity is null
    where a workspace keeps hashes only.
    """
    rings = rings_of(session)
    with session.database() as conn:
        row = summary(conn, rings, one_person(conn, rings, id, who))
    if as_json:
        print_json(row)
        return
    held = {section: count for section, count in row.pop("held").items() if count}
    lists = {name: ", ".join(map(str, row[name])) for name in ("merged_contacts", "tags", "ads")}
    print_fields({**row, **lists, "identities": _names(row), "held": held})


@contacts.command("export")
@who_options
@click.option("--out", type=click.File("w", encoding="utf-8", lazy=True), default="-", help="Write to this file.")
@session
def export_(session: Session, /, id: int | None, out: Any, **who: Any) -> None:  # noqa: A002
    """Print all that is held about a person as one JSON document, in clear. The audit log keeps who asked.

    Times are in UTC, with the time zones of the person's channels beside them. Raw webhook bodies are included while
    they are kept: one may hold other people, too.
    """
    rings = rings_of(session)
    with session.database() as conn:
        document = export(conn, rings, one_person(conn, rings, id, who), actor=session.actor)
    click.echo(json_text(document), file=out)


@contacts.command()
@who_options
@options.dry_run
@options.yes
@click.option("--wait/--no-wait", default=True, help="Wait until it is done.  [default: wait]")
@options.as_json
@session
def erase(
    session: Session,
    /,
    id: int | None,  # noqa: A002
    dry_run: bool,
    yes: bool,
    wait: bool,
    as_json: bool,
    **who: Any,
) -> None:
    """Erase a person: names, click ids, texts, raw webhooks that hold them, stages, tags and consent.

    What goes on counting are conversions with their value, ad and day, which lead back to nobody. Names stay as keyed
    hashes, so that an older message that comes again can't bring the person back; what they write from now on makes
    a new contact. A raw webhook that they share with others goes too. What waits to be sent to Meta about them is
    skipped; what Meta has already is Meta's to erase.

    The workers do it, in small steps; this command waits and may be interrupted: they go on.

    JSON: {erasure, contact, workspace, step, webhooks_read, bodies_deleted, finished_at, held: {section: rows}}; with
    --dry-run, erasure is null.
    """
    rings = rings_of(session)
    with session.database() as conn:
        person = one_person(conn, rings, id, who)
        before = summary(conn, rings, person)
    if not as_json:
        _echo_plan(before)
    if dry_run:
        if as_json:
            print_json(_result(None, person, before))
        return
    options.confirm(f"Erase contact {person.id} for good?", yes=yes)
    with session.database() as conn:
        erasure = ask_for_erasure(conn, rings, person, actor=session.actor)
    session.ring(Work.ERASING)
    if wait:
        erasure = _wait(session, erasure, quiet=as_json)
    if as_json:
        print_json(_result(erasure, person, before))
    elif erasure.step == "done":
        click.echo(f"Erased contact {person.id}: {erasure.bodies_deleted} raw webhooks deleted.")
        _echo_spool(session)
    else:
        click.echo(f"Erasure {erasure.id} is written down; the workers carry it out.")


@contacts.command()
@click.argument("number", type=int)
@options.as_json
@session
def erasure(session: Session, number: int, as_json: bool) -> None:
    """Show how far the erasure NUMBER has come. Exit code 1: it is not done yet.

    JSON: {erasure, step, webhooks_read, bodies_deleted, requested_at, finished_at}.
    """
    with session.database() as conn:
        found = erasure_by_id(conn, number)
    if found is None:
        raise NotFoundError(f"There is no erasure {number}.")
    row = {"erasure": found.id, **_progress(found)}
    if as_json:
        print_json(row)
    else:
        print_fields(row)
    if found.step != "done":
        raise SystemExit(1)


def rings_of(session: Session) -> Rings:
    """The rings that names are kept under."""
    return Rings(session.secret_ring(), session.hash_ring())


def _people(conn: Any, rings: Rings, contact_id: int | None, who: dict[str, Any]) -> list[Person]:
    """The people that the arguments name. Raises InvalidError unless they name one in one way."""
    workspace = who.pop("workspace")
    given = [(kind, value) for kind, value in who.items() if value is not None]
    if len(given) + (contact_id is not None) != 1:
        raise InvalidError(f"Say who: a contact's ID, or one of {', '.join(_option(kind) for kind in KINDS)}.")
    if contact_id is not None:
        person = person_by_id(conn, contact_id)
        return [person] if workspace in (None, person.workspace) else []
    [(kind, value)] = given
    return search_people(conn, rings.hashes, kind, _typed(kind, value), workspace=workspace)


def one_person(conn: Any, rings: Rings, contact_id: int | None, who: dict[str, Any]) -> Person:
    """The person that the arguments name. Raises NotFoundError, ConflictError and InvalidError."""
    people = _people(conn, rings, contact_id, who)
    if not people:
        raise NotFoundError("Nobody has that name.")
    if len(people) > 1:
        ids = ", ".join(f"{person.id} in {person.workspace}" for person in people)
        raise ConflictError(f"That name is known in several workspaces. Give --workspace, or an id: {ids}.")
    return people[0]


def _typed(kind: str, value: str) -> str:
    if value != "-":
        return value
    if sys.stdin.isatty():
        return str(click.prompt(_option(kind)[2:], err=True))
    return sys.stdin.readline().strip()


def _option(kind: str) -> str:
    return "--" + kind.replace("_", "-")


def _names(row: dict[str, Any]) -> str:
    return ", ".join(
        f"{one['kind']} {one['value'] or ('(key lost)' if one['key_lost'] else '(hash only)')}"
        for one in row["identities"]
    )


def _echo_plan(row: dict[str, Any]) -> None:
    held = row["held"]
    click.echo(f"Contact {row['id']} in workspace {row['workspace']}: {_names(row) or 'no names'}.")
    click.echo(
        f"Goes: {held['identities']} names, click ids and texts of {held['touchpoints']} touchpoints,"
        f" {held['messages']} message ids, {held['changes']} stages, tags and consents,"
        f" every raw webhook they are in (known now: {held['webhooks']}), their events in"
        f" {held['requests_to_meta']} kept requests."
    )
    click.echo(
        f"Is skipped: {held['waiting_to_be_sent']} events that wait to be sent. Stays, leading to nobody:"
        f" {held['conversions']} conversions with value, ad and day."
    )


def _wait(session: Session, erasure: Erasure, *, quiet: bool) -> Erasure:
    """Looks until the workers are done, and says how far they are."""
    told = ""
    while erasure.step != "done":
        time.sleep(_LOOK_SECONDS)
        with session.database() as conn:
            found = erasure_by_id(conn, erasure.id)
        assert found is not None
        erasure = found
        line = f"{erasure.step}: {erasure.webhooks_read} raw webhooks searched, {erasure.bodies_deleted} deleted"
        if line != told and not quiet:
            told = line
            click.echo(plain(line), err=True)
    return erasure


def _progress(erasure: Erasure) -> dict[str, Any]:
    return {
        name: getattr(erasure, name)
        for name in ("step", "webhooks_read", "bodies_deleted", "requested_at", "finished_at")
    }


def _result(erasure: Erasure | None, person: Person, before: dict[str, Any]) -> dict[str, Any]:
    return {
        "erasure": erasure and erasure.id,
        "contact": person.id,
        "workspace": person.workspace,
        **(_progress(erasure) if erasure else {}),
        "held": before["held"],
    }


def _echo_spool(session: Session) -> None:
    folder = session.settings().spool_dir
    aside = [path for path in folder.glob("*") if path.suffix in (".damaged", ".refused")] if folder.is_dir() else []
    if aside:
        click.echo(
            f"{len(aside)} spool files set aside in {folder} may hold the person, sealed: see docs/receiver.md,"
            " and delete them when they are settled."
        )
