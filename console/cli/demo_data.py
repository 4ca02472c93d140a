"""`ctwa demo-data`: a believable business to look at."""

import sys
import time

import click
import psycopg
from rich.console import Console
from rich.progress import Progress

from console.cli import options
from console.cli.context import Session, session
from console.cli.render import print_json
from console.demo_data.fill import Filled, fill, remove, utc_now
from console.demo_data.rows import WORKSPACE
from console.errors import InvalidError
from shared.crypto import HashRing
from shared.db.pool import connect
from shared.db.rollups import add_zone, missing_zones, refresh_all


@click.command("demo-data")
@click.option("--days", type=click.IntRange(2, 730), default=60, show_default=True, help="How long the story is.")
@click.option(
    "--scale", type=click.FloatRange(0.05, 500), default=1.0, show_default=True, help="How large the budgets are."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed tells another story.")
@click.option("--again", is_flag=True, help="Replace the demo business that is there.")
@click.option("--remove", "only_remove", is_flag=True, help="Only take it out again.")
@options.as_json
@session
def demo_data(
    session: Session, /, days: int, scale: float, seed: int, again: bool, only_remove: bool, as_json: bool
) -> None:
    """Fill the workspace "demo" with a made-up business: channels, currencies, campaigns, sales, refunds, trouble.

    For a look at the console, for screenshots and for tests. All of it is marked as a test and is in no other
    workspace's figures; nothing of it is ever sent. It is written straight into the tables, so DATABASE_URL must be the
    owner's; the local stack's is found by itself.

    JSON: {workspace, chats, conversions, days, seconds}; with --remove {workspace, removed}.
    """
    began = time.monotonic()
    with connect(_owner_url(session), process="ctwa", statement_seconds=600) as conn:
        try:
            if only_remove:
                removed = remove(conn, actor=session.actor)
                _say_removed(removed, as_json=as_json)
                return
            if again:
                remove(conn, actor=session.actor)
            made = _fill(session, conn, days=days, scale=scale, seed=seed)
        except psycopg.errors.InsufficientPrivilege as error:
            raise InvalidError(
                "DATABASE_URL must be the owner's for this: rows are written as the product would."
            ) from error
        except ValueError as error:
            raise InvalidError(f"{error} --again replaces it, --remove takes it out.") from error
        # So much came at once that Postgres would plan for tables as they were before.
        conn.execute("analyze")
        conn.commit()
        for workspace, zone in missing_zones(conn):
            add_zone(conn, workspace, zone)
        refresh_all(conn)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        print_json({"workspace": WORKSPACE, **made.__dict__, "seconds": seconds})
        return
    click.echo(f"{made.chats} chats and {made.conversions} conversions over {made.days} days, in {seconds} s.")
    click.echo(f"Look at the workspace {WORKSPACE} in the console, with test rows shown.")


def _fill(
    session: Session, conn: psycopg.Connection[tuple[object, ...]], *, days: int, scale: float, seed: int
) -> Filled:
    hash_ring = HashRing(session.settings("HASH_KEYS").hash_keys)
    with Progress(console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Making up chats", total=None)
        return fill(
            conn, days=days, scale=scale, seed=seed, now=utc_now(), secret_ring=session.secret_ring(),
            hash_ring=hash_ring, actor=session.actor, progress=lambda chats: bar.update(task, completed=chats),
        )  # fmt: skip


def _owner_url(session: Session) -> str:
    """The owner's URL: the local stack's, where one runs, else DATABASE_URL."""
    settings = session.settings("DATABASE_URL", "SECRET_KEYS", "HASH_KEYS")
    return session.stack.database_url if session.stack else settings.database_url


def _say_removed(removed: bool, *, as_json: bool) -> None:
    if as_json:
        print_json({"workspace": WORKSPACE, "removed": removed})
    else:
        click.echo("The demo business is gone." if removed else "There was no demo business.")
