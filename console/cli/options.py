"""Options that several commands share."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"(\d{1,6})(s|m|min|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Since(click.ParamType[datetime]):
    """A time: so long ago (`2h`, `30min`, `7d`), or a date or time in ISO 8601, in UTC unless it names its offset."""

    name = "since"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "AGO|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if match := _AGO.fullmatch(value.strip()):
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            self.fail("must be like 2h, 30min, 7d, 2026-11-20 or 2026-11-20T08:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
since = click.option("--since", type=Since(), help="Only what came since then, such as 2h, 7d or 2026-11-20 (UTC).")
channel = click.option("--channel", metavar="NAME", help="Only of this channel (name or URL key).")


def limit(default: int = 50) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--limit N`."""
    return click.option(
        "--limit", type=click.IntRange(1, 10_000), default=default, show_default=True, help="Print at most so many."
    )
