"""`ctwa reconcile`: fetch the messages that never came as webhooks."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import iso, print_fields, print_json, print_table
from console.cli.secrets import read_secret
from console.errors import InvalidError
from console.reconcile import Missed, Reconciliation
from console.setup.channels import channel_named
from console.whapi_history import WHAPI, WhapiHistory
from shared.db import audit
from shared.db.progress import IntakeProgress, intake_progress
from shared.queue import Work

TOKEN = "WHAPI_API_TOKEN"  # noqa: S105 - the variable's name
_POLL_SECONDS = 0.5
_SHOWN = 50


@click.command()
@click.option("--channel", "name", required=True, metavar="NAME", help="The channel (name or URL key).")
@click.option(
    "--since", type=options.Since(), default="24h", show_default=True, help="From then on, such as 2h, 7d, 2026-11-20."
)
@click.option("--token-file", metavar="FILE", help=f"Whapi's API token; - is standard input.  [default: {TOKEN}]")
@click.option("--url", default=WHAPI, show_default=True, metavar="BASE", help="Whapi's API.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=20_000, show_default=True, help="Read at most so many."
)
@click.option(
    "--wait", type=click.IntRange(0, 3600), default=30, show_default=True, metavar="SECONDS", help="For intake."
)
@options.dry_run
@options.as_json
@session
def reconcile(
    session: Session,
    /,
    name: str,
    since: datetime,
    token_file: str | None,
    url: str,
    limit: int,
    wait: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Fetch messages that never came as webhooks.

    Reads them from Whapi's list of messages, and stores what is missing as webhooks of the channel, so that it is
    counted as if it had come. What is known changes nothing, so it can be repeated. The API token is not stored.

    Exit code 1 when not all could be read. JSON: {channel, since, until, dry_run, complete, read, inbound, unreadable,
    missed: [{message_id, class, sent_at}], webhooks: [id], intake: {done, rejected, waiting, new} or null}.
    """
    until = datetime.now(UTC)
    if since >= until:
        raise InvalidError("--since must be in the past.")
    ring = session.secret_ring()
    with session.database() as conn:
        channel = channel_named(conn, name)
    run = Reconciliation(channel, ring, dry_run=dry_run)
    token = session.environ.get(TOKEN, "").strip() if token_file is None else ""
    history = WhapiHistory(url, token or read_secret("Whapi's API token", token_file))
    about = {"since": iso(since), "until": iso(until)}
    if not dry_run:
        _record(session, channel.name, "channel.reconcile", about)
    try:
        complete = _fetch(session, run, history, since, until, limit)
    finally:
        if run.result.webhooks:
            _record(session, channel.name, "channel.reconcile.stored", {**about, **_counts(run.result)})
            session.ring(Work.INTAKE)
    intake = _await_intake(session, run.result.webhooks, wait) if run.result.webhooks else None
    report = {"channel": channel.name, **about, "dry_run": dry_run, "complete": complete}
    _report(report, run.result, intake, as_json=as_json)
    if not complete or run.result.unreadable or (intake and intake.rejected):
        sys.exit(1)


def _fetch(
    session: Session, run: Reconciliation, history: WhapiHistory, since: datetime, until: datetime, limit: int
) -> bool:
    """Takes page after page; False when the limit, or a server that repeats itself, ended it early."""
    fetched = 0
    for page in history.pages(since, until):
        room = limit - fetched
        with session.database(check=False) as conn:
            fresh = run.take(conn, page.messages[:room])
        fetched += len(page.messages)
        of = f" of {page.total}" if page.total is not None else ""
        click.echo(f"read {min(fetched, limit)}{of} messages, {len(run.result.missed)} of them missing here", err=True)
        if len(page.messages) > room:
            return False
        if not fresh:
            click.echo("Whapi repeats a page, so the rest can't be read.", err=True)
            return False
    return True


def _await_intake(session: Session, ids: Sequence[UUID], seconds: int) -> IntakeProgress:
    """How far intake is with the stored webhooks when it has read them all, or when the time is over."""
    ends = time.monotonic() + seconds
    while True:
        with session.database(check=False) as conn:
            progress = intake_progress(conn, ids)
        if not progress.waiting or time.monotonic() >= ends:
            return progress
        time.sleep(_POLL_SECONDS)


def _record(session: Session, channel: str, action: str, detail: dict[str, Any]) -> None:
    with session.database(check=False) as conn:
        audit.record(conn, actor=session.actor, action=action, subject=f"channel:{channel}", detail=detail)


def _counts(result: Missed) -> dict[str, int]:
    return {
        "read": result.read,
        "inbound": result.inbound,
        "unreadable": result.unreadable,
        "missed": len(result.missed),
        "webhooks": len(result.webhooks),
    }


def _report(report: dict[str, Any], result: Missed, intake: IntakeProgress | None, *, as_json: bool) -> None:
    missed = [
        {"message_id": one.message_id, "class": one.message_class.value, "sent_at": one.sent_at}
        for one in result.missed
    ]
    if as_json:
        counts = {"read": result.read, "inbound": result.inbound, "unreadable": result.unreadable}
        progress = intake.__dict__ if intake else None
        print_json({**report, **counts, "missed": missed, "webhooks": result.webhooks, "intake": progress})
        return
    print_fields({**report, **_counts(result)})
    if missed:
        click.echo()
        columns = ("MESSAGE", "CLASS", "SENT")
        print_table(columns, [tuple(one.values()) for one in missed[:_SHOWN]], empty="")
        if len(missed) > _SHOWN:
            click.echo(f"… and {len(missed) - _SHOWN} more (--json names all)")
    click.echo(f"\n{_conclusion(report, result, intake)}")


def _conclusion(report: dict[str, Any], result: Missed, intake: IntakeProgress | None) -> str:
    if not result.missed:
        said = "Nothing is missing."
    elif intake is None:
        said = f"{len(result.missed)} would be new. Without --dry-run they are fetched."
    elif intake.waiting:
        said = f"Stored; intake hasn't read {intake.waiting} of {len(result.webhooks)} webhooks yet: ctwa status"
    else:
        said = f"{intake.new} messages were new."
        if intake.rejected:
            said += f" {intake.rejected} webhooks could not be read: ctwa webhooks --state rejected"
    if result.unreadable:
        said += f" {result.unreadable} messages at Whapi can't be read and were left there."
    return said if report["complete"] else f"{said} Not everything was read: a larger --limit or a later --since."
