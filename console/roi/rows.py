"""The rows behind a figure: what was counted for it, by the same question."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal

import psycopg

from console.roi.ads import Key, key_of_ad, key_of_spend
from console.roi.ground import Ground, Segment, read_ground
from console.roi.inside import Inside
from console.roi.overview import Part, question_of, read_part
from console.roi.question import Asked, Level
from console.roi.sums import FROM_ADS, add_up, keyed
from shared.db.figure_rows import FigureRow, Place, RowFilter, list_figure_rows
from shared.db.roi import Cell, SpendCell
from shared.db.spend import Place as SpendPlace
from shared.db.spend import SpendFact, SpendFilter, list_spend
from shared.domain.roi import Sums, total

#: A list of rows, and the events in it; spend has rows of its own.
EVENTS: Mapping[str, str | None] = MappingProxyType(
    {
        "spend": None,
        "conversations": "conversation",
        "leads": "Lead",
        "qualified": "QualifiedLead",
        "purchases": "Purchase",
    }
)
#: Figure -> the list that it is counted from; of a ratio, the one that it is named for.
ROWS_OF: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("spend", "impressions", "clicks", "ctr", "cpc", "cpm", "link_clicks", "link_ctr"), "spend"),
        **dict.fromkeys(("conversations_reported", "cost_per_reported_conversation"), "spend"),
        **dict.fromkeys(("conversations", "conversation_rate", "capture_rate"), "conversations"),
        **dict.fromkeys(("cost_per_conversation", "with_click_id", "click_id_coverage"), "conversations"),
        "without_click_id": "conversations",
        **dict.fromkeys(("leads", "lead_rate", "cpl"), "leads"),
        **dict.fromkeys(("qualified", "qualification_rate", "cpql"), "qualified"),
        **dict.fromkeys(("purchases", "purchase_rate", "qualified_purchase_rate", "cost_per_purchase"), "purchases"),
        "costed_purchases": "purchases",
        **dict.fromkeys(("revenue", "refunds", "refund_rate", "net_revenue", "aov"), "purchases"),
        **dict.fromkeys(("roas", "net_roas", "roi", "profit"), "purchases"),
    }
)
PartName = Literal["total", "with_click_id", "without_click_id", "without_leads", "not_from_ads"]
PARTS: tuple[PartName, ...] = ("total", "with_click_id", "without_click_id", "without_leads", "not_from_ads")
#: Figure -> the part of its list that it is counted from, where that isn't all of it.
PART_OF: Mapping[str, PartName] = MappingProxyType(
    {"with_click_id": "with_click_id", "without_click_id": "without_click_id"}
)
_ASIDE = ("organic", "post", "none")


@dataclass(frozen=True, kw_only=True)
class Behind:
    """Behind which figure: a list of EVENTS, and the currency (None: the main one), part, row and look inside it is of.

    `row` is (kind, id) of a row of the table of ads at `level`.
    """

    rows: str
    currency: str | None = None
    part: PartName = "total"
    level: Level = "campaign"
    row: tuple[str, str] | None = None
    inside: Inside | None = None


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """A segment, and what of its cells and spend counts."""

    segment: Segment
    currency: str
    cells: Sequence[Cell]
    spend: Sequence[SpendCell]
    as_of: datetime | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was chosen: the sums of all its rows, the zones of their days and their currency.

    `as_of` is set when the sums lag behind the rows.
    """

    sums: Sums
    zones: Sequence[str]
    currency: str
    chosen: Sequence[_Chosen]
    as_of: datetime | None = None


def find(conn: psycopg.Connection[Any], asked: Asked, behind: Behind) -> Found:
    """Adds up what is behind a figure; its rows are read from that, page by page."""
    chosen = _chosen(conn, asked, behind, read_ground(conn, asked))
    currency = chosen[0].currency if chosen else ""
    sums = [
        add_up(keyed(one.cells, lambda _: 0), [(0, cell) for cell in one.spend], currency=currency).get(0, Sums())
        for one in chosen
    ]
    zones = list(dict.fromkeys(one.segment.zone for one in chosen))
    return Found(
        sums=total(sums, currency=currency),
        zones=zones,
        currency=currency,
        chosen=chosen,
        as_of=min((one.as_of for one in chosen if one.as_of), default=None),
    )


