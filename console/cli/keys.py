"""`ctwa keys`: make keys for the three rings."""

import click

from shared.crypto import generate_key


@click.group()
def keys() -> None:
    """Make keys for TOKEN_KEYS, SECRET_KEYS and HASH_KEYS."""


@keys.command()
@click.option("--env", is_flag=True, help="Print a line for each of the three rings, ready for .env.")
def generate(env: bool) -> None:
    """Print a new key that fits any of the rings.

    To rotate a ring, put the new key before the old one, with a comma between: the first encrypts what is new,
    all of them read what is old.
    """
    if not env:
        click.echo(generate_key())
        return
    for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS"):
        click.echo(f"{name}={generate_key()}")
