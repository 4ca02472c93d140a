"""`ctwa contacts stage`, `tag` and `consent`: what a person of the business says of a contact by hand."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from console.cli import options
from console.cli.contacts import contacts, one_person, rings_of, who_options
from console.cli.context import Session, session
from console.cli.imports import wait_for_intake
from console.cli.render import print_json
from console.errors import InvalidError
from console.imports.hand_over import hand_over
from console.imports.plan import the_workspace
from shared.db.submissions import ends_of_requests
from shared.queue import Work

#: Intake answers within a second; whoever has none running isn't kept.
_MOST_SECONDS = 15.0
_at = click.option(
    "--at", type=options.Since(), help="When it happened, such as 2h or 2026-11-20T08:00Z.  [default: now]"
)


def _change_options(command: Callable[..., Any]) -> Callable[..., Any]:
    return who_options(_at(options.as_json(command)))


@contacts.command()
@_change_options
@click.option("--to", "to", metavar="STAGE", required=True, help="A stage of your own funnel, such as qualified.")
@session
def stage(session: Session, /, id: int | None, at: datetime | None, as_json: bool, to: str, **who: Any) -> None:  # noqa: A002
    """Say that a contact has come to a stage. Rules that wait for it make their conversion.

    JSON: {contact, request, finished, became}.
    """
    _hand_over(session, "contacts/stage", {"stage": to}, id, who, at, as_json=as_json)


@contacts.command()
@_change_options
@click.option("--add", multiple=True, metavar="TAG", help="Put this tag on; may be given again.")
@click.option("--remove", multiple=True, metavar="TAG", help="Take this tag off; may be given again.")
@session
def tag(
    session: Session,
    /,
    id: int | None,  # noqa: A002
    at: datetime | None,
    as_json: bool,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    **who: Any,
) -> None:
    """Put tags on a contact, or take them off.

    JSON: {contact, request, finished, became}.
    """
    if not add and not remove:
        raise InvalidError("Say which tags: --add TAG or --remove TAG.")
    said = {name: list(tags) for name, tags in (("add", add), ("remove", remove)) if tags}
    _hand_over(session, "contacts/tags", said, id, who, at, as_json=as_json)


@contacts.command()
@_change_options
@click.option("--given/--withdrawn", default=None, help="Whether they agree to the use of their data for ads.")
@click.option("--origin", metavar="TEXT", help="Where they said so, such as checkout.")
@session
def consent(
    session: Session,
    /,
    id: int | None,  # noqa: A002
    at: datetime | None,
    as_json: bool,
    given: bool | None,
    origin: str | None,
    **who: Any,
) -> None:
    """Record that a contact agrees to the use of their data for ads, or no longer does.

    What waits to be sent of somebody who withdrew is skipped at once; it goes when they agree again while it is young
    enough.

    JSON: {contact, request, finished, became}.
    """
    if given is None:
        raise InvalidError("Say which: --given or --withdrawn.")
    said = {"given": given} | ({"origin": origin} if origin else {})
    _hand_over(session, "contacts/consent", said, id, who, at, as_json=as_json)


def _hand_over(
    session: Session,
    path: str,
    said: Mapping[str, Any],
    contact_id: int | None,
    who: dict[str, Any],
    at: datetime | None,
    *,
    as_json: bool,
) -> None:
    rings = rings_of(session)
    with session.database() as conn:
        person = one_person(conn, rings, contact_id, who)
        moment = (at or datetime.now(UTC)).isoformat()
        item = {"contact": {"id": person.id}, "occurred_at": moment, **said}
        requests = hand_over(
            conn,
            rings.secrets,
            the_workspace(conn, person.workspace),
            path,
            [item],
            origin="console",
            actor=session.actor,
            detail={"contact": person.id},
        )
    session.ring(Work.INTAKE)
    finished = wait_for_intake(session, requests, quiet=True, seconds=_MOST_SECONDS)
    with session.database() as conn:
        ends = ends_of_requests(conn, requests)
    became = next(iter(ends), (None, None))[0]
    if as_json:
        print_json({"contact": person.id, "request": requests[0], "finished": finished, "became": became})
    elif finished:
        click.echo(f"Contact {person.id}: {became}.")
    else:
        click.echo("Stored; intake has not read it yet. `ctwa status` shows whether a worker runs.")
    if became == "refused":
        raise SystemExit(1)
