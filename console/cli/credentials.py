"""`ctwa credentials`: Meta access tokens."""

from typing import Any

import click

from console.cli.context import Session, session
from console.cli.render import print_json, print_table
from console.cli.secrets import read_secret
from console.setup.credentials import add_credential, replace_token
from shared.db.credentials import all_credentials
from shared.db.datasets import all_datasets
from shared.queue import Work

_TOKEN_FILE = click.option(
    "--token-file", metavar="FILE", help="File that holds the token; - is standard input.  [default: ask]"
)


_INSPECTED = ("inspection", "inspected_at", "expires_at", "data_access_expires_at", "scopes")


@click.group()
def credentials() -> None:
    """Meta access tokens, kept encrypted under TOKEN_KEYS."""


@credentials.command()
@click.argument("name")
@_TOKEN_FILE
@session
def add(session: Session, name: str, token_file: str | None) -> None:
    """Add the token NAME, asked for without echo."""
    token = read_secret("Meta access token", token_file)
    ring = session.token_ring()
    with session.database() as conn:
        add_credential(conn, ring, name=name, token=token, actor=session.actor)
    click.echo(f"Added credential {name}. Give it to a dataset: ctwa datasets set DATASET --credential {name}")


@credentials.command()
@click.argument("name")
@_TOKEN_FILE
@session
def rotate(session: Session, name: str, token_file: str | None) -> None:
    """Put a new token in the place of NAME's; datasets that wait for one go on."""
    token = read_secret("New Meta access token", token_file)
    ring = session.token_ring()
    with session.database() as conn:
        replaced = replace_token(conn, ring, name=name, token=token, actor=session.actor)
    session.ring(Work.SENDING)
    click.echo(f"Replaced the token of {name}.")
    for dataset in replaced.resumed:
        click.echo(f"Resumed dataset {dataset}.")


@credentials.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@session
def list_(session: Session, as_json: bool) -> None:
    """List the credentials; never their tokens.

    EXPIRES is what Meta's debug_token says, asked every six hours; a new token is asked about within a minute.

    JSON: a list of {name, datasets, usage_percent, throttled_until, inspection, inspected_at, expires_at,
    data_access_expires_at, scopes}.
    """
    with session.database() as conn:
        datasets = all_datasets(conn)
        rows: list[dict[str, Any]] = [
            {
                "name": credential.name,
                "datasets": [one.name for one in datasets if one.credential_id == credential.id],
                "usage_percent": credential.usage_percent,
                **{field: getattr(credential, field) for field in ("throttled_until", *_INSPECTED)},
            }
            for credential in all_credentials(conn)
        ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("NAME", "DATASETS", "USAGE", "THROTTLED UNTIL", "EXPIRES"),
        [
            (
                row["name"],
                ", ".join(row["datasets"]),
                "-" if row["usage_percent"] is None else f"{row['usage_percent']} %",
                row["throttled_until"],
                _expires(row),
            )
            for row in rows
        ],
        empty="There are no credentials. Add one: ctwa credentials add NAME",
    )


def _expires(row: dict[str, Any]) -> object:
    if row["inspection"] == "invalid":
        return "invalid"
    ends = min((at for at in (row["expires_at"], row["data_access_expires_at"]) if at), default=None)
    return ends or ("never" if row["inspection"] == "ok" else "not known")
