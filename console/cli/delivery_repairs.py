"""`ctwa deliveries resolve` and `ctwa deliveries retry`: what a person does about deliveries that didn't arrive."""

from datetime import datetime
from typing import Any

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import money, print_json, print_table
from console.errors import InvalidError
from console.repairs import AGAIN, HURRIED, STAYS, WHY_IT_STAYS, Resolved, Retried, resolve, retry
from console.setup.channels import channel_named
from console.setup.datasets import dataset_named
from shared.db.repairs import Resolution
from shared.db.results import DeliveryFilter
from shared.domain.deliveries import State
from shared.queue import Work

#: What a retry looks at unless it is told: the rest is done, or not for it to decide.
_RETRIED = (State.REJECTED.value, State.SKIPPED.value, State.PENDING.value)
_SHOWN = {AGAIN: "goes again", HURRIED: "due now", STAYS: "stays"}
_ID = click.IntRange(min=1)


@click.command("resolve")
@click.argument("ids", metavar="ID…", type=_ID, nargs=-1, required=True)
@click.option("--accepted", "resolution", flag_value="accepted", help="Meta has it.")
@click.option(
    "--not-taken", "resolution", flag_value="not_taken", help="Meta surely doesn't have it: it is sent again."
)
@click.option("--resend", "resolution", flag_value="resend", help="Send it again, though Meta may have it.")
@options.as_json
@session
def resolve_(session: Session, /, ids: tuple[int, ...], resolution: str | None, as_json: bool) -> None:
    """Settle deliveries whose outcome is unknown.

    Meta may have them or not, so compare with Events Manager first. Meta doesn't tell copies of messaging events
    apart: a purchase sent twice counts twice. Deliveries in another state are left alone, so saying it again changes
    nothing.

    JSON: a list of {id, event_name, dataset, value, currency, was, state, resolved}.
    """
    if resolution is None:
        raise InvalidError("Say what became of them: --accepted, --not-taken or --resend.")
    with session.database() as conn:
        found = resolve(conn, ids, Resolution(resolution), actor=session.actor)
    session.ring(Work.SENDING)
    if as_json:
        print_json([_resolved(one) for one in found])
        return
    print_table(
        ("ID", "EVENT", "DATASET", "VALUE", "WAS", "IS NOW"),
        [
            (
                one.delivery.id,
                one.delivery.event_name,
                one.delivery.dataset,
                money(one.delivery.value, one.delivery.currency),
                one.was,
                one.delivery.state if one.resolved else f"{one.delivery.state} (left alone)",
            )
            for one in found
        ],
        empty="",
    )
    if resolution == Resolution.RESEND and any(one.resolved and one.delivery.value is not None for one in found):
        click.echo("\nSome of them have a value: if Meta had one of these, it counts it twice now.")


@click.command("retry")
@click.argument("ids", metavar="[ID…]", type=_ID, nargs=-1)
@options.status
@options.reason
@options.dataset
@options.channel
@options.since
@options.limit(1000, verb="Look at")
@options.dry_run
@options.yes
@options.as_json
@session
def retry_(
    session: Session,
    /,
    ids: tuple[int, ...],
    states: tuple[str, ...],
    reason: str | None,
    dataset: str | None,
    channel: str | None,
    since: datetime | None,
    limit: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Send again what may go, in bulk.

    By id, or what the filters name, newest first. Rejected ones go again, and skipped ones whose cause is gone; those
    that wait for their next attempt are due at once. Everything else stays, and it says why. What Meta has accepted is
    never touched; an unknown outcome is settled by `ctwa deliveries resolve`.

    Says first what would happen, then asks. Saying it again changes nothing more.

    JSON: {dry_run, moved, limit_reached, groups: [{state, reason, becomes: again|hurried|stays, why, words, count}]};
    state and reason are what they were.
    """
    if not (ids or states or reason or dataset or channel or since):
        raise InvalidError("Say which: ids, or a filter such as --status rejected or --dataset NAME.")

    def run(*, for_real: bool) -> Retried:
        with session.database() as conn, conn.transaction(force_rollback=not for_real):
            which = DeliveryFilter(
                ids=ids,
                states=states or (() if ids else _RETRIED),
                reason=reason,
                dataset_id=dataset_named(conn, dataset).id if dataset else None,
                channel_id=channel_named(conn, channel).id if channel else None,
                since=since,
            )
            return retry(conn, which, limit=max(limit, len(ids)), actor=session.actor)

    result = run(for_real=yes and not dry_run)
    if result.moved and not (yes or dry_run):
        if not as_json:
            _echo(result)
        options.confirm(f"Send these {result.moved} deliveries again?", yes=False)
        result = run(for_real=True)
    if result.moved and not dry_run:
        session.ring(Work.SENDING)
    if as_json:
        print_json(_retried(result, dry_run=dry_run))
    else:
        _echo(result)
        click.echo(f"{'Would move' if dry_run else 'Moved'}: {result.moved}.")
        if result.limited:
            click.echo(f"There may be more: --limit {limit} was reached.", err=True)


def _echo(result: Retried) -> None:
    print_table(
        ("COUNT", "STATE", "REASON", "", "WHY"),
        [
            (
                group.count,
                group.state,
                group.reason,
                _SHOWN[group.becomes],
                WHY_IT_STAYS[group.why] if group.why else " ",
            )
            for group in result.groups
        ],
        empty="There are no such deliveries.",
    )


def _resolved(one: Resolved) -> dict[str, Any]:
    row = one.delivery
    shown = {name: getattr(row, name) for name in ("id", "event_name", "dataset", "value", "currency")}
    return {**shown, "was": one.was, "state": row.state, "resolved": one.resolved}


def _retried(result: Retried, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "moved": result.moved,
        "limit_reached": result.limited,
        "groups": [
            {**group.__dict__, "words": WHY_IT_STAYS[group.why] if group.why else None} for group in result.groups
        ],
    }
