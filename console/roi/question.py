"""What is asked: which days, by which clock and rule, and of what. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Literal

from console.errors import InvalidError
from shared.db.roi import Basis, Model
from shared.db.rollups import Span

Level = Literal["campaign", "ad_set", "ad", "creative"]
LEVELS: tuple[Level, ...] = ("campaign", "ad_set", "ad", "creative")
LONGEST_DAYS = 1100
#: Days outside would only overflow what is made of them, such as the period before.
EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question about a workspace. An empty sequence leaves all in; `currency` None is every currency, each apart."""

    workspace: str
    span: Span
    basis: Basis = "conversion"
    model: Model = "last"
    channel_ids: Sequence[int] = ()
    account_ids: Sequence[int] = ()
    placements: Sequence[str] = ()
    currency: str | None = None
    test: bool = False

    @property
    def before(self) -> Span:
        """As many days right before."""
        days = (self.span.last - self.span.first).days + 1
        return Span(first=self.span.first - timedelta(days=days), last=self.span.first - timedelta(days=1))


def _last(days: int) -> Callable[[date], Span]:
    """So many whole days up to yesterday, as Ads Manager counts them."""
    return lambda today: Span(first=today - timedelta(days=days), last=today - timedelta(days=1))


def _last_month(today: date) -> Span:
    last = today.replace(day=1) - timedelta(days=1)
    return Span(first=last.replace(day=1), last=last)


#: The preset that is used when nothing is said.
USUAL = "28d"
PRESETS: Mapping[str, Callable[[date], Span]] = MappingProxyType(
    {
        "today": lambda today: Span(first=today, last=today),
        "yesterday": _last(1),
        "7d": _last(7),
        "14d": _last(14),
        "28d": _last(28),
        "30d": _last(30),
        "90d": _last(90),
        "this_month": lambda today: Span(first=today.replace(day=1), last=today),
        "last_month": _last_month,
    }
)


def span_of(today: date, *, preset: str | None = None, since: date | None = None, until: date | None = None) -> Span:
    """The days of a preset, or from `since` to `until`, both included. `today` is today in the zone asked about.

    Raises InvalidError for an unknown preset, days in the wrong order, and more or other days than anybody can look at.
    """
    if since is None and until is None:
        if (preset or USUAL) not in PRESETS:
            raise InvalidError(f"There is no period '{preset}'. There are: {', '.join(PRESETS)}, or two dates.")
        return PRESETS[preset or USUAL](today)
    if not all(EARLIEST <= day <= LATEST for day in (since, until) if day):
        raise InvalidError(f"The period is not within the years {EARLIEST.year} to {LATEST.year}.")
    first = since or (until or today) - timedelta(days=27)
    last = until or today
    if first > last:
        raise InvalidError(f"The period ends ({last.isoformat()}) before it begins ({first.isoformat()}).")
    if (last - first).days >= LONGEST_DAYS:
        raise InvalidError(f"The period has {(last - first).days + 1} days; {LONGEST_DAYS} are the most.")
    return Span(first=first, last=last)
