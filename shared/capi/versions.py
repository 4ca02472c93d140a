"""The calendar of Graph API versions, and whether a configured version is still good.

https://developers.facebook.com/docs/graph-api/changelog/versions, as of November 2026. The Conversions API
follows the Graph calendar; insights follow the shorter one of the Marketing API. A call to an expired version
is served silently by the next one that lives, so an old version is a warning and not a refusal.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

CURRENT_VERSION = "v26.0"
WARN_BEFORE = timedelta(days=90)
VERSION_FORM = re.compile(r"v[0-9]{1,2}\.[0-9]")

ENDS: Mapping[str, date | None] = MappingProxyType(
    {
        "v18.0": date(2026, 1, 26),
        "v19.0": date(2026, 5, 21),
        "v20.0": date(2026, 9, 24),
        "v21.0": date(2027, 1, 21),
        "v22.0": date(2027, 5, 20),
        "v23.0": date(2027, 10, 8),
        "v24.0": date(2028, 2, 18),
        "v25.0": date(2028, 7, 29),
        "v26.0": None,
    }
)
"""Version to its last day; None while Meta has not announced it."""


class VersionState(StrEnum):
    """How a version stands on a day."""

    OK = "ok"
    WARN = "warn"
    EXPIRED = "expired"
    MALFORMED = "malformed"


@dataclass(frozen=True, kw_only=True)
class VersionCheck:
    """The state of a version, and a sentence for the log and the console."""

    state: VersionState
    text: str


def check_version(text: str, today: date) -> VersionCheck:
    """Judge a version such as "v26.0". Only a malformed one must keep a process from starting."""
    if not VERSION_FORM.fullmatch(text):
        return VersionCheck(
            state=VersionState.MALFORMED,
            text=f"The Graph API version must look like {CURRENT_VERSION}.",
        )
    if text not in ENDS:
        return _not_in_calendar(text)
    end = ENDS[text]
    if end is None or end - today > WARN_BEFORE:
        return VersionCheck(state=VersionState.OK, text=f"Graph API {text} is supported.")
    advice = f"Set {CURRENT_VERSION}."
    if end <= today:
        return VersionCheck(state=VersionState.EXPIRED, text=f"Graph API {text} ended on {end}. {advice}")
    return VersionCheck(state=VersionState.WARN, text=f"Graph API {text} ends on {end}. {advice}")


def _not_in_calendar(text: str) -> VersionCheck:
    """Older than the calendar is expired; newer is taken with a warning, for this release cannot know it."""
    if _number(text) < min(map(_number, ENDS)):
        return VersionCheck(state=VersionState.EXPIRED, text=f"Graph API {text} ended long ago. Set {CURRENT_VERSION}.")
    return VersionCheck(
        state=VersionState.WARN,
        text=f"Graph API {text} is not a version this release knows; it was tested with {CURRENT_VERSION}.",
    )


def _number(version: str) -> tuple[int, int]:
    major, minor = version.removeprefix("v").split(".")
    return int(major), int(minor)
