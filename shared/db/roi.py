"""What the figures of the console are made of: conversations and conversions of some days, added up as asked.

Clean days come from `roi_daily`, touched ones are added up on the spot. Only where that would take too long are the
kept sums of touched days used, and then `Days.as_of` says how old they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

from shared.db.rollups import DAYS, Span, day_parameters, spans, touched_days

#: Touched days with more events than this are not added up while somebody waits for the page.
MOST_EVENTS_AT_ONCE = 20_000

#: A conversion counts by two days and two clicks.
_EVENTS_OF_EACH = 4

#: Medians are of so many clicks of each channel, the newest: more take seconds, and tell nothing new.
MOST_CLICKS = 5_000

Basis = Literal["click", "conversion"]
Model = Literal["last", "first"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which conversations and conversions of a workspace. An empty sequence leaves all in."""

    workspace: str
    span: Span
    basis: Basis = "conversion"
    model: Model = "last"
    channel_ids: Sequence[int] = ()
    placements: Sequence[str] = ()
    test: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The events of one name, by whatever was asked for; the parts that were not are None.

    `events` of the name `conversation` are people who wrote. `cost` counts a channel's margin where the conversion has
    no cost of its own; `costed` is how many events have either.
    """

    day: date | None
    channel_id: int | None
    ad_id: str | None
    message_class: str
    event_name: str
    currency: str
    events: int
    gross: Decimal
    refunds: Decimal
    cost: Decimal
    costed: int


@dataclass(frozen=True, kw_only=True)
class Days:
    """How the days of a question can be had: `touched` ones are added up afresh. `as_of` is set where they can't be."""

    zone: str
    touched: list[date] = field(default_factory=list)
    as_of: datetime | None = None


_PARTS = ("day", "channel_id", "ad_id")


def look_at_days(conn: psycopg.Connection[Any], question: Question, zone: str) -> Days:
    """Which days of the question have to be added up afresh in this zone, if that can be done while one waits."""
    touched = touched_days(conn, question.workspace, zone, question.span)
    # What is kept of days that never were added up, of a new zone, says nothing of how much there is.
    row = conn.execute(
        """
        select z.refreshed_at,
               (select coalesce(sum(events), 0) from roi_daily d
                where d.workspace = z.workspace and d.zone = z.zone and d.day = any(%(days)s)),
               (select count(*) from (
                    select from unnest(%(days)s::date[]) t (day)
                    join conversions c on c.workspace = z.workspace
                         and c.occurred_at >= t.day::timestamp at time zone %(zone)s
                         and c.occurred_at < (t.day + 1)::timestamp at time zone %(zone)s
                    limit %(most)s) c)
        from roi_zones z where z.workspace = %(workspace)s and z.zone = %(zone)s
        """,
        {"days": touched, "workspace": question.workspace, "zone": zone, "most": max(0, MOST_EVENTS_AT_ONCE) + 1},
    ).fetchone()
    if row is not None and max(row[1], _EVENTS_OF_EACH * row[2]) > MOST_EVENTS_AT_ONCE:
        return Days(zone=zone, as_of=row[0])
    return Days(zone=zone, touched=touched)


def read_cells(
    conn: psycopg.Connection[Any],
    question: Question,
    days: Days,
    *,
    by: Sequence[str],
    only_ads: Sequence[str] | None = None,
    without_ads: Sequence[str] = (),
) -> list[Cell]:
    """The cells by some of `day`, `channel_id` and `ad_id`, of these ads only, or of all but some."""
    parts = [part if part in by else None for part in _PARTS]
    columns = ", ".join(f"x.{part}" if part else "null" for part in parts)
    groups = "".join(f", x.{part}" for part in parts if part)
    live, parameters = _live(conn, question, days)
    query = f"""
        with x as (
            select day, basis, model, channel_id, ad_id, class, placement, event_name, currency, is_test, events, gross,
                   refunds, cost, costed, uncosted
            from roi_daily
            where workspace = %(workspace)s and zone = %(zone)s and day between %(first)s and %(last)s
              and day <> all(%(touched)s)
            {live}
        )
        select {columns}, x.class, x.event_name, x.currency, sum(x.events)::bigint, sum(x.gross), sum(x.refunds),
               sum(x.cost + case when c.margin_percent is null then 0
                                 else x.uncosted * (100 - c.margin_percent) / 100 end),
               sum(case when c.margin_percent is null then x.costed else x.events end)::bigint
        from x left join channels c on c.id = x.channel_id
        where (x.event_name = 'conversation' or (x.basis = %(basis)s and x.model = %(model)s))
          and (cardinality(%(channels)s::bigint[]) = 0 or x.channel_id = any(%(channels)s))
          and (cardinality(%(placements)s::text[]) = 0 or x.placement = any(%(placements)s))
          and (%(test)s or not x.is_test)
          and (%(only)s::text[] is null or x.ad_id = any(%(only)s)) and x.ad_id <> all(%(without)s)
        group by x.class, x.event_name, x.currency{groups}
    """
    parameters |= {
        "workspace": question.workspace,
        "zone": days.zone,
        "first": question.span.first,
        "last": question.span.last,
        "touched": days.touched,
        "basis": question.basis,
        "model": question.model,
        "channels": list(question.channel_ids),
        "placements": list(question.placements),
        "test": question.test,
        "only": None if only_ads is None else list(only_ads),
        "without": list(without_ads),
    }
    return [Cell(**dict(zip(_CELL, row, strict=True))) for row in conn.execute(query, parameters).fetchall()]


_CELL = tuple(Cell.__dataclass_fields__)


