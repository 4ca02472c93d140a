"""`ctwa channels`: business numbers at providers, and what to enter where."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from console.cli.context import Session, session
from console.cli.render import plain, print_fields, print_json, print_table
from console.cli.secrets import read_fields, read_secret
from console.setup.channels import (
    add_channel,
    change_channel,
    channel_named,
    described,
    finish_rotation,
    reveal_secrets,
    rotate_secrets,
    webhook_url,
)
from shared.db.channels import Channel, all_channels
from shared.providers import PROVIDERS
from shared.providers.base import Provider

_Command = Callable[..., Any]
_FIELDS = (
    click.option("--dataset", metavar="NAME", help="Where its events go."),
    click.option("--workspace", metavar="NAME", help="Contacts are shared within a workspace.  [default: default]"),
    click.option("--currency", metavar="CODE", help="For values reported without one, such as EUR."),
    click.option("--country", metavar="CODE", help="Of the business number, such as DE."),
    click.option("--zone", metavar="ZONE", help="Time zone of the business, such as Europe/Berlin.  [default: UTC]"),
    click.option(
        "--posts",
        type=click.Choice(["ignore", "send"]),
        help="Whether messages from an organic post's button are reported.  [default: ignore]",
    ),
    click.option("--margin", metavar="PERCENT", help="Of a sale whose cost isn't reported, for profit."),
    click.option("--test/--no-test", default=None, help="A test channel's rows are left out of every total."),
)
_SECRETS = (
    click.option(
        "--secret-file", "files", multiple=True, metavar="FIELD=FILE", help="A secret from a file; - is standard input."
    ),
    click.option(
        "--secret-env", "variables", multiple=True, metavar="FIELD=VARIABLE", help="A secret from the environment."
    ),
)


def _with(options: tuple[Callable[[_Command], _Command], ...]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group()
def channels() -> None:
    """Business numbers at WhatsApp providers.

    Each has a webhook URL and secrets of its own.
    """


@channels.command()
@click.argument("name")
@click.option(
    "--provider",
    required=True,
    metavar="NAME",
    type=click.Choice(sorted(PROVIDERS)),
    help="Who posts the webhooks; docs/providers/ names them.",
)
@click.option("--unsigned", is_flag=True, help="Take webhooks that nothing authenticates but the unguessable URL.")
@_with(_SECRETS)
@_with(_FIELDS)
@session
def add(
    session: Session,
    /,
    name: str,
    provider: str,
    unsigned: bool,
    files: tuple[str, ...],
    variables: tuple[str, ...],
    **options: Any,
) -> None:
    """Add the channel NAME, and print its webhook URL and what to enter at the provider.

    Secrets that the provider gives out (such as Meta's app secret) are asked for without echo, or read as said;
    those that we may choose are made up.
    """
    described_provider = PROVIDERS[provider]
    secrets = read_fields(files, variables, session.environ)
    if not unsigned:
        secrets |= _ask_missing(described_provider, secrets)
    values = {"name": name, "provider": provider, "unsigned": unsigned, "secrets": secrets, **_said(options)}
    ring = session.secret_ring()
    with session.database() as conn:
        added = add_channel(conn, ring, values, actor=session.actor)
    click.echo(f"Added channel {name}.\n")
    _echo_setup(session, described_provider, added.key, added.secrets, given=frozenset(secrets))
    if unsigned:
        click.echo("\nThis channel is unsigned: whoever learns the URL can post to it. Keep it out of logs and chats.")
    if values.get("dataset") is None:
        click.echo(f"\nIt has no dataset yet, so nothing is sent: ctwa channels set {name} --dataset DATASET")


@channels.command("set")
@click.argument("name")
@click.option("--name", "new_name", metavar="NEW", help="Rename it; its URL stays.")
@click.option("--unsigned/--signed", default=None, help="Take webhooks unauthenticated, or stop doing so.")
@_with(_SECRETS)
@_with(_FIELDS)
@session
def set_(
    session: Session,
    /,
    name: str,
    new_name: str | None,
    files: tuple[str, ...],
    variables: tuple[str, ...],
    **options: Any,
) -> None:
    """Change the channel NAME: only what is said here. An empty value ("") clears a field.

    Secrets given here replace the old ones at once; `rotate` keeps both valid for a while.
    """
    changes = _said({**options, "name": new_name})
    if secrets := read_fields(files, variables, session.environ):
        changes["secrets"] = secrets
    ring = session.secret_ring()
    with session.database() as conn:
        changed = change_channel(conn, ring, name, changes, actor=session.actor)
    if not changed:
        click.echo(f"Nothing to change on {name}.")
    for field, (before, after) in changed.items():
        secret = field.startswith("secrets.")
        click.echo(f"{name}: {field} changed" if secret else f"{name}: {field} {plain(before)} -> {plain(after)}")


@channels.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--reveal", is_flag=True, help="With the secrets. The audit log names who asked.")
@session
def list_(session: Session, as_json: bool, reveal: bool) -> None:
    """List the channels.

    JSON: a list of {name, provider, key, webhook_url, dataset, workspace, currency, country, zone, posts, margin,
    unsigned, enabled, test}; with --reveal also secrets, a list of {field: value}, the current first.
    """
    rows = _rows(session, None, reveal=reveal)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("NAME", "PROVIDER", "DATASET", "WORKSPACE", "SIGNED", "STATE", "TEST", *(["SECRETS"] if reveal else [])),
        [
            (
                *(row[field] for field in ("name", "provider", "dataset", "workspace")),
                "UNSIGNED" if row["unsigned"] else "yes",
                "enabled" if row["enabled"] else "disabled",
                "test" if row["test"] else "",
                *([_secrets_line(row["secrets"])] if reveal else []),
            )
            for row in rows
        ],
        empty="There are no channels. Add one: ctwa channels add NAME --provider PROVIDER",
    )


@channels.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--reveal", is_flag=True, help="With the secrets. The audit log names who asked.")
@session
def show(session: Session, name: str, as_json: bool, reveal: bool) -> None:
    """Show the channel NAME (or URL key). JSON: one entry of `ctwa channels list --json`."""
    row = _rows(session, name, reveal=reveal)[0]
    if as_json:
        print_json(row)
        return
    print_fields({**row, **({"secrets": _secrets_line(row["secrets"])} if reveal else {})})
    click.echo(f"\nProvider's page: {PROVIDERS[row['provider']].docs_url}")


@channels.command()
@click.argument("name")
@click.option("--finish", is_flag=True, help="Forget the previous secrets: the provider uses the new ones.")
@_with(_SECRETS)
@session
def rotate(session: Session, name: str, finish: bool, files: tuple[str, ...], variables: tuple[str, ...]) -> None:
    """Give the channel NAME new secrets; the previous ones stay valid until `--finish`.

    Secrets that we may choose are made up; those that the provider gives out are asked for, or read as said.
    """
    ring = session.secret_ring()
    if finish:
        with session.database() as conn:
            finish_rotation(conn, ring, name, actor=session.actor)
        click.echo(f"Only the new secrets of {name} are valid now.")
        return
    with session.database() as conn:
        channel = channel_named(conn, name)
    provider = PROVIDERS[channel.provider]
    given = read_fields(files, variables, session.environ)
    given = given or _ask_missing(provider, {})
    with session.database() as conn:
        complete = rotate_secrets(conn, ring, name, given, actor=session.actor)
    _echo_setup(session, provider, channel.key, complete, given=frozenset(given))
    click.echo(f"\nBoth the new and the previous secrets are valid. Then: ctwa channels rotate {name} --finish")


@channels.command()
@click.argument("name")
@session
def disable(session: Session, name: str) -> None:
    """Stop taking webhooks of the channel NAME; its provider is answered 404."""
    _enable(session, name, enabled=False)


@channels.command()
@click.argument("name")
@session
def enable(session: Session, name: str) -> None:
    """Take webhooks of the channel NAME again."""
    _enable(session, name, enabled=True)


def _enable(session: Session, name: str, *, enabled: bool) -> None:
    ring = session.secret_ring()
    with session.database() as conn:
        changed = change_channel(conn, ring, name, {"enabled": enabled}, actor=session.actor)
    state = "enabled" if enabled else "disabled"
    click.echo(f"{name} is {state}." if changed else f"{name} was {state} already.")


def _rows(session: Session, name: str | None, *, reveal: bool) -> list[dict[str, Any]]:
    public_url = session.settings().public_url
    ring = session.secret_ring() if reveal else None
    with session.database() as conn:
        found: list[Channel] = [channel_named(conn, name)] if name else all_channels(conn)
        rows = []
        for channel in found:
            row: dict[str, Any] = {"name": channel.name, "provider": channel.provider, "key": channel.key}
            row["webhook_url"] = webhook_url(public_url, channel.key)
            row |= described(conn, channel)
            if ring:
                row["secrets"] = reveal_secrets(conn, ring, channel, actor=session.actor)
            rows.append(row)
        return rows


def _ask_missing(provider: Provider, given: Mapping[str, str]) -> dict[str, str]:
    """Asks for the secrets that the provider gives out, if somebody is there to answer."""
    missing = [
        field
        for field in provider.secret_fields
        if field.required and not field.generated and field.default is None and field.name not in given
    ]
    if not missing or not sys.stdin.isatty():
        return {}
    for field in missing:
        click.echo(field.help)
    return {field.name: read_secret(field.name, None) for field in missing}


def _echo_setup(
    session: Session, provider: Provider, key: str, secrets: Mapping[str, str], *, given: frozenset[str]
) -> None:
    """Says what to enter at the provider; what the person has just typed isn't shown again."""
    click.echo(f"Enter at {provider.title} ({provider.docs_url}):\n")
    fields = {"webhook URL": webhook_url(session.settings().public_url, key)}
    fields |= {name: "(as given)" if name in given else value for name, value in secrets.items()}
    print_fields(fields, indent=2)
    click.echo()
    for field in provider.secret_fields:
        if field.name in secrets:
            click.echo(f"  {field.name}: {field.help}")
    if not session.settings().public_url:
        click.echo("\nPUBLIC_URL is not set: put your receiver's address before the path.")


def _secrets_line(held: list[dict[str, str]]) -> str:
    return "; previous: ".join(", ".join(f"{name}={value}" for name, value in one.items()) for one in held)


def _said(options: Mapping[str, Any]) -> dict[str, Any]:
    return {field: None if value == "" else value for field, value in options.items() if value is not None}
