"""How close Meta says we are to its rate limits: the usage headers, read into a percentage and an advice.

https://developers.facebook.com/docs/graph-api/overview/rate-limiting. Every header holds JSON. The time to
regain access is in minutes in X-Business-Use-Case-Usage and in seconds in X-Ad-Account-Usage.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

SLOW_FROM_PERCENT = 75
STOP_FROM_PERCENT = 95
LONGEST_WAIT_SECONDS = 24 * 3600
_PERCENT_KEYS = (
    "call_count",
    "total_time",
    "total_cputime",
    "acc_id_util_pct",
    "app_id_util_pct",
)
_HEADERS = (
    "x-app-usage",
    "x-business-use-case-usage",
    "x-ad-account-usage",
    "x-fb-ads-insights-throttle",
)


class Advice(StrEnum):
    """What to do about the usage."""

    NONE = "none"
    SLOW = "slow"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The highest use of any limit in percent (None: no header), and the seconds until access returns."""

    percent: int | None = None
    regain_seconds: int | None = None

    @property
    def advice(self) -> Advice:
        """Slow from 75 %, stop from 95 % or when Meta names a time to wait."""
        if self.regain_seconds or (self.percent or 0) >= STOP_FROM_PERCENT:
            return Advice.STOP
        return Advice.SLOW if (self.percent or 0) >= SLOW_FROM_PERCENT else Advice.NONE


def read_usage(headers: Mapping[str, str]) -> Usage:
    """Read every usage header there is. Unreadable ones are passed over; it never raises."""
    lowered = {name.lower(): text for name, text in headers.items()}
    entries = [entry for name in _HEADERS for entry in _entries(lowered.get(name))]
    percents = [number for entry in entries for key in _PERCENT_KEYS if (number := _number(entry.get(key))) is not None]
    waits = [wait for entry in entries if (wait := _wait_seconds(entry))]
    return Usage(
        percent=math.ceil(max(percents)) if percents else None,
        regain_seconds=min(math.ceil(max(waits)), LONGEST_WAIT_SECONDS) if waits else None,
    )


def _entries(text: str | None) -> Iterator[Mapping[str, object]]:
    """The flat usage objects of one header: itself, or those listed under each business."""
    try:
        content = json.loads(text or "")
    except (ValueError, RecursionError):
        return
    if not isinstance(content, dict):
        return
    yield content
    for listed in content.values():
        if isinstance(listed, list):
            yield from (entry for entry in listed if isinstance(entry, dict))


def _wait_seconds(entry: Mapping[str, object]) -> float | None:
    minutes = _number(entry.get("estimated_time_to_regain_access"))
    if minutes:
        return minutes * 60
    # The account's window only holds us up once it is used up.
    if (_number(entry.get("acc_id_util_pct")) or 0) >= STOP_FROM_PERCENT:
        return _number(entry.get("reset_time_duration"))
    return None


def _number(value: object) -> float | None:
    """A number of sane size and not below zero, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 10**9 else None
