"""`ctwa conversions`: what businesses reported and rules made, whose click each belongs to, and what became of it."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.imports import import_options, reading_of, run_import
from console.cli.render import iso, money, plain, print_fields, print_json, print_table
from console.cli.trace_lines import changed
from console.sales import conversion_details, conversion_rows
from console.setup.channels import channel_named
from shared.capi.event_names import META_NAMES
from shared.db.reported import ConversionFilter

_SOURCES = ("message", "api", "csv", "rule", "meta_automatic")


@click.group()
def conversions() -> None:
    """Leads, sales and what else happened: list and show them, import offline sales."""


@conversions.command("import")
@import_options
@click.option("--decimal-comma", is_flag=True, help="Amounts are written like 1.234,50.")
@session
def import_(
    session: Session,
    /,
    file: Path,
    zone: str,
    time_format: str | None,
    channel: str | None,
    decimal_comma: bool,
    **how: Any,
) -> None:
    """Import offline sales from a CSV FILE.

    Shows first what would become of each row, then asks. Importing the same file again changes nothing: an order is
    known by its id, a row without one by what it says. Needed columns: who it was (phone, email, bsuid, click_id or
    contact_id) and the time; usual are value, currency, order_id, event_name (default: Purchase). docs/conversions.md
    lists all columns and the names they may have.

    Exit code 1: some rows are bad; they are in FILE.bad.csv with the reason.

    JSON: {dry_run, verdicts: {verdict: rows}, rows: [{line, verdict, reason}], imported, requests: [id], bad_file,
    finished, became: [{state: stored|duplicate|changed|refused, reason, count}]}.
    """
    run_import(session, "conversions", file, reading_of(zone, time_format, channel, decimal_comma=decimal_comma), **how)


@conversions.command("list")
@click.option("--event", "events", multiple=True, type=click.Choice(list(META_NAMES)), help="Only of this name.")
@click.option("--source", "sources", multiple=True, type=click.Choice(_SOURCES), help="Only what came that way.")
@click.option("--attributed/--unattributed", default=None, help="Only those with, or without, an ad click.")
@click.option("--flag", metavar="CODE", help="Only with this flag, such as maybe_twin.")
@click.option("--order", "order_id", metavar="ID", help="Only of this order.")
@click.option("--workspace", metavar="NAME", help="Only of this workspace.")
@options.status
@options.channel
@options.since
@options.until
@options.limit()
@options.as_json
@session
def list_(
    session: Session,
    /,
    events: tuple[str, ...],
    sources: tuple[str, ...],
    attributed: bool | None,
    flag: str | None,
    order_id: str | None,
    workspace: str | None,
    states: tuple[str, ...],
    channel: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List conversions, the latest first.

    `--status waiting` shows purchases that wait for their value, with their age.

    JSON: a list of {id, workspace, event_name, occurred_at, created_at, channel, contact, value, currency, gross, net,
    revenue_currency, cost, order_id, source, rule, rule_version, rule_message, attribution, attribution_words,
    attributed_at,
    touchpoint, touched_at, ad_id, headline, flags: [{flag, words}], deliveries: [{id, state, reason, words}], changed,
    test}. `value` is what Meta is told, `gross` and `net` what it is worth by now.
    """
    with session.database() as conn:
        which = ConversionFilter(
            workspace=workspace,
            event_names=events,
            sources=sources,
            delivery_states=states,
            channel_id=channel_named(conn, channel).id if channel else None,
            order_id=order_id,
            attributed=attributed,
            flag=flag,
            since=since,
            until=until,
        )
        rows = conversion_rows(conn, which, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("ID", "TIME", "EVENT", "VALUE", "NET", "ORDER", "SOURCE", "ATTRIBUTION", "STATE", "FLAGS", ""),
        [
            (
                row["id"],
                row["occurred_at"],
                row["event_name"],
                money(row["value"], row["currency"]),
                money(row["net"], row["revenue_currency"]) if row["net"] != row["value"] else " ",
                row["order_id"],
                row["source"],
                row["attribution"],
                ", ".join(_state(one) for one in row["deliveries"]) or "no dataset",
                ", ".join(one["flag"] for one in row["flags"]) or " ",
                "test" if row["test"] else " ",
            )
            for row in rows
        ],
        empty="There are no such conversions.",
    )
    if len(rows) == limit:
        click.echo(f"\nThere may be more: --limit {limit} was reached.", err=True)


@conversions.command()
@click.argument("id")
@click.option("--workspace", metavar="NAME", help="Only of this workspace.")
@options.as_json
@session
def show(session: Session, id: str, workspace: str | None, as_json: bool) -> None:  # noqa: A002
    """Show one conversion: whose click it is and why, who reported it, what changed it, what became of it.

    ID is the conversion's id, the id that the API answered for the item, or an order's id.

    JSON: as `ctwa conversions list --json`, and {first_touch: null or {touchpoint, occurred_at, ad_id, headline,
    older_click, older_click_at}, changes: [{kind, value, currency, occurred_at, created_at, source, submission,
    detail}], submissions: [{id, source, api_key, state, reason, words, detail, received_at, webhook}], same_order:
    [{id, event_name, occurred_at}]}.
    """
    with session.database() as conn:
        found = conversion_details(conn, id, workspace=workspace)
    if as_json:
        print_json(found)
        return
    print_fields(_fields(found))
    for change in found["changes"]:
        moment = iso(change["occurred_at"])
        click.echo(f"change      {moment}  {change['kind']}  {changed(change)}  by {change['source']}")
    for one in found["submissions"]:
        why = f": {one['words']}" if one["words"] else ""
        by = f" with key {one['api_key']}" if one["api_key"] else ""
        click.echo(plain(f"reported    {iso(one['received_at'])}  by {one['source']}{by}, {one['state']}{why}"))
    for other in found["same_order"]:
        click.echo(f"same order  {iso(other['occurred_at'])}  {other['event_name']}  {other['id']}")
    for one in found["deliveries"]:
        click.echo(f"\nDelivery {one['id']}: {_state(one)}. {one['words'] or ''} (ctwa delivery {one['id']})")


def _fields(found: Mapping[str, Any]) -> dict[str, object]:
    touch = found["first_touch"]
    first = f"{touch['touchpoint']} of {iso(touch['occurred_at'])}" if touch else None
    if touch and touch["older_click"]:
        first = f"{first}; older and known later: {touch['older_click']} of {iso(touch['older_click_at'])}"
    rule = f"{found['rule']}, version {found['rule_version']}" if found["rule"] else None
    return {
        "id": found["id"],
        "event": found["event_name"],
        "time": found["occurred_at"],
        "contact": found["contact"],
        "channel": found["channel"],
        "value": money(found["value"], found["currency"]),
        "gross, net": f"{money(found['gross'], found['revenue_currency'])}, "
        f"{money(found['net'], found['revenue_currency'])}",
        "order": found["order_id"],
        "source": found["source"],
        "rule": rule,
        "attribution": f"{found['attribution']}: {found['attribution_words']}",
        "touchpoint": f"{found['touchpoint']} of {iso(found['touched_at'])}" if found["touchpoint"] else None,
        "ad": found["headline"] or found["ad_id"],
        "first touch": first,
        "flags": " ".join(f"{one['flag']}: {one['words']}" for one in found["flags"]),
    }


def _state(delivery: Mapping[str, Any]) -> str:
    return f"{delivery['state']} ({delivery['reason']})" if delivery["reason"] else str(delivery["state"])