def _live(conn: psycopg.Connection[Any], question: Question, days: Days) -> tuple[str, dict[str, Any]]:
    """Touched days added up afresh, as further branches of the union, with their parameters."""
    sql, parameters = "", {}
    for number, span in enumerate(spans(days.touched)):
        values = day_parameters(conn, question.workspace, days.zone, span)
        statement = DAYS
        for name in ("since", "until"):
            statement = statement.replace(f"%({name})s", f"%({name}{number})s")
            parameters[f"{name}{number}"] = values[name]
        sql += f"""
            union all
            select day, basis, model, channel_id, ad_id, class, placement, event_name, currency, is_test, events, gross,
                   refunds, cost, costed, uncosted
            from ({statement}) live{number}
        """
    return sql, parameters


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """Median seconds from a click to what followed, and of how many; None of none. `name` is the group's, None: all."""

    name: str | None
    reply_seconds: float | None
    replies: int
    qualify_seconds: float | None
    qualified: int
    purchase_seconds: float | None
    purchases: int


_SPEEDS = """
with clicks as materialized (
    select t.id, coalesce(g.name, t.ad_id, '') as name, t.occurred_at, t.first_reply_at
    from channels c
    cross join lateral (
        select * from touchpoints t
        where t.channel_id = c.id and t.class <> 'post' and t.occurred_at >= %(since)s and t.occurred_at < %(until)s
          and (%(test)s or not t.is_test)
        order by t.occurred_at desc limit %(most)s
    ) t
    left join unnest(%(ads)s::text[], %(names)s::text[]) g (ad_id, name) on g.ad_id = t.ad_id
    where c.workspace = %(workspace)s
      and (cardinality(%(channels)s::bigint[]) = 0 or c.id = any(%(channels)s))
), spans as (
    select name, 'reply' as what, first_reply_at - occurred_at as took from clicks where first_reply_at is not null
    union all
    select k.name, case c.event_name when 'Purchase' then 'purchase' else 'qualify' end, c.occurred_at - k.occurred_at
    from clicks k join conversions c on c.touchpoint_id = k.id
    where c.event_name in ('Purchase', 'QualifiedLead') and c.source <> 'meta_automatic'
)
select case when grouping(name) = 0 then name end as name,
       extract(epoch from percentile_cont(0.5) within group (order by took) filter (where what = 'reply'))::float8
           as reply_seconds, count(*) filter (where what = 'reply') as replies,
       extract(epoch from percentile_cont(0.5) within group (order by took) filter (where what = 'qualify'))::float8
           as qualify_seconds, count(*) filter (where what = 'qualify') as qualified,
       extract(epoch from percentile_cont(0.5) within group (order by took) filter (where what = 'purchase'))::float8
           as purchase_seconds, count(*) filter (where what = 'purchase') as purchases
from spans group by grouping sets ((name), ())
"""


def read_speeds(
    conn: psycopg.Connection[Any], question: Question, zone: str, groups: Mapping[str, str] | None = None
) -> list[Speeds]:
    """The medians for each group, and for all together, of the newest clicks of the question.

    `groups` names the group of an ad; any other ad is one by itself, and '' is where no ad is known.
    """
    with conn.cursor(row_factory=class_row(Speeds)) as cursor:
        cursor.execute(
            _SPEEDS,
            {
                **day_parameters(conn, question.workspace, zone, question.span),
                "channels": list(question.channel_ids),
                "test": question.test,
                "most": MOST_CLICKS,
                "ads": list(groups or {}),
                "names": list((groups or {}).values()),
            },
        )
        return cursor.fetchall()


@dataclass(frozen=True, kw_only=True)
class SpendCell:
    """What was spent, in the account's currency, and what Meta reports of it; None is unknown.

    `object_id` is the id of the ad, or of what the account's spend is known for, at `level`. Reach isn't here: it can't
    be added up.
    """

    day: date | None
    account_id: int
    level: str | None
    object_id: str | None
    currency: str
    spend: Decimal
    impressions: int | None
    clicks: int | None
    link_clicks: int | None
    conversations_reported: int | None


def read_spend(
    conn: psycopg.Connection[Any], account_ids: Sequence[int], span: Span, *, by_day: bool = False, by_ad: bool = False
) -> list[SpendCell]:
    """The spend of these accounts, added up over days unless `by_day`, and over what it was spent on unless `by_ad`.

    The days are those of each account's own zone.
    """
    day = "s.day" if by_day else "null::date"
    what = "s.level as level, s.object_id as object_id" if by_ad else "null as level, null as object_id"
    groups = "".join([", s.day" if by_day else "", ", s.level, s.object_id" if by_ad else ""])
    with conn.cursor(row_factory=class_row(SpendCell)) as cursor:
        cursor.execute(
            f"""
            select {day} as day, s.account_id, {what},
                   s.currency, sum(s.spend) as spend, sum(s.impressions)::bigint as impressions,
                   sum(s.clicks)::bigint as clicks, sum(s.link_clicks)::bigint as link_clicks,
                   sum(s.conversations_started)::bigint as conversations_reported
            from ad_spend_daily s
            where s.account_id = any(%s) and s.day between %s and %s
            group by s.account_id, s.currency{groups}
            """,
            [list(account_ids), span.first, span.last],
        )
        return cursor.fetchall()


def days_known(conn: psycopg.Connection[Any], account_ids: Sequence[int], span: Span) -> set[date]:
    """The days whose spend is known of all these accounts; on any other, no spend means nothing."""
    rows = conn.execute(
        """
        select day from ad_account_days
        where account_id = any(%s) and day between %s and %s and synced_at is not null
        group by day having count(*) = %s
        """,
        [list(account_ids), span.first, span.last, len(account_ids)],
    ).fetchall()
    return {day for (day,) in rows}
