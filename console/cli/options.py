"""Options that several commands share."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from click.core import ParameterSource

from console.errors import InvalidError
from shared.domain.deliveries import State

_AGO = re.compile(r"(\d{1,6})(s|m|min|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Duration(click.ParamType[timedelta]):
    """A length of time: `30min`, `2h`, `7d`."""

    name = "duration"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        duration = _duration(value)
        if not duration:
            self.fail("must be like 30min, 2h or 7d", param, ctx)
        return duration


class Since(click.ParamType[datetime]):
    """A time: so long ago (`2h`, `30min`, `7d`), or a date or time in ISO 8601, in UTC unless it names its offset."""

    name = "since"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "AGO|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if ago := _duration(value):
            return datetime.now(UTC) - ago
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            self.fail("must be like 2h, 30min, 7d, 2026-11-20 or 2026-11-20T08:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _duration(text: str) -> timedelta | None:
    match = _AGO.fullmatch(text.strip())
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
since = click.option("--since", type=Since(), help="Only what came since then, such as 2h, 7d or 2026-11-20 (UTC).")
until = click.option("--until", type=Since(), help="Only what came before then, in the same forms.")
channel = click.option("--channel", metavar="NAME", help="Only of this channel (name or URL key).")


status = click.option(
    "--status",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in State]),
    help="Only in this state; may be given again.",
)
reason = click.option("--reason", metavar="CODE", help="Only for this reason, such as no_click_id.")
dataset = click.option("--dataset", metavar="NAME", help="Only to this dataset.")
yes = click.option("--yes", is_flag=True, help="Don't ask.")
dry_run = click.option("--dry-run", is_flag=True, help="Only say what would happen.")


def limit(default: int = 50, *, verb: str = "Print") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--limit N`."""
    return click.option(
        "--limit", type=click.IntRange(1, 10_000), default=default, show_default=True, help=f"{verb} at most so many."
    )


def went_to_subcommand(ctx: click.Context) -> bool:
    """Whether a subcommand does the work. Options before its name would be lost, so they are refused."""
    if ctx.invoked_subcommand is None:
        return False
    lost = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if lost:
        raise click.UsageError(f"Put the options after {ctx.invoked_subcommand}, which has its own.", ctx)
    return True


def confirm(question: str, *, yes: bool) -> None:
    """Goes on when a person says yes, or said `--yes`. Raises InvalidError when nobody is there to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidError("Nobody is here to ask: say --yes to do it, or --dry-run to look.")
    click.confirm(question, abort=True, err=True)
