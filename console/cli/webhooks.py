"""`ctwa webhooks` and `ctwa webhook`: what came in, and how far intake is with it."""

from datetime import UTC, datetime

import click

from console.cli import options
from console.cli.context import Session, open_session, session
from console.cli.render import print_fields, print_json, print_table
from console.cli.replay import replay_
from console.setup.channels import channel_named
from console.webhooks import describe_webhook, open_body, webhook_with
from shared.db.results import WebhookFilter, WebhookRow, list_webhooks
from shared.domain.durations import rough


@click.group(invoke_without_command=True)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["new", "claimed", "done", "rejected"]),
    help="Only in this state; may be given again.",
)
@options.channel
@options.since
@options.until
@options.limit()
@options.as_json
@click.pass_context
def webhooks(
    ctx: click.Context,
    states: tuple[str, ...],
    channel: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List what came in.

    Newest first: each webhook is one authenticated request of a provider.

    JSON: a list of what `ctwa webhook --json` prints.
    """
    if options.went_to_subcommand(ctx):
        return
    with open_session(ctx).database() as conn:
        which = WebhookFilter(
            states=states, channel_id=channel_named(conn, channel).id if channel else None, since=since, until=until
        )
        rows = list_webhooks(conn, which, limit=limit)
    if as_json:
        print_json([describe_webhook(row) for row in rows])
        return
    now = datetime.now(UTC)
    print_table(
        ("ID", "AGE", "CHANNEL", "STATE", "MESSAGES", "IGNORED", "REASON", "BYTES"),
        [
            (
                row.id,
                rough((now - row.received_at).total_seconds()),
                row.channel,
                row.state,
                _messages(row),
                ", ".join(f"{count} {reason}" for reason, count in sorted((row.ignored or {}).items())),
                row.reason,
                row.body_bytes,
            )
            for row in rows
        ],
        empty="There are no such webhooks.",
    )
    if len(rows) == limit:
        click.echo(f"\nThere may be more: --limit {limit} was reached.", err=True)


webhooks.add_command(replay_)


@click.command()
@click.argument("id")
@click.option("--body", "with_body", is_flag=True, help="With the raw body, opened. The audit log names who asked.")
@options.as_json
@session
def webhook(session: Session, /, id: str, with_body: bool, as_json: bool) -> None:  # noqa: A002 - the argument's name
    """Show one webhook, and what was made of it.

    The body is shown without secrets and pictures; it holds phones, names and texts of people.

    JSON: {id, received_at, channel, provider, method, path, query, headers, body_bytes, state, reason, words,
    next_step, crashes, messages, automatic_events, duplicates, ignored: [{reason, count, words}], finished_at}; with
    --body also body.
    """
    ring = session.secret_ring() if with_body else None
    with session.database() as conn:
        row = webhook_with(conn, id)
        shown = describe_webhook(row)
        if ring:
            shown["body"] = open_body(conn, ring, row, actor=session.actor)
    if as_json:
        print_json(shown)
        return
    ignored = ", ".join(f"{one['count']} {one['reason']}" for one in shown["ignored"])
    headers = ", ".join(f"{name}: {value}" for name, value in sorted(shown["headers"].items()))
    print_fields({**{k: v for k, v in shown.items() if k != "body"}, "ignored": ignored, "headers": headers})
    if ring:
        click.echo()
        print_json(shown["body"])


def _messages(row: WebhookRow) -> str | None:
    if row.messages is None:
        return None
    again = f" ({row.duplicates} known)" if row.duplicates else ""
    return f"{row.messages}{again}"