def read_rows(
    conn: psycopg.Connection[Any], asked: Asked, behind: Behind, found: Found, *, limit: int, after: Place | None = None
) -> list[FigureRow]:
    """The newest conversations or conversions behind a figure; each currency's rows are its own."""
    event = EVENTS[behind.rows]
    assert event is not None
    pages = [
        list_figure_rows(
            conn,
            question_of(asked, asked.span),
            one.segment.zone,
            RowFilter(
                events=[event],
                classes=_classes(behind),
                ad_ids=sorted({cell.ad_id or "" for cell in one.cells if cell.event_name == event}),
            ),
            limit=limit,
            after=after,
        )
        for one in found.chosen
    ]
    merged = heapq.merge(*pages, key=lambda row: (row.moment, row.key), reverse=True)
    return list(islice(merged, limit))


def read_spend_rows(
    conn: psycopg.Connection[Any], asked: Asked, found: Found, *, limit: int, after: SpendPlace | None = None
) -> list[SpendFact]:
    """The newest rows of spend behind a figure."""
    cells = [cell for one in found.chosen for cell in one.spend]
    which = SpendFilter(
        workspace=asked.workspace,
        since=asked.span.first,
        until=asked.span.last,
        test=asked.test,
        objects=sorted({(cell.account_id, cell.level or "", cell.object_id or "") for cell in cells}),
    )
    return list_spend(conn, which, limit=limit, after=after, newest_first=True)


def _chosen(conn: psycopg.Connection[Any], asked: Asked, behind: Behind, ground: Ground) -> list[_Chosen]:
    parts = [read_part(conn, asked, segment, asked.span, by=("ad_id",), by_ad=True) for segment in ground.segments]
    currency = parts[0].currency if behind.currency is None else behind.currency
    mine = [(segment, part) for segment, part in zip(ground.segments, parts, strict=True) if part.currency == currency]
    counts = _which_keys([part for _, part in mine], behind, ground, currency)
    classes = _classes(behind)
    return [
        _Chosen(
            segment=segment,
            currency=currency,
            as_of=part.as_of,
            cells=[
                cell
                for cell in part.cells
                if cell.message_class in classes
                and counts(key_of_ad(cell.ad_id or "", behind.level, ground.ads))
                and (behind.inside is None or behind.inside.has(ground.ads.get(cell.ad_id or "")))
            ],
            spend=[
                one
                for one in part.spend
                if behind.part in ("total", "without_leads")
                and counts(key_of_spend(one, behind.level, ground.ads))
                and (behind.inside is None or behind.inside.has_spend(one, ground.ads))
            ],
        )
        for segment, part in mine
    ]


def _classes(behind: Behind) -> Sequence[str]:
    parts = {"with_click_id": ("ad",), "without_click_id": ("ad_without_click_id",), "not_from_ads": _ASIDE}
    return parts.get(behind.part, FROM_ADS)


def _which_keys(parts: Sequence[Part], behind: Behind, ground: Ground, currency: str) -> Callable[[Key], bool]:
    """Whether what stands in a row of the table counts."""
    if behind.row is not None:
        return lambda key: (key[0], key[2]) == behind.row
    if behind.part != "without_leads":
        return lambda _: True
    cells = [cell for part in parts for cell in part.cells if cell.message_class in FROM_ADS]
    sums = add_up(
        keyed(cells, lambda cell: key_of_ad(cell.ad_id or "", behind.level, ground.ads)),
        [(key_of_spend(one, behind.level, ground.ads), one) for part in parts for one in part.spend],
        currency=currency,
    )
    without = {key for key, one in sums.items() if one.leads == 0}
    return lambda key: key in without
