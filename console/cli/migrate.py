"""`ctwa migrate`: bring the database up to date."""

from collections.abc import Mapping
from pathlib import Path

import click

from console.cli.context import Session, session
from console.errors import InvalidError
from shared.db import migrate as migrations

#: Setting -> the role it lets log in.
_PASSWORDS = {
    "RECEIVER_DB_PASSWORD": "ctwa_receiver",
    "WORKER_DB_PASSWORD": "ctwa_worker",
    "CONSOLE_DB_PASSWORD": "ctwa_console",
}


@click.command()
@click.option("--dry-run", is_flag=True, help="Only name the migrations that would be applied.")
@session
def migrate(session: Session, dry_run: bool) -> None:
    """Bring the database up to date.

    DATABASE_URL must be the owner's for this. Gives the three roles (ctwa_receiver, ctwa_worker, ctwa_console)
    the passwords in RECEIVER_DB_PASSWORD, WORKER_DB_PASSWORD and CONSOLE_DB_PASSWORD, where set; each may also be
    read from a file named by …_FILE. Safe to run again, and from several hosts at once.
    """
    passwords = {role: password for name, role in _PASSWORDS.items() if (password := _secret(session.environ, name))}
    with session.database(check=False, seconds=600) as conn:
        if dry_run:
            names = [migration.name for migration in migrations.pending(conn)]
            click.echo("\n".join(f"would apply {name}" for name in names) or "The database is up to date.")
            return
        for name in migrations.migrate(conn):
            click.echo(f"applied {name}")
        migrations.set_role_passwords(conn, passwords)
    for role in passwords:
        click.echo(f"set the password of {role}")
    click.echo("The database is up to date.")


def _secret(environ: Mapping[str, str], name: str) -> str:
    path = environ.get(f"{name}_FILE", "").strip()
    if not path:
        return environ.get(name, "").strip()
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidError(f"{name}_FILE: cannot be read ({error.strerror})") from error
