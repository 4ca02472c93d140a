"""`ctwa spend`: what ads cost: pulled from Meta, imported, added, listed."""

import csv
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import print_json, print_table
from console.errors import InvalidError
from console.setup.ad_accounts import account_named, request_sync
from console.spend.by_hand import add_by_hand
from console.spend.file import SpendFile, read_file
from console.spend.importing import NEW, Judged, judge_lines, refused_heading, refused_rows, store
from shared.db.ad_accounts import AdAccount, account_by_id, all_accounts
from shared.db.spend import spend_facts
from shared.domain.reasons import explain

_POLL_SECONDS = 0.5
_SHOWN = 20
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def spend() -> None:
    """What ads cost, by day of the ad account's zone and in its currency."""


@spend.command()
@click.option("--account", "name", metavar="NAME", help="Only this ad account.  [default: all with a token]")
@click.option("--since", type=_DAY, help="From this day on, such as 2026-08-01.  [default: the last 28 days]")
@click.option(
    "--wait", type=click.IntRange(0, 3600), default=300, show_default=True, metavar="SECONDS", help="For the workers."
)
@options.as_json
@session
def sync(session: Session, /, name: str | None, since: datetime | None, wait: int, as_json: bool) -> None:
    """Pull spend from Meta now. A worker does it; this shows how far it is.

    Exit code 1 when a pull fails or isn't done in time: it goes on. JSON: a list of {account, done, rows, error}.
    """
    with session.database() as conn:
        chosen = [account_named(conn, name)] if name else [one for one in all_accounts(conn) if one.credential_id]
        asked_at = conn.execute("select clock_timestamp()").fetchone()
        for account in chosen:
            if name or account.enabled:
                request_sync(conn, account, since=since.date() if since else None, actor=session.actor)
    if not chosen:
        raise InvalidError("No ad account has a token: ctwa accounts add NAME --meta-id ID --credential NAME")
    assert asked_at is not None
    report = [_await(session, account, asked_at[0], wait) for account in chosen if name or account.enabled]
    if as_json:
        print_json(report)
    if not all(one["done"] for one in report):
        sys.exit(1)


def _await(session: Session, asked: AdAccount, asked_at: datetime, seconds: int) -> dict[str, Any]:
    """Tells on standard error how far one account is, until it is done, failed, or the time is over."""
    ends, told = time.monotonic() + seconds, ""
    while True:
        with session.database(check=False) as conn:
            account = account_by_id(conn, asked.id)
        assert account is not None
        done = account.last_synced_at is not None and account.last_synced_at > asked_at and account.sync_since is None
        failed = account.last_error_at is not None and account.last_error_at > asked_at
        if (line := _progress(account, done=done, failed=failed)) != told:
            told = line
            click.echo(f"{account.name}: {line}", err=True)
        if done or failed or time.monotonic() >= ends:
            error = account.last_error if failed else None if done else "still_pulling"
            return {"account": account.name, "done": done, "rows": account.sync_rows, "error": error}
        time.sleep(_POLL_SECONDS)


def _progress(account: AdAccount, *, done: bool, failed: bool) -> str:
    if done:
        return f"done, {account.sync_rows} rows until {account.synced_until} ({account.zone})"
    if failed:
        reason = explain(account.last_error or "")
        return f"{account.last_error}: {reason.words} {reason.next_step}"
    if account.sync_since is None:
        return "waiting for a worker"
    if account.report_run_id and (account.report_percent or 0) < 100:
        return f"Meta prepares a report, {account.report_percent or 0} %"
    return f"{account.sync_since} to {account.sync_until}, {account.sync_rows} rows so far"


@spend.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--account", "name", required=True, metavar="NAME", help="The ad account it belongs to.")
@click.option("--decimal", type=click.Choice([".", ","]), help="The decimal mark.  [default: as the file shows]")
@click.option(
    "--dates", type=click.Choice(["dmy", "mdy"]), help="How 03/04/2026 is meant.  [default: as the file shows]"
)
@click.option("--yes", is_flag=True, help="Store it. Without, it is only looked at.")
@options.as_json
@session
def import_(
    session: Session, /, file: Path, name: str, decimal: str | None, dates: str | None, yes: bool, as_json: bool
) -> None:
    """Import the spend in FILE: an export of Ads Manager by day, in any of six languages, or a plain file.

    The plain form is date,ad_id,spend,currency[,impressions,clicks,conversations]. Without --yes it says what each line
    would do. Lines that can't be used are written beside FILE with the reason. Importing again changes nothing.

    Exit code 1 when lines were refused. JSON: {account, stored, verdicts: {…}, lines: [{line, verdict}], refused_file}.
    """
    read = read_file(file.read_bytes(), decimal=decimal, dates=dates)
    with session.database() as conn:
        account = account_named(conn, name)
        judged = judge_lines(conn, account, read.lines)
        stored = store(conn, account, judged, actor=session.actor) if yes else 0
    refused = [one for one in judged if one.is_refused]
    refused_file = _write_refused(file, read, refused) if refused and yes else None
    _report_import(account, judged, stored=stored, refused_file=refused_file, yes=yes, as_json=as_json)
    if refused:
        sys.exit(1)


