"""`ctwa preview`: the exact body for one delivery."""

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_fields, print_json
from console.preview import preview


@click.command("preview")
@click.argument("id")
@options.as_json
@session
def preview_(session: Session, /, id: str, as_json: bool) -> None:  # noqa: A002 - the argument's name
    """Show what is sent to Meta for one event.

    ID is a delivery's id or an event id. Of an event that went out, the body as it was sent; else as it would be sent
    now. The click id is shortened; the token is never part of a body. Says in plain words what the checks before
    sending make of it. Nothing is sent.

    JSON: {id, dataset, state, state_words, sent_at, body, verdict: ok or a reason code, words, next_step}; sent_at is
    null for what didn't go out, body for what can't be built.
    """
    with session.database() as conn:
        found = preview(conn, id)
    if as_json:
        print_json(found)
        return
    print_fields(
        {
            "delivery": found["id"],
            "dataset": found["dataset"],
            "state": f"{found['state']}. {found['state_words']}",
            "sent": found["sent_at"] or "no; this is what would be sent now",
            "checks": f"{found['verdict']}. {found['words']}",
            "what to do": found["next_step"],
        }
    )
    click.echo()
    if found["body"] is None:
        click.echo(plain("There is no body: the event can't be built like this."))
    else:
        print_json(found["body"])
