"""`ctwa apply`: make credentials, datasets, channels and rules be as one file says."""

from pathlib import Path

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import plain, print_json
from console.setup.document import Desired, read_document
from console.setup.plan import Change, Rings, carry_out, plan, read_present
from shared.queue import Work

_SIGNS = {"add": "+", "change": "~", "disable": "-"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@options.dry_run
@options.yes
@click.option(
    "--prune", is_flag=True, help="Disable channels and rules, and switch off datasets, that the file doesn't name."
)
@options.as_json
@session
def apply(session: Session, /, file: Path, dry_run: bool, yes: bool, prune: bool, as_json: bool) -> None:
    """Apply a declarative file, diff first.

    Makes credentials, datasets, channels and rules be as FILE (YAML or JSON) says: shows what would change, then asks.

    Run again, it says that there is nothing to change. Nothing is ever deleted, and a field that the file doesn't name
    is left as it is. Secrets stay out of the file: it names variables or files that hold them.

    \b
      credentials:
        acme: {token_env: ACME_TOKEN}          # or token_file: /run/secrets/acme
      datasets:
        acme: {meta_id: "1200000000000001", waba_id: "1000000000000001", credential: acme}
      channels:
        acme-sales: {provider: whapi, dataset: acme, currency: EUR}
        acme-cloud: {provider: meta_cloud, dataset: acme, secrets_env: {app_secret: ACME_APP_SECRET}}
      rules:
        qualified:
          when: {on: outgoing, keywords: [agendado], by: human}
          then: {event: QualifiedLead}
          enabled: true

    Other fields are the options of `ctwa datasets add` and `ctwa channels add`, with underscores.

    JSON: {changes: [{kind, name, action, fields: {field: [before, after]}}], applied}; a secret is [null, null].
    """
    desired = read_document(file, session.environ)
    rings = _rings(session, desired, prune=prune)
    with session.database() as conn:
        changes = plan(desired, read_present(conn, rings, desired), prune=prune)
    if not as_json:
        _echo(changes)
    applied = bool(changes) and not dry_run
    if applied:
        options.confirm(f"Make these {len(changes)} changes?", yes=yes)
        with session.database() as conn:
            carry_out(conn, rings, desired, changes, prune=prune, actor=session.actor)
        session.ring(Work.SENDING)
    if as_json:
        print_json({"changes": [change.__dict__ for change in changes], "applied": applied})
    elif applied:
        click.echo(f"Applied {len(changes)} changes.")
        if any(change.kind == "channel" and change.action == "add" for change in changes):
            click.echo("What to enter at the provider: ctwa channels show NAME --reveal")


def _rings(session: Session, desired: Desired, *, prune: bool) -> Rings:
    return Rings(
        tokens=session.token_ring() if desired.credentials else None,
        secrets=session.secret_ring() if desired.channels or prune else None,
    )


def _echo(changes: list[Change]) -> None:
    if not changes:
        click.echo("Nothing to change.")
    for change in changes:
        click.echo(f"{_SIGNS[change.action]} {change.kind} {change.name}")
        for field, (before, after) in change.fields.items():
            secret = field == "token" or field.startswith("secrets.")
            if secret:
                click.echo(f"    {field}: (secret)")
            else:
                click.echo(
                    f"    {field}: {plain(after) if change.action == 'add' else f'{plain(before)} -> {plain(after)}'}"
                )
