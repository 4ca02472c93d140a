"""The table in docs/scaling.md: what so many webhooks a day need, from the unit costs of the end-to-end part."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.harness import short

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
BEGIN = "<!-- made by `make bench`; don't edit -->\n"
END = "<!-- up to here -->\n"
DAYS = (1_000_000, 100_000_000)
#: The busiest hour has so many times the average.
PEAK = 4
#: So full a core may be in that hour.
FULL = 0.6
_CORES = ("receiver", "intake", "sending", "postgres", "valkey")


def with_table(page: str, results: Mapping[str, Any]) -> str:
    """The page with its table made anew; as it is where nothing was measured yet."""
    if "end-to-end" not in results["parts"]:
        return page
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + _table(results["parts"]["end-to-end"]["found"]["units"]) + END + rest.partition(END)[2]


def write_table(results: Mapping[str, Any]) -> None:
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


def _table(units: Mapping[str, float]) -> str:
    rows = [
        ["webhooks a second, on average", *(short(day / 86400) for day in DAYS)],
        [f"in the busiest hour (× {PEAK})", *(short(_peak(day)) for day in DAYS)],
        *(
            [
                f"{name}: {short(units[f'{name} ms'])} ms of CPU a webhook, cores",
                *(short(_peak(day) * units[f"{name} ms"] / 1000 / FULL) for day in DAYS),
            ]
            for name in _CORES
        ),
        [
            f"Postgres's log: {short(units['wal bytes'] / 1024)} KiB a webhook, MiB/s",
            *(short(_peak(day) * units["wal bytes"] / 2**20) for day in DAYS),
        ],
        ["the same, GiB a day", *(short(day * units["wal bytes"] / 2**30) for day in DAYS)],
        ["requests to Meta a second, 50 events each", *(short(_peak(day) / 50) for day in DAYS)],
    ]
    lines = [f"| | {' | '.join(f'{day:,} a day' for day in DAYS)} |", f"|---{'|---:' * len(DAYS)}|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


def _peak(day: int) -> float:
    return PEAK * day / 86400
