"""`ctwa up` and `ctwa down`: the local stack."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from console.cli.render import print_fields, print_json, print_table
from console.errors import UnavailableError
from console.stack.overview import overview
from console.stack.plan import make_plan
from shared.local.detach import start_detached
from shared.local.detach import stop as stop_stack
from shared.local.process import StackError
from shared.local.stack import Stack, read_stack
from shared.local.supervisor import Supervisor

STATE_DIR = Path(".local")
_state_dir = click.option(
    "--state-dir",
    "own_state_dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the stack.  [default: .local]",
)
_PORT = click.IntRange(1, 65535)


@click.command()
@click.option("--detach", is_flag=True, help="Return once all is ready; `ctwa down` stops it.")
@_state_dir
@click.option("--receiver-port", type=_PORT, help="Port of the receiver.  [default: a free one]")
@click.option("--console-port", type=_PORT, help="Port of the web console.  [default: a free one]")
@click.option("--sandbox-port", type=_PORT, help="Port of Meta's stand-in.  [default: a free one]")
@click.option("--flower-port", type=_PORT, help="Port of Flower.  [default: a free one]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON once all is ready; progress goes to stderr.")
@click.pass_context
def up(ctx: click.Context, /, own_state_dir: Path | None, detach: bool, as_json: bool, **wanted: int | None) -> None:
    """Start the local stack: everything the product consists of, and a stand-in for Meta.

    With DATABASE_URL or REDIS_URL set, those servers are used; otherwise embedded ones are started. Demo datasets,
    and a demo channel for each provider, are added where they are missing. Ctrl-C stops it all.

    JSON: {state_dir, pid, urls, addresses, first_owner_url, flower: {user, password}, channels: [{name, provider,
    webhook_url}]}.
    """
    state_dir = _chosen(ctx, own_state_dir)
    if running := read_stack(state_dir):
        if not running.ready:
            raise UnavailableError(f"A local stack is starting on {state_dir} already (process {running.pid}).")
        click.echo(f"The local stack on {running.state_dir} runs already (process {running.pid}).", err=True)
        _show(running, as_json=as_json)
        return
    ports = {name.removesuffix("_port"): port for name, port in wanted.items()}
    try:
        plan = make_plan(state_dir, os.environ, wanted_ports=ports)
    except (StackError, OSError) as error:
        raise UnavailableError(str(error)) from error
    # Made here: within the block the stdout of now is stderr already.
    show = _shower(state_dir, as_json)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        status = _run(Supervisor(state_dir, plan), detach=detach, echo=not as_json, show=show)
    sys.exit(status)


@click.command()
@_state_dir
@click.option("--quiet", is_flag=True, help="Say nothing when no stack runs.")
@click.pass_context
def down(ctx: click.Context, own_state_dir: Path | None, quiet: bool) -> None:
    """Stop the local stack, and wait until its last process is gone. What it stored stays."""
    state_dir = _chosen(ctx, own_state_dir)
    try:
        stopped = state_dir.is_dir() and stop_stack(state_dir)
    except StackError as error:
        raise UnavailableError(str(error)) from error
    if stopped or not quiet:
        click.echo("Stopped." if stopped else f"No local stack runs on {state_dir}.")


def _chosen(ctx: click.Context, own: Path | None) -> Path:
    """The folder said after the command, before it, or the usual one."""
    return own or ctx.find_root().params.get("state_dir") or STATE_DIR


def _run(supervisor: Supervisor, *, detach: bool, echo: bool, show: Callable[[], None]) -> int:
    if not detach:
        return supervisor.run(echo=echo, when_ready=show)
    status = start_detached(supervisor)
    if status == 0:
        show()
    return status


def _shower(state_dir: Path, as_json: bool) -> Callable[[], None]:
    """What to call when all is ready. It prints to the stdout of now, wherever progress goes meanwhile."""
    stdout = sys.stdout

    def show() -> None:
        if stack := read_stack(state_dir):
            with contextlib.redirect_stdout(stdout):
                _show(stack, as_json=as_json)

    return show


def _show(stack: Stack, *, as_json: bool) -> None:
    seen = overview(stack)
    if as_json:
        print_json(seen)
        return
    metrics = {name: url for name, url in seen["urls"].items() if name.endswith(" metrics")}
    pages = {name: url for name, url in seen["urls"].items() if name not in metrics}
    flower = seen["flower"]
    click.echo("\nAddresses")
    print_fields({**seen["addresses"], **pages}, indent=2)
    click.echo(f"  (Flower asks for user {flower['user']}, password {flower['password']})")
    if seen["first_owner_url"]:
        click.echo("  (The console has no user yet. Make yourself its owner, once, within a day:")
        click.echo(f"   {seen['first_owner_url']})")
    print_fields(metrics, indent=2)
    print_fields({"logs": seen["logs"]}, indent=2)
    click.echo("\nDemo channels")
    rows = [(channel["name"], channel["provider"], channel["webhook_url"]) for channel in seen["channels"]]
    print_table(("NAME", "PROVIDER", "WEBHOOK URL"), rows, empty="none")
    _show_what_next(seen)


def _show_what_next(seen: dict[str, Any]) -> None:
    ctwa = "ctwa" if Path(seen["state_dir"]) == STATE_DIR.resolve() else f"ctwa --state-dir {seen['state_dir']}"
    name = seen["channels"][0]["name"] if seen["channels"] else "NAME"
    click.echo("\nTry next, in another terminal (the tools are in .venv/bin)")
    print_fields(
        {
            f"{ctwa} send-sample --channel {name}": "an ad click's first message, as its provider posts it",
            f"{ctwa} deliveries": "what became of it",
            f"{ctwa} delivery ID": "its whole way, with Meta's answers",
            f"{ctwa} channels list --reveal": "the webhook URLs' secrets",
            f"{ctwa} status": "whether all is well",
            f"{ctwa} down": "stop",
        },
        indent=2,
    )
    click.echo()
