"""Whether tracking is whole: what came in here against what Meta reports, by day and by channel, and what went wrong.

Conversations are counted, money isn't: so all accounts are taken together, whatever their currency.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import psycopg

from console.roi.ground import read_ground
from console.roi.overview import Part, gaps_of, read_part
from console.roi.periods import days_of
from console.roi.question import Asked
from shared.db import quality
from shared.db.ad_accounts import AdAccount
from shared.db.roi import Cell
from shared.db.rollups import day_parameters
from shared.domain.roi import Sums, total


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The sums have conversations only: reported by Meta, captured with a click id, captured without.

    `days` has every day of the period, `gaps` those on which Meta's count is not known of every account; `channels` is
    by id, the one with most conversations first. `as_of` is set when figures lag behind the rows.
    """

    asked: Asked
    zones: Sequence[str]
    total: Sums
    before: Sums
    days: dict[date, Sums]
    gaps: list[date]
    channels: dict[int, Sums]
    duplicates: quality.Stopped
    late: list[quality.Late]
    phoneless: quality.Phoneless
    automatic: list[quality.Overlap]
    accounts: Sequence[AdAccount] = field(default_factory=list)
    as_of: datetime | None = None

    @property
    def empty(self) -> bool:
        """Whether nobody came by an ad, and Meta reports nobody either."""
        return not (self.total.captured or self.total.conversations_reported)

    @property
    def failing(self) -> list[AdAccount]:
        """The accounts asked about whose last pull failed."""
        return [one for one in self.accounts if one.enabled and one.last_error]


def read_quality(conn: psycopg.Connection[tuple[object, ...]], asked: Asked) -> Quality:
    """The quality of a workspace's data."""
    ground = read_ground(conn, asked)
    now = [
        read_part(conn, asked, segment, asked.span, by=("day", "channel_id"), by_day=True)
        for segment in ground.segments
    ]
    before = [read_part(conn, asked, segment, asked.before) for segment in ground.segments]
    days, channels = _by_day(now), _by_channel(now)
    span = day_parameters(conn, asked.workspace, ground.zones[0], asked.span)
    which = quality.Which(
        workspace=asked.workspace,
        since=span["since"],
        until=span["until"],
        channel_ids=asked.channel_ids,
        test=asked.test,
    )
    gaps = gaps_of(conn, asked, ground)
    chosen = {account for segment in ground.segments for account in segment.account_ids}
    return Quality(
        asked=asked,
        zones=ground.zones,
        total=total(days.values()),
        before=total(_by_day(before).values()),
        # Where one account's count is not known, that of the others is no measure of all that came in.
        days={
            day: replace(sums, conversations_reported=None) if day in gaps else sums
            for day in days_of(asked.span)
            for sums in [days.get(day, Sums())]
        },
        gaps=gaps,
        channels=dict(sorted(channels.items(), key=lambda pair: -pair[1].captured)),
        duplicates=quality.duplicates_of(conn, which),
        late=quality.late_events(conn, which),
        phoneless=quality.phoneless_people(conn, which),
        automatic=quality.automatic_overlap(conn, which),
        accounts=[one for one in ground.accounts if one.id in chosen],
        as_of=min((part.as_of for part in [*now, *before] if part.as_of), default=None),
    )


def _by_day(parts: Sequence[Part]) -> dict[date | None, Sums]:
    found: dict[date | None, Sums] = defaultdict(Sums)
    for part in parts:
        for cell in part.cells:
            found[cell.day] += _conversations(cell)
        for one in part.spend:
            found[one.day] += Sums(conversations_reported=one.conversations_reported)
    return found


def _by_channel(parts: Sequence[Part]) -> dict[int, Sums]:
    found: dict[int, Sums] = defaultdict(Sums)
    for part in parts:
        for cell in part.cells:
            if cell.channel_id:
                found[cell.channel_id] += _conversations(cell)
    return {channel: sums for channel, sums in found.items() if sums.captured}


def _conversations(cell: Cell) -> Sums:
    """What a cell has of conversations that came by an ad."""
    if cell.event_name != "conversation":
        return Sums()
    return Sums(
        with_click_id=cell.events if cell.message_class == "ad" else 0,
        without_click_id=cell.events if cell.message_class == "ad_without_click_id" else 0,
    )