def _report_import(
    account: AdAccount, judged: Sequence[Judged], *, stored: int, refused_file: Path | None, yes: bool, as_json: bool
) -> None:
    verdicts = Counter(one.verdict for one in judged)
    if as_json:
        lines = [{"line": one.line.number, "verdict": one.verdict} for one in judged]
        print_json({"account": account.name, "stored": stored, "verdicts": verdicts, "lines": lines,
                    "refused_file": str(refused_file) if refused_file else None})  # fmt: skip
        return
    if not yes:
        print_table(("LINE", "VERDICT", "DAY", "WHAT", "SPEND"), map(_line, judged[:_SHOWN]), empty="No lines.")
        if len(judged) > _SHOWN:
            click.echo(f"… and {len(judged) - _SHOWN} more lines")
    click.echo("\n".join(f"{count:>7}  {verdict}" for verdict, count in verdicts.most_common()))
    for verdict in sorted({one.verdict for one in judged if one.is_refused}):
        reason = explain(verdict)
        click.echo(f"{verdict}: {reason.words} {reason.next_step}")
    if refused_file:
        click.echo(f"Lines not used: {refused_file}")
    click.echo(f"Stored {stored} rows." if yes else "Nothing is stored yet: say --yes.")


def _line(one: Judged) -> tuple[object, ...]:
    row = one.line.row
    if row is None:
        return one.line.number, one.verdict, None, None, None
    money = f"{row.spend} {one.spend.currency if one.spend else row.currency or ''}"
    return one.line.number, one.verdict, row.day, f"{row.level} {row.object_id}", money


def _write_refused(file: Path, read: SpendFile, refused: Sequence[Judged]) -> Path:
    target = file.with_name(f"{file.stem}.refused.csv")
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(refused_heading(read))
        writer.writerows(refused_rows(refused))
    return target


@spend.command()
@click.option("--account", "name", required=True, metavar="NAME", help="The ad account it belongs to.")
@click.option("--day", type=_DAY, required=True, help="The day, in the account's zone.")
@click.option("--ad", "ad", metavar="ID", help="The ad it was spent on.")
@click.option("--campaign", metavar="ID|NAME", help="Or the campaign; with neither, it is the whole account's.")
@click.argument("amount")
@click.argument("currency")
@session
def add(
    session: Session, /, name: str, day: datetime, ad: str | None, campaign: str | None, amount: str, currency: str
) -> None:
    """Add by hand that AMOUNT of CURRENCY was spent on a day, such as `12.50 BRL`; again replaces it."""
    if ad and campaign:
        raise InvalidError("Give --ad or --campaign, not both.")
    with session.database() as conn:
        account = account_named(conn, name)
        verdict = add_by_hand(
            conn, account, day=day.date(), level="ad" if ad else "campaign" if campaign else "account",
            which=ad or campaign or "", amount=amount, currency=currency, actor=session.actor,
        )  # fmt: skip
    click.echo({NEW: "Added.", "changed": "Replaced."}.get(verdict, "It was there already."))


@spend.command("list")
@click.option("--account", "name", metavar="NAME", help="Only of this ad account.")
@click.option("--workspace", default="default", show_default=True, metavar="NAME", help="Whose.")
@click.option("--since", type=_DAY, help="From this day on.  [default: 28 days ago]")
@click.option("--until", type=_DAY, help="Until this day, it included.  [default: today]")
@click.option("--test", is_flag=True, help="Test accounts, too.")
@options.as_json
@session
def list_(
    session: Session, /, name: str | None, workspace: str, since: datetime | None, until: datetime | None, test: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """List spend by day and ad.

    JSON: a list of {account_name, zone, day, level, object_id, ad_name, campaign_name, currency, spend, …}.
    """
    last = until.date() if until else datetime.now(UTC).date() + timedelta(days=1)
    first = since.date() if since else last - timedelta(days=28)
    with session.database() as conn:
        account = account_named(conn, name) if name else None
        facts = spend_facts(
            conn, account.workspace if account else workspace, first, last,
            account_id=account.id if account else None, include_test=test or (account is not None and account.is_test),
        )  # fmt: skip
    if as_json:
        print_json([{**one.__dict__, "day": one.day.isoformat()} for one in facts])
        return
    print_table(
        ("DAY", "ACCOUNT", "CAMPAIGN", "AD", "SPEND", "IMPRESSIONS", "LINK CLICKS", "CONVERSATIONS", "FROM"),
        [
            (one.day, one.account_name, one.campaign_name or one.campaign_id, one.ad_name or one.ad_id,
             f"{one.spend} {one.currency}", one.impressions, one.link_clicks, one.conversations_started, one.source)
            for one in facts
        ],
        empty="No spend is known of these days. Pull it: ctwa spend sync",
    )  # fmt: skip
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for one in facts:
        sums[one.currency] += one.spend
    for currency, total in sorted(sums.items()):
        click.echo(f"{total} {currency} in all")
