"""Graph API versions: which exist, which have ended, and which one serves a call.

Source: https://developers.facebook.com/docs/graph-api/changelog/versions (the Graph calendar, which the
Conversions API follows).
"""

import re
from dataclasses import dataclass
from datetime import date

# Version, and the last day it was served under its own name; None where Meta has announced no end.
ENDS: dict[str, date | None] = {
    "v26.0": None,
    "v25.0": date(2028, 7, 29),
    "v24.0": date(2028, 2, 18),
    "v23.0": date(2027, 10, 8),
    "v22.0": date(2027, 5, 20),
    "v21.0": date(2027, 1, 21),
    "v20.0": date(2026, 9, 24),
    "v19.0": date(2026, 5, 21),
    "v18.0": date(2026, 1, 26),
}
_OLDER = {f"v{major}.0" for major in (1, *range(4, 18))}
_OLDER |= {f"v2.{minor}" for minor in range(13)} | {f"v3.{minor}" for minor in range(4)}

WARNING_HEADER = "X-Ad-Api-Version-Warning"

_LOOKS_LIKE_A_VERSION = re.compile(r"v\d+(\.\d+)?")


@dataclass(frozen=True)
class Served:
    """The version that serves a call; `warning` is the text of `X-Ad-Api-Version-Warning`, if one is due."""

    version: str
    warning: str | None = None


def looks_like_a_version(segment: str) -> bool:
    """True for `v25.0` and `v99.0` alike: a path segment meant as a version, whether or not it exists."""
    return _LOOKS_LIKE_A_VERSION.fullmatch(segment) is not None


def serve(asked: str, today: date) -> Served | None:
    """The version that serves a call for `asked` on `today`, or None where `asked` never existed.

    An expired version is served by the oldest usable one, with a warning.
    """
    if asked not in ENDS and asked not in _OLDER:
        return None
    usable = [version for version, end in ENDS.items() if end is None or today <= end]
    if asked in usable:
        return Served(asked)
    oldest = usable[-1]
    return Served(oldest, upgrade_warning(asked, oldest))


def upgrade_warning(asked: str, served: str) -> str:
    """The header's text, as recorded from live answers."""
    return f"The call has been auto-upgraded to {served} as {asked} has been deprecated."
