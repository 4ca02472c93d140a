"""`ctwa deliveries` and `ctwa delivery`: what became of every event, and why."""

from datetime import UTC, datetime
from typing import Any

import click

from console.cli import options
from console.cli.context import Session, open_session, session
from console.cli.delivery_repairs import resolve_, retry_
from console.cli.render import money, print_json, print_table
from console.cli.trace_lines import trace_lines
from console.setup.channels import channel_named
from console.setup.datasets import dataset_named
from console.trace import trace
from shared.db.results import DeliveryFilter, DeliveryRow, list_deliveries
from shared.domain.durations import rough


@click.group(invoke_without_command=True)
@options.status
@options.reason
@options.dataset
@options.channel
@options.since
@options.limit()
@click.option(
    "--include-test/--no-test", "with_test", default=True, help="With or without test rows.  [default: with, marked]"
)
@options.as_json
@click.pass_context
def deliveries(
    ctx: click.Context,
    states: tuple[str, ...],
    reason: str | None,
    dataset: str | None,
    channel: str | None,
    since: datetime | None,
    limit: int,
    with_test: bool,
    as_json: bool,
) -> None:
    """List what became of every event.

    Newest first: each delivery is one conversion on its way to one dataset.

    JSON: a list of {id, created_at, state, reason, event_name, event_id, event_time, dataset, channel, value, currency,
    attempts, next_attempt_at, dry_run_at, accepted_at, finished_at, last_http_status, last_code, last_subcode,
    last_trace_id, last_message, conversion_id, test}. Times are ISO 8601 in UTC, values are text.
    """
    if options.went_to_subcommand(ctx):
        return
    with open_session(ctx).database() as conn:
        which = DeliveryFilter(
            states=states,
            reason=reason,
            dataset_id=dataset_named(conn, dataset).id if dataset else None,
            channel_id=channel_named(conn, channel).id if channel else None,
            since=since,
            test=None if with_test else False,
        )
        rows = list_deliveries(conn, which, limit=limit)
    if as_json:
        print_json([_row(row) for row in rows])
        return
    now = datetime.now(UTC)
    print_table(
        ("ID", "AGE", "STATE", "REASON", "EVENT", "DATASET", "VALUE", "ANSWER", ""),
        [
            (
                row.id,
                rough((now - row.created_at).total_seconds()),
                row.state,
                row.reason,
                row.event_name,
                row.dataset,
                money(row.value, row.currency),
                _answer(row),
                "test" if row.is_test else " ",
            )
            for row in rows
        ],
        empty="There are no such deliveries. `ctwa webhooks` shows what came in.",
    )
    if len(rows) == limit:
        click.echo(f"\nThere may be more: --limit {limit} was reached.", err=True)


deliveries.add_command(resolve_)
deliveries.add_command(retry_)


@click.command()
@click.argument("id")
@click.option("--reveal", is_flag=True, help="With phones and click ids in full. The audit log names who asked.")
@options.as_json
@session
def delivery(session: Session, /, id: str, reveal: bool, as_json: bool) -> None:  # noqa: A002 - the argument's name
    """Show the whole way of one event.

    That is webhook, message, touchpoint, conversion, delivery and attempts.

    ID is a delivery's id, an event id, a conversion id or a provider's message id. Says in plain words why it is where
    it is, and what to do.

    JSON: {words, next_step, webhook, message, touchpoint, conversion, deliveries: [{…, attempts: [{…, event}]}]}; a
    part that does not exist is null, and `event` is what was sent to Meta, redacted.
    """
    ring = session.secret_ring()
    with session.database() as conn:
        found = trace(conn, ring, id, reveal=reveal, actor=session.actor)
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(trace_lines(found)))


def _row(row: DeliveryRow) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in DeliveryRow.__dataclass_fields__ if name != "is_test"}
    return {**shown, "test": row.is_test}


def _answer(row: DeliveryRow) -> str | None:
    if row.last_http_status is None:
        return None
    code = f" {row.last_code}" if row.last_code is not None else ""
    subcode = f"/{row.last_subcode}" if row.last_subcode is not None else ""
    return f"{row.last_http_status}{code}{subcode}"
