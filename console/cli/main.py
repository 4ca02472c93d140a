"""The command `ctwa`. A command's module is loaded when the command runs, so that `ctwa parse` starts at once."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from console.errors import ConsoleError, UnavailableError
from shared.imports import import_uncollected

#: Command -> the module and attribute that hold it.
COMMANDS = {
    "up": "console.cli.stack:up",
    "down": "console.cli.stack:down",
    "demo": "console.cli.demo:demo",
    "demo-data": "console.cli.demo_data:demo_data",
    "migrate": "console.cli.migrate:migrate",
    "keys": "console.cli.keys:keys",
    "credentials": "console.cli.credentials:credentials",
    "datasets": "console.cli.datasets:datasets",
    "channels": "console.cli.channels:channels",
    "users": "console.cli.users:users",
    "api-keys": "console.cli.api_keys:api_keys",
    "accounts": "console.cli.accounts:accounts",
    "spend": "console.cli.spend:spend",
    "workspaces": "console.cli.workspaces:workspaces",
    "contacts": "console.cli.contact_changes:contacts",
    "conversions": "console.cli.conversions:conversions",
    "touchpoints": "console.cli.touchpoints:touchpoints",
    "endpoints": "console.cli.endpoints:endpoints",
    "notifications": "console.cli.endpoints:notifications",
    "apply": "console.cli.apply:apply",
    "rules": "console.cli.rules:rules",
    "send-sample": "console.cli.samples:send_sample",
    "parse": "console.cli.parse:parse",
    "status": "console.cli.status:status",
    "alerts": "console.cli.alerts:alerts",
    "doctor": "console.cli.doctor:doctor",
    "deliveries": "console.cli.deliveries:deliveries",
    "delivery": "console.cli.deliveries:delivery",
    "preview": "console.cli.preview:preview_",
    "webhooks": "console.cli.webhooks:webhooks",
    "webhook": "console.cli.webhooks:webhook",
    "reconcile": "console.cli.reconcile:reconcile",
}


class _Problem(click.ClickException):
    exit_code = 1


class _Refusal(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """A group that finds its commands in COMMANDS, and whose expected errors are sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(import_uncollected(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConsoleError as error:
            raise (_Problem if isinstance(error, UnavailableError) else _Refusal)(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the local stack to use when DATABASE_URL is not set.  [default: .local, here or above]",
)
@click.version_option(version("ctwa-attribution"), prog_name="ctwa")
def ctwa(state_dir: Path | None) -> None:
    """Click-to-WhatsApp attribution: set it up, see what became of every message, mend what went wrong.

    Settings come from the environment (see .env.example). Without DATABASE_URL, commands use the local stack
    that runs here.

    Exit codes: 0 fine, 1 a problem was found, 2 the call or the settings can't be used.
    """
    # `console.cli.context.open_session` reads the option, when a command needs a session at all.
    del state_dir


def main(args: Sequence[str] | None = None) -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character must not end the command.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    ctwa.main(args=args, prog_name="ctwa")


if __name__ == "__main__":
    main()
