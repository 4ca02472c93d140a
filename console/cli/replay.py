"""`ctwa webhooks replay`: read stored webhooks again, after an adapter was mended."""

from datetime import datetime
from typing import Any
from uuid import UUID

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_json
from console.errors import InvalidError
from console.replay import REPLAYABLE, Forecast, forecast, replay, webhooks_to_replay
from console.setup.channels import channel_named
from shared.db.results import WebhookFilter
from shared.domain.reasons import explain
from shared.queue import Work


@click.command("replay")
@click.argument("ids", metavar="[ID…]", type=click.UUID, nargs=-1)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(REPLAYABLE),
    help="Only in this state; may be given again.  [default: rejected, or any with ids]",
)
@options.channel
@options.since
@options.until
@options.limit(1000, verb="Replay")
@options.dry_run
@options.yes
@options.as_json
@session
def replay_(
    session: Session,
    /,
    ids: tuple[UUID, ...],
    states: tuple[str, ...],
    channel: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Read stored webhooks again, for an adapter that was mended.

    By id, or what the filters name, newest first. Says first what today's adapters read in the stored bytes, then
    asks. Nothing is doubled: a message that is known stays as it is, unless it now says more of an ad.

    JSON: {dry_run, replayed, limit_reached, requests, forecast: {webhooks, readable_now, unreadable: [{reason, words,
    count}], messages: {known, new: [{class, count}], upgraded: [{from, to, count}]}}}.
    """
    if not (ids or states or channel or since or until):
        raise InvalidError("Say which: ids, or a filter such as --state rejected or --channel NAME.")
    ring = session.secret_ring()
    with session.database() as conn:
        which = WebhookFilter(
            ids=ids,
            states=states or (REPLAYABLE if ids else ("rejected",)),
            channel_id=channel_named(conn, channel).id if channel else None,
            since=since,
            until=until,
        )
        most = max(limit, len(ids))
        rows = webhooks_to_replay(conn, which, limit=most)
        # What the API or a file brought has no adapter: it is read again as it is.
        expected = forecast(conn, ring, [row for row in rows if row.source == "channel"])
        requests = sum(row.source != "channel" for row in rows)
    if not as_json:
        _echo(expected)
        if requests:
            click.echo(
                f"Requests of the API and parts of files: {requests}. What they brought already changes nothing."
            )
    replayed = 0
    if rows and not dry_run:
        options.confirm(f"Replay these {len(rows)} webhooks?", yes=yes)
        with session.database() as conn:
            replayed = replay(conn, [row.id for row in rows], actor=session.actor)
        session.ring(Work.INTAKE)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "replayed": replayed,
                "limit_reached": len(rows) == most,
                "requests": requests,
                "forecast": _as_json(expected),
            }
        )
        return
    if not dry_run:
        click.echo(f"Replayed: {replayed}.")
    if len(rows) == most:
        click.echo(f"There may be more: --limit {limit} was reached.", err=True)


def _echo(expected: Forecast) -> None:
    click.echo(f"Webhooks: {expected.webhooks}")
    click.echo(f"  readable now, rejected before: {expected.readable_now}")
    for reason, count in expected.unreadable.items():
        click.echo(f"  still not readable, {reason}: {count}. {explain(reason).words}")
    click.echo(f"Messages in them, known already and left as they are: {expected.known}")
    for message_class, count in expected.new.items():
        click.echo(f"  new, {message_class}: {count}")
    for (before, after), count in expected.upgraded.items():
        click.echo(f"  known as {plain(before)} and now {after}: {count}")


def _as_json(expected: Forecast) -> dict[str, Any]:
    return {
        "webhooks": expected.webhooks,
        "readable_now": expected.readable_now,
        "unreadable": [
            {"reason": reason, "words": explain(reason).words, "count": count}
            for reason, count in expected.unreadable.items()
        ],
        "messages": {
            "known": expected.known,
            "new": [{"class": message_class, "count": count} for message_class, count in expected.new.items()],
            "upgraded": [
                {"from": before, "to": after, "count": count} for (before, after), count in expected.upgraded.items()
            ],
        },
    }
