from datetime import UTC, datetime, timedelta

import click
import pytest
import time_machine

from console.cli.options import Since

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30min", NOW - timedelta(minutes=30)),
        ("5m", NOW - timedelta(minutes=5)),
        ("2h", NOW - timedelta(hours=2)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T08:00+02:00", datetime(2026, 11, 20, 6, tzinfo=UTC)),
        ("2026-11-20T08:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
    ],
)
def test_a_time_is_an_age_or_a_date(text: str, moment: datetime) -> None:
    with time_machine.travel(NOW, tick=False):
        assert Since().convert(text, None, None) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2", "2 h", "-2h", "2026-13-01", "99999999h"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="2h"):
        Since().convert(text, None, None)
