"""`ctwa keys`: make keys for the three rings, and seal anew under the newest."""

import click

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import print_json
from console.rotation import rotate
from shared.crypto import generate_key


@click.group()
def keys() -> None:
    """Make keys for TOKEN_KEYS, SECRET_KEYS and HASH_KEYS, and seal anew under the newest."""


@keys.command()
@click.option("--env", is_flag=True, help="Print a line for each of the three rings, ready for .env.")
def generate(env: bool) -> None:
    """Print a new key that fits any of the rings.

    To rotate a ring, put the new key before the old one, with a comma between: the first encrypts what is new,
    all of them read what is old. Restart every process, then `ctwa keys rotate`, and the old one can go.
    """
    if not env:
        click.echo(generate_key())
        return
    for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS"):
        click.echo(f"{name}={generate_key()}")


@keys.command("rotate")
@options.as_json
@session
def rotate_(session: Session, /, as_json: bool) -> None:
    """Seal everything anew under the newest key of each ring, so that old keys can be taken out.

    Before: put the new key first in its ring, and restart every process, else they go on with the old one. It works in
    small batches beside everything else; killed, it is run again and passes what is done. Hashes that nobody can make
    anew (workspaces that keep hashes only, tombstones of erased people) keep an old hash key needed: it says which.

    JSON: {resealed: {table: rows}, unopened: {table: rows}, rehashed, still_needed: {hash key's id: {identities,
    tombstones}}}. Exit code 1: some rows are sealed under a key that is not there.
    """
    rings = {"TOKEN_KEYS": session.token_ring(), "SECRET_KEYS": session.secret_ring()}
    told: dict[str, str] = {}

    def progress(what: str, seen: int, total: int) -> None:
        line = f"{what}: {seen} of {total}"
        if told.get(what) != line and not as_json:
            told[what] = line
            click.echo(line, err=True)

    result = rotate(session.database, rings, session.hash_ring(), actor=session.actor, progress=progress)
    if as_json:
        print_json(result.__dict__)
    else:
        for table, count in result.resealed.items():
            click.echo(f"{table}: {count} sealed anew")
        click.echo(f"names: {result.rehashed} hashed anew")
        for key, counts in result.still_needed.items():
            what = ", ".join(f"{count} {name}" for name, count in counts.items())
            click.echo(f"Keep hash key {key} in HASH_KEYS: {what} are found by it alone.")
        if not result.unopened and not result.still_needed:
            click.echo("Every key but the first of each ring can go, once the spool is drained.")
    if result.unopened:
        rows = ", ".join(f"{count} of {table}" for table, count in result.unopened.items())
        click.echo(f"No key opens {rows}: put the key back that sealed them, and run it again.", err=True)
        raise SystemExit(1)
