"""The rows behind the figures: each conversation and conversion that counts, by the statement they are made with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from shared.db.facts import FACTS
from shared.db.roi import Question
from shared.db.rollups import day_parameters

#: The first stretch of time that is looked through; each further one is this many times as long, until a page is full.
_FIRST_STRETCH = timedelta(minutes=10)
_LONGER = 4

#: The moment at which a row counts, and its own key.
Place: TypeAlias = tuple[datetime, str]


@dataclass(frozen=True, kw_only=True)
class RowFilter:
    """Which of the rows that count in a question: these events and classes, of these ads ('': of no known one)."""

    events: Sequence[str]
    classes: Sequence[str]
    ad_ids: Sequence[str]


@dataclass(frozen=True, kw_only=True, repr=False)
class FigureRow:
    """One conversation or conversion. `moment` is when it counts, which may be that of its click."""

    moment: datetime
    key: str
    event_name: str
    message_class: str
    channel: str | None
    contact_id: int
    happened_at: datetime
    touched_at: datetime | None
    touchpoint_id: int | None
    conversion_id: UUID | None
    order_id: str | None
    ad_id: str | None
    source_app: str | None
    value: Decimal | None
    refunds: Decimal | None
    currency: str | None
    is_test: bool


_ROWS = f"""
{FACTS}, chosen as (
    select f.*, coalesce(f.conversion_id::text, f.touchpoint_id::text, f.contact_id::text) as key from facts f
    where (f.event_name = 'conversation' or (f.basis = %(basis)s and f.model = %(model)s))
      and f.event_name = any(%(events)s) and coalesce(f.class, 'none') = any(%(classes)s)
      and coalesce(f.ad_id, '') = any(%(ads)s) and (%(test)s or not f.is_test)
      and (cardinality(%(channels)s::bigint[]) = 0 or f.channel_id = any(%(channels)s))
      and (cardinality(%(placements)s::text[]) = 0 or f.placement = any(%(placements)s))
)
select x.moment, x.key, x.event_name, coalesce(x.class, 'none') as message_class, ch.name as channel,
       coalesce(k.merged_into, x.contact_id) as contact_id, coalesce(c.occurred_at, x.moment) as happened_at,
       t.occurred_at as touched_at, x.touchpoint_id, x.conversion_id, c.order_id, x.ad_id, x.placement as source_app,
       case when x.currency <> '' then x.gross end as value, case when x.currency <> '' then x.refunds end as refunds,
       nullif(x.currency, '') as currency, x.is_test
from (
    select * from chosen where %(key)s::text is null or (moment, key) < (%(moment)s, %(key)s)
    order by moment desc, key desc limit %(limit)s
) x
left join channels ch on ch.id = x.channel_id
left join contacts k on k.id = x.contact_id
left join conversions c on c.id = x.conversion_id
left join touchpoints t on t.id = x.touchpoint_id
order by x.moment desc, x.key desc
"""


def list_figure_rows(
    conn: psycopg.Connection[Any], question: Question, zone: str, which: RowFilter, *, limit: int, after: Place | None
) -> list[FigureRow]:
    """Up to `limit` rows of a question about days of this zone, newest first, after the place of one."""
    span = day_parameters(conn, question.workspace, zone, question.span)
    values = {
        **span,
        "basis": question.basis,
        "model": question.model,
        "events": list(which.events),
        "classes": list(which.classes),
        "ads": list(which.ad_ids),
        "test": question.test,
        "channels": list(question.channel_ids),
        "placements": list(question.placements),
        "moment": after and after[0],
        "key": after and after[1],
    }
    found: list[FigureRow] = []
    # Stretch by stretch from the newest, so that a page costs what it shows and not what the period holds.
    until = min(span["until"], after[0] + timedelta(microseconds=1)) if after else span["until"]
    stretch = _FIRST_STRETCH
    while which.ad_ids and len(found) < limit and until > span["since"]:
        since = max(span["since"], until - stretch)
        with conn.cursor(row_factory=class_row(FigureRow)) as cursor:
            cursor.execute(_ROWS.encode(), values | {"since": since, "until": until, "limit": limit - len(found)})
            found += cursor.fetchall()
        until, stretch = since, stretch * _LONGER
    return found
