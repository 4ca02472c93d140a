"""`ctwa accounts`: ad accounts, whose spend is kept."""

from typing import Any

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import print_fields, print_json, print_table
from console.setup.ad_accounts import account_named, add_account, remove_account, set_account
from shared.db.ad_accounts import AdAccount, all_accounts
from shared.db.credentials import all_credentials
from shared.domain.reasons import explain


def _said(command: Any) -> Any:
    for option in reversed(
        (
            click.option("--meta-id", metavar="ID", help="The account's id at Meta, with or without act_."),
            click.option("--credential", metavar="NAME", help="The token to read with; it needs ads_read."),
            click.option("--currency", metavar="CODE", help="Of an account without a token, such as BRL."),
            click.option("--zone", metavar="ZONE", help="Of an account without a token, such as America/Sao_Paulo."),
            click.option("--workspace", metavar="NAME", help="Whose it is.  [default: default]"),
            click.option("--test/--no-test", "is_test", default=None, help="Leave it out of every total."),
        )
    ):
        command = option(command)
    return command


@click.group()
def accounts() -> None:
    """Ad accounts: their spend is pulled from Meta, or brought in files.

    Currency and zone of an account with a token are read from Meta.
    """


@accounts.command()
@click.argument("name")
@_said
@session
def add(session: Session, /, name: str, is_test: bool | None, **said: str | None) -> None:
    """Add the ad account NAME.

    With --meta-id and --credential its spend is pulled every hour, 90 days at first. Without, it comes from
    `ctwa spend import` and `ctwa spend add`.
    """
    with session.database() as conn:
        add_account(conn, {"name": name, **_given(said, is_test)}, actor=session.actor)
    click.echo(f"Added ad account {name}.")
    if said["credential"]:
        click.echo(f"A worker pulls its spend within a minute. Watch it: ctwa spend sync --account {name!r}")
    else:
        click.echo(f"Next: ctwa spend import FILE.csv --account {name!r}")


@accounts.command("set")
@click.argument("name")
@_said
@click.option("--on/--off", "enabled", default=None, help="Whether its spend is pulled.")
@click.option("--rename", metavar="NAME", help="Call it this from now on.")
@session
def set_(
    session: Session, /, name: str, is_test: bool | None, enabled: bool | None, rename: str | None, **said: str | None
) -> None:
    """Change the ad account NAME. An empty --credential takes its token away; what was pulled stays."""
    values = _given(said, is_test)
    values |= {"enabled": enabled} if enabled is not None else {}
    values |= {"name": rename} if rename else {}
    with session.database() as conn:
        set_account(conn, name, values, actor=session.actor)
    click.echo(f"Changed ad account {rename or name}.")


@accounts.command()
@click.argument("name")
@options.yes
@session
def remove(session: Session, name: str, yes: bool) -> None:
    """Remove the ad account NAME with all spend and names kept of it."""
    with session.database() as conn:
        account_named(conn, name)
    options.confirm(f"Remove {name} with all its spend?", yes=yes)
    with session.database() as conn:
        remove_account(conn, name, actor=session.actor)
    click.echo(f"Removed ad account {name}.")


@accounts.command("list")
@options.as_json
@session
def list_(session: Session, as_json: bool) -> None:
    """List the ad accounts.

    JSON: a list of what `ctwa accounts show --json` prints.
    """
    with session.database() as conn:
        found = all_accounts(conn)
        names = {one.id: one.name for one in all_credentials(conn)}
    if as_json:
        print_json([_shown(one, names) for one in found])
        return
    print_table(
        ("NAME", "META ID", "CURRENCY", "ZONE", "TOKEN", "SYNCED", "STATE"),
        [
            (one.name, one.meta_id, one.currency, one.zone, names.get(one.credential_id or 0), one.last_synced_at,
             _state(one))
            for one in found
        ],
        empty="There are no ad accounts. Add one: ctwa accounts add NAME --meta-id ID --credential NAME",
    )  # fmt: skip


@accounts.command()
@click.argument("name")
@options.as_json
@session
def show(session: Session, name: str, as_json: bool) -> None:
    """Show the ad account NAME: how far its spend is pulled, and what is wrong.

    JSON: {name, workspace, meta_id, currency, zone, credential, enabled, test, synced_until, last_synced_at,
    next_sync_at, sync: {since, until, rows, report_percent} or null, error: {code, words, next_step, at} or null}.
    """
    with session.database() as conn:
        account = account_named(conn, name)
        names = {one.id: one.name for one in all_credentials(conn)}
    shown = _shown(account, names)
    if as_json:
        print_json(shown)
        return
    error = shown.pop("error")
    print_fields(shown)
    if error:
        click.echo(f"\n{error['code']}: {error['words']}\nNext: {error['next_step']}")


def _given(said: dict[str, str | None], is_test: bool | None) -> dict[str, Any]:
    values: dict[str, Any] = {name: value or None for name, value in said.items() if value is not None}
    return values if is_test is None else {**values, "test": is_test}


def _state(account: AdAccount) -> str:
    if account.sync_since is not None:
        return f"pulling, {account.sync_rows} rows" + (f" ({account.last_error})" if account.last_error else "")
    if account.last_error:
        return account.last_error
    if account.credential_id is None:
        return "by hand and file"
    return "on" if account.enabled else "off"


def _shown(account: AdAccount, credentials: dict[int, str]) -> dict[str, Any]:
    sync = error = None
    if account.sync_since is not None:
        sync = {"since": str(account.sync_since), "until": str(account.sync_until), "rows": account.sync_rows,
                "report_percent": account.report_percent}  # fmt: skip
    if account.last_error:
        reason = explain(account.last_error)
        error = {"code": account.last_error, "words": reason.words, "next_step": reason.next_step,
                 "at": account.last_error_at}  # fmt: skip
    return {
        "name": account.name,
        "workspace": account.workspace,
        "meta_id": account.meta_id,
        "currency": account.currency,
        "zone": account.zone,
        "credential": credentials.get(account.credential_id or 0),
        "enabled": account.enabled,
        "test": account.is_test,
        "synced_until": str(account.synced_until) if account.synced_until else None,
        "last_synced_at": account.last_synced_at,
        "next_sync_at": account.next_sync_at if account.credential_id else None,
        "sync": sync,
        "error": error,
    }
