"""The totals of a period, of the one before, and of each day: what tiles, funnel and trend show."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg

from console.roi.ground import Ground, Segment, read_ground
from console.roi.periods import days_of
from console.roi.question import Asked
from console.roi.sums import FROM_ADS, add_up, keyed, main_currency
from shared.db.roi import Cell, Question, SpendCell, days_known, look_at_days, read_cells, read_spend
from shared.db.rollups import Span
from shared.domain.roi import Sums, total


@dataclass(frozen=True, kw_only=True)
class Block:
    """The figures of one currency ('' where there is no money at all).

    `days` has every day of the period; one without known spend has `spend` None, also where an account has none yet.
    `aside` is what did not come by ads, and is in no total.
    """

    currency: str
    total: Sums
    before: Sums
    aside: Sums
    days: dict[date, Sums]
    #: Days whose spend is not known of every account.
    gaps: list[date]


@dataclass(frozen=True, kw_only=True)
class Overview:
    """One block a currency, the one with most spend first. `as_of` is set when figures lag behind the rows."""

    asked: Asked
    zones: Sequence[str]
    blocks: list[Block] = field(default_factory=list)
    as_of: datetime | None = None

    @property
    def mixed_zones(self) -> bool:
        """Whether the days of the totals are days of different zones."""
        return len(self.zones) > 1


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one segment has to say."""

    currency: str
    cells: list[Cell]
    spend: list[SpendCell]
    as_of: datetime | None


def read_overview(conn: psycopg.Connection[Any], asked: Asked) -> Overview:
    """The overview of a workspace."""
    ground = read_ground(conn, asked)
    now = [read_part(conn, asked, segment, asked.span, by=("day",), by_day=True) for segment in ground.segments]
    before = [read_part(conn, asked, segment, asked.before) for segment in ground.segments]
    gaps = gaps_of(conn, asked, ground)
    blocks = [
        _block(
            currency,
            asked.span,
            [part for part in now if part.currency == currency],
            # The period before is told in the currency of this one.
            [earlier for part, earlier in zip(now, before, strict=True) if part.currency == currency],
            gaps,
        )
        for currency in dict.fromkeys(part.currency for part in now)
    ]
    return Overview(
        asked=asked,
        zones=ground.zones,
        blocks=sorted(blocks, key=lambda block: -(block.total.spend or 0)),
        as_of=min((part.as_of for part in [*now, *before] if part.as_of), default=None),
    )


def question_of(asked: Asked, span: Span) -> Question:
    """What is to be read for these days."""
    return Question(
        workspace=asked.workspace,
        span=span,
        basis=asked.basis,
        model=asked.model,
        channel_ids=asked.channel_ids,
        placements=asked.placements,
        test=asked.test,
    )


def read_part(
    conn: psycopg.Connection[Any],
    asked: Asked,
    segment: Segment,
    span: Span,
    *,
    by: Sequence[str] = (),
    by_day: bool = False,
    by_ad: bool = False,
) -> Part:
    """The cells and the spend of a segment. Where no account says a currency, it is that of most sales."""
    question = question_of(asked, span)
    days = look_at_days(conn, question, segment.zone)
    cells = read_cells(conn, question, days, by=by, only_ads=segment.only_ads, without_ads=segment.without_ads)
    # Spend is known by ad, not by channel or placement: a part of the chats can't be set against all of it.
    whole = not (asked.channel_ids or asked.placements)
    spend = read_spend(conn, segment.account_ids, span, by_day=by_day, by_ad=by_ad) if whole else []
    return Part(currency=segment.currency or main_currency(cells), cells=cells, spend=spend, as_of=days.as_of)


def _block(currency: str, span: Span, now: Sequence[Part], before: Sequence[Part], gaps: list[date]) -> Block:
    days: dict[date, Sums] = defaultdict(lambda: Sums(currency=currency))
    aside = Sums(currency=currency)
    for part in now:
        sums = add_up(
            keyed(part.cells, lambda cell: (cell.day, cell.message_class in FROM_ADS)),
            [((one.day, True), one) for one in part.spend],
            currency=currency,
        )
        for (day, by_ad), one in sums.items():
            assert day is not None
            if by_ad:
                days[day] += one
            else:
                aside += one
    return Block(
        currency=currency,
        total=total(days.values(), currency=currency),
        before=total((_whole(part, currency) for part in before), currency=currency),
        aside=aside,
        days={day: _with_known_spend(days[day], known=day not in gaps) for day in days_of(span)},
        gaps=gaps,
    )


def _whole(part: Part, currency: str) -> Sums:
    cells = [cell for cell in part.cells if cell.message_class in FROM_ADS]
    return add_up(keyed(cells, lambda _: None), [(None, one) for one in part.spend], currency=currency).get(
        None, Sums(currency=currency)
    )


def _with_known_spend(sums: Sums, *, known: bool) -> Sums:
    """A day that was synced and has no row cost nothing; one that wasn't cost nobody knows what."""
    if not known:
        return replace(sums, spend=None)
    return sums if sums.spend is not None else replace(sums, spend=Decimal(0))


def gaps_of(conn: psycopg.Connection[Any], asked: Asked, ground: Ground) -> list[date]:
    """The days of the question whose spend is not known of every account asked about."""
    ids = [account for segment in ground.segments for account in segment.account_ids]
    known = days_known(conn, ids, asked.span) if ids else set()
    return [day for day in days_of(asked.span) if day not in known]
