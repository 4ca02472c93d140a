"""The `roi_daily` table: conversations and conversions by day, ad and event, added up ahead of their readers.

What touches a day notes it in `roi_changes`, by triggers, in its own transaction. New rows are added to their days; a
day that something else touched is added up again whole. Readers take clean days from the table and add touched ones up
afresh, with the same statement, so that a figure is always what the rows say.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg

_LOCK = 7_226_292_003

#: When a message was written, as `shared.domain.attribution.message_time` says.
_WRITTEN = "least(coalesce({m}.sent_at, {m}.received_at), {m}.received_at)"

#: The contact and everybody who is the same person; `who` is any of them.
_SAME_PERSON = """
    select g.id from contacts g where g.id = (select coalesce(merged_into, id) from contacts where id = {who})
    union all
    select g.id from contacts g where g.merged_into = (select coalesce(merged_into, id) from contacts where id = {who})
"""

_FIRST_TOUCH = f"""
    select f.touchpoint_id, t.occurred_at from first_touches f join touchpoints t on t.id = f.touchpoint_id
    where f.contact_id in ({_SAME_PERSON.format(who="{contact}")})
    order by t.occurred_at, t.id limit 1
"""

#: What a conversion is worth is what `shared.domain.revenue` says: its last amendment, else its value; a refund of no
#: amount gives everything back, and no more than everything can be given back.
_WORTH = """
worth as not materialized (
    select c.id, c.contact_id, c.touchpoint_id, c.occurred_at, coalesce(c.channel_id, 0) as channel_id,
           case when c.source = 'meta_automatic' then 'meta:' else '' end || c.event_name as event_name,
           coalesce(c.currency, a.currency, '') as currency, c.is_test, c.cost, coalesce(a.value, c.value, 0) as gross,
           case when r.everything then coalesce(a.value, c.value, 0)
                else least(coalesce(a.value, c.value, 0), coalesce(r.amount, 0)) end as refunds
    from conversions c
    left join lateral (
        select x.value, x.currency from conversion_changes x
        where x.conversion_id = c.id and x.kind in ('value', 'amendment') and x.value is not null
          and (c.currency is null or x.currency = c.currency)
        order by x.occurred_at desc, x.id desc limit 1
    ) a on true
    left join lateral (
        select bool_or(x.value is null) as everything,
               sum(x.value) filter (where x.currency = coalesce(c.currency, a.currency)) as amount
        from conversion_changes x where x.conversion_id = c.id and x.kind in ('refund', 'cancellation')
    ) r on true
    where c.workspace = %(workspace)s
)"""

#: One row of `facts` for each thing that counts somewhere from `since` to `until`, with the moment it counts at and
#: whose it is.
FACTS = f"""
with {_WORTH}, clicks as not materialized (
    select t.id, t.contact_id, t.channel_id, t.ad_id, t.class, t.source_app, t.occurred_at, t.is_test
    from touchpoints t
    where t.channel_id in (select id from channels where workspace = %(workspace)s)
      and t.occurred_at >= %(since)s and t.occurred_at < %(until)s
), facts as (
    select t.occurred_at as moment, 'click' as basis, 'last' as model, t.channel_id, t.ad_id, t.class,
           t.source_app as placement, 'conversation' as event_name, '' as currency, t.is_test, 0 as gross,
           0 as refunds, null::numeric as cost, t.contact_id, t.id as touchpoint_id, null::uuid as conversion_id
    from clicks t
  union all
    select {_WRITTEN.format(m="m")}, 'click', 'last', m.channel_id, null, 'organic', null, 'conversation', '',
           m.is_test, 0, 0, null, m.contact_id, null, null
    from messages m
    where m.channel_id in (select id from channels where workspace = %(workspace)s) and m.direction = 'in'
      and {_WRITTEN.format(m="m")} >= %(since)s and {_WRITTEN.format(m="m")} < %(until)s and m.class = 'organic'
      and not exists (select from messages e where e.contact_id = m.contact_id and e.direction = 'in'
                      and ({_WRITTEN.format(m="e")}, e.id) < ({_WRITTEN.format(m="m")}, m.id))
  union all
    select c.occurred_at, 'conversion', 'last', c.channel_id, t.ad_id, t.class, t.source_app, c.event_name, c.currency,
           c.is_test, c.gross, c.refunds, c.cost, c.contact_id, t.id, c.id
    from worth c left join touchpoints t on t.id = c.touchpoint_id
    where c.occurred_at >= %(since)s and c.occurred_at < %(until)s
  union all
    select c.occurred_at, 'conversion', 'first', c.channel_id, t.ad_id, t.class, t.source_app, c.event_name,
           c.currency, c.is_test, c.gross, c.refunds, c.cost, c.contact_id, t.id, c.id
    from worth c
    left join lateral ({_FIRST_TOUCH.format(contact="c.contact_id")}) f on c.touchpoint_id is not null
    left join touchpoints t on t.id = coalesce(f.touchpoint_id, c.touchpoint_id)
    where c.occurred_at >= %(since)s and c.occurred_at < %(until)s
  union all
    select t.occurred_at, 'click', 'last', c.channel_id, t.ad_id, t.class, t.source_app, c.event_name, c.currency,
           c.is_test, c.gross, c.refunds, c.cost, c.contact_id, t.id, c.id
    from clicks t join worth c on c.touchpoint_id = t.id
  union all
    select t.occurred_at, 'click', 'first', c.channel_id, t.ad_id, t.class, t.source_app, c.event_name, c.currency,
           c.is_test, c.gross, c.refunds, c.cost, c.contact_id, t.id, c.id
    from clicks t
    cross join lateral ({_SAME_PERSON.format(who="t.contact_id")}) g
    join worth c on c.contact_id = g.id and c.touchpoint_id is not null
    left join lateral ({_FIRST_TOUCH.format(contact="c.contact_id")}) f on true
    where coalesce(f.touchpoint_id, c.touchpoint_id) = t.id
  union all
    -- Without a click there is no click's day: such conversions count on their own, so that totals are whole.
    select c.occurred_at, 'click', m.model, c.channel_id, null, null, null, c.event_name, c.currency, c.is_test,
           c.gross, c.refunds, c.cost, c.contact_id, null, c.id
    from worth c cross join (values ('last'), ('first')) m (model)
    where c.occurred_at >= %(since)s and c.occurred_at < %(until)s and c.touchpoint_id is null
)
"""

#: The same facts of single rows, of these clicks, messages and conversions: so cheap that each new row can be added.
_NEW_FACTS = f"""
with {_WORTH}, facts as (
    select t.occurred_at as moment, 'click' as basis, 'last' as model, t.channel_id, t.ad_id, t.class,
           t.source_app as placement, 'conversation' as event_name, '' as currency, t.is_test, 0 as gross,
           0 as refunds, null::numeric as cost
    from touchpoints t where t.id = any(%(clicks)s)
  union all
    select {_WRITTEN.format(m="m")}, 'click', 'last', m.channel_id, null, 'organic', null, 'conversation', '',
           m.is_test, 0, 0, null
    from messages m
    where m.id = any(%(messages)s) and m.direction = 'in' and m.class = 'organic'
      and not exists (select from messages e where e.contact_id = m.contact_id and e.direction = 'in'
                      and ({_WRITTEN.format(m="e")}, e.id) < ({_WRITTEN.format(m="m")}, m.id))
  union all
    select x.moment, x.basis, x.model, c.channel_id, x.ad_id, x.class, x.placement, c.event_name, c.currency,
           c.is_test, c.gross, c.refunds, c.cost
    from worth c
    left join touchpoints l on l.id = c.touchpoint_id
    left join lateral ({_FIRST_TOUCH.format(contact="c.contact_id")}) f on c.touchpoint_id is not null
    left join touchpoints t on t.id = coalesce(f.touchpoint_id, c.touchpoint_id)
    cross join lateral (
        values (c.occurred_at, 'conversion', 'last', l.ad_id, l.class, l.source_app),
               (c.occurred_at, 'conversion', 'first', t.ad_id, t.class, t.source_app),
               (coalesce(l.occurred_at, c.occurred_at), 'click', 'last', l.ad_id, l.class, l.source_app),
               (coalesce(t.occurred_at, c.occurred_at), 'click', 'first', t.ad_id, t.class, t.source_app)
    ) x (moment, basis, model, ad_id, class, placement)
    where c.id = any(%(conversions)s)
)
"""

_BY_DAY = """
select %(workspace)s::text as workspace, %(zone)s::text as zone, (moment at time zone %(zone)s)::date as day, basis,
       model, channel_id, coalesce(ad_id, '') as ad_id, coalesce(class, 'none') as class,
       coalesce(placement, '') as placement, event_name, currency, is_test, count(*) as events, sum(gross) as gross,
       sum(refunds) as refunds, coalesce(sum(cost), 0) as cost, count(cost) as costed,
       coalesce(sum(gross - refunds) filter (where cost is null), 0) as uncosted
from facts
group by 3, basis, model, channel_id, coalesce(ad_id, ''), coalesce(class, 'none'), coalesce(placement, ''),
         event_name, currency, is_test
"""

#: The facts of whole days of a zone, one row for each combination of what can be asked for.
DAYS = f"""
{FACTS}
{_BY_DAY}
"""

_ADD_NEW = f"""
insert into roi_daily as d
{_NEW_FACTS}
{_BY_DAY}
on conflict (workspace, zone, day, basis, model, channel_id, ad_id, class, placement, event_name, currency, is_test)
do update set events = d.events + excluded.events, gross = d.gross + excluded.gross,
              refunds = d.refunds + excluded.refunds, cost = d.cost + excluded.cost,
              costed = d.costed + excluded.costed, uncosted = d.uncosted + excluded.uncosted
"""

#: The moments that changes touch: their own, and those of the clicks that their conversion counts for.
_MOMENTS = f"""
select m.moment from changes n
left join conversions c on c.id = n.conversion_id
left join lateral (select t.occurred_at from touchpoints t where t.id in (c.touchpoint_id, n.touchpoint_id)) t on true
left join lateral ({_FIRST_TOUCH.format(contact="c.contact_id")}) f on true
cross join lateral (values (n.moment), (t.occurred_at), (f.occurred_at)) m (moment)
"""
# A message notes the hour only, and an hour can lie in two days where a zone is off by half an hour.
_DAYS_TOUCHED = f"""
select distinct day from ({_MOMENTS}) m
cross join lateral (values ((moment at time zone %(zone)s)::date),
                           (((moment + interval '59 minutes') at time zone %(zone)s)::date)) d (day)
where moment is not null and day between %(first)s and %(last)s order by day
"""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Whole days of a zone, both included."""

    first: date
    last: date


@dataclass(frozen=True)
class Refreshed:
    """What one step of the refresh did; `more`: there is more to do."""

    days: int
    more: bool


def touched_days(conn: psycopg.Connection[Any], workspace: str, zone: str, span: Span) -> list[date]:
    """The days in `span` that have to be added up afresh; all of them in a zone that never was added up."""
    if conn.execute("select from roi_zones where workspace = %s and zone = %s", [workspace, zone]).fetchone() is None:
        return [span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1)]
    rows = conn.execute(
        f"with changes as (select * from roi_changes where workspace = %(workspace)s) {_DAYS_TOUCHED}",
        {"workspace": workspace, "zone": zone, "first": span.first, "last": span.last},
    ).fetchall()
    return [day for (day,) in rows]


def missing_zones(conn: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Workspaces and zones whose days somebody may ask for, and that are not added up yet."""
    return conn.execute(
        "(select workspace, zone from channels union select workspace, zone from ad_accounts)"
        " except select workspace, zone from roi_zones order by 1, 2"
    ).fetchall()


def add_zone(conn: psycopg.Connection[Any], workspace: str, zone: str) -> None:
    """Starts to add up days of this zone: every day with something in it counts as touched."""
    if conn.execute(
        "insert into roi_zones (workspace, zone) values (%s, %s) on conflict do nothing", [workspace, zone]
    ).rowcount:
        conn.execute(
            """
            insert into roi_changes (workspace, moment)
            select distinct %(it)s, date_trunc('hour', occurred_at, 'UTC') from conversions where workspace = %(it)s
            union
            select distinct %(it)s, date_trunc('hour', t.occurred_at, 'UTC')
            from touchpoints t join channels ch on ch.id = t.channel_id where ch.workspace = %(it)s
            union
            select distinct %(it)s, date_trunc('hour', least(coalesce(m.sent_at, m.received_at), m.received_at), 'UTC')
            from messages m join channels ch on ch.id = m.channel_id
            where ch.workspace = %(it)s and m.direction = 'in' and m.class = 'organic'
            """,
            {"it": workspace},
        )


def refresh(
    conn: psycopg.Connection[Any], *, again: bool = True, most_new: int = 5000, most_changes: int = 5000
) -> Refreshed:
    """One step: adds what is new of one workspace to its days, in all its zones, and adds up `again` the days that its
    newest other changes touched. `more` leaves those out where `again` does.

    Has to come first in its transaction, which the caller commits. It sees rows and notes as of one moment: what is
    being written meanwhile notes its change when it commits, and is seen by the next step.
    """
    conn.execute("set transaction isolation level repeatable read")
    # Two at once would count what is new twice.
    if conn.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone() != (True,):
        return Refreshed(0, False)
    row = conn.execute(
        "(select workspace from roi_changes where fresh order by id limit 1) union all"
        " (select workspace from roi_changes where not fresh and %s order by id limit 1) limit 1",
        [again],
    ).fetchone()
    if row is None:
        return Refreshed(0, False)
    workspace: str = row[0]
    zones = [
        zone for (zone,) in conn.execute("select zone from roi_zones where workspace = %s", [workspace]).fetchall()
    ]
    days = 0
    # Days are added up whole from rows, also from new ones: these must all have been added, or would count twice.
    if _add_new(conn, workspace, zones, most_new) and again:
        days = _add_touched(conn, workspace, zones, most_changes)
    conn.execute(
        "update roi_zones set refreshed_at = now() where workspace = %(it)s"
        " and not exists (select from roi_changes where workspace = %(it)s)",
        {"it": workspace},
    )
    more = conn.execute("select exists (select from roi_changes where fresh or %s)", [again]).fetchone() == (True,)
    return Refreshed(days, more)


def refresh_all(conn: psycopg.Connection[Any]) -> None:
    """Refreshes until nothing is left to do; commits before, and after each step."""
    conn.commit()
    more = True
    while more:
        with conn.transaction():
            more = refresh(conn).more


def _add_new(conn: psycopg.Connection[Any], workspace: str, zones: Sequence[str], most: int) -> bool:
    """Adds new rows to their days, the oldest first; whether these were all."""
    notes = conn.execute(
        "select id, conversion_id, touchpoint_id, message_id from roi_changes where workspace = %s and fresh"
        " order by id limit %s",
        [workspace, most + 1],
    ).fetchall()
    taken = notes[:most]
    values = {
        "workspace": workspace,
        "conversions": [note[1] for note in taken if note[1] is not None],
        "clicks": [note[2] for note in taken if note[2] is not None],
        "messages": [note[3] for note in taken if note[3] is not None],
    }
    if taken:
        for zone in zones:
            conn.execute(_ADD_NEW, values | {"zone": zone})
        conn.execute("delete from roi_changes where id = any(%s)", [[note[0] for note in taken]])
    return len(notes) <= most


def _add_touched(conn: psycopg.Connection[Any], workspace: str, zones: Sequence[str], most: int) -> int:
    """Adds up again the days that the newest changes touched; how many, each zone's by itself."""
    ids = _newest_changes(conn, workspace, most)
    if not ids:
        return 0
    # Cut off after the usual ten seconds, a day with much in it would be begun again and again.
    conn.execute("set local statement_timeout = '100s'")
    days = 0
    for zone in zones:
        touched = _days_touched_by(conn, ids, zone)
        _add_up(conn, workspace, zone, touched)
        days += len(touched)
    conn.execute("delete from roi_changes where id = any(%s)", [ids])
    return days


def _newest_changes(conn: psycopg.Connection[Any], workspace: str, most: int) -> list[int]:
    """The newest changes first, for those are looked at; few days at once, so that no step takes long."""
    rows = conn.execute(
        """
        select id from roi_changes
        where workspace = %(it)s and not fresh
          and moment > (select max(moment) from roi_changes where workspace = %(it)s and not fresh)
                       - interval '36 hours'
        order by moment desc limit %(most)s
        """,
        {"it": workspace, "most": most},
    ).fetchall()
    return [change_id for (change_id,) in rows]


def _days_touched_by(conn: psycopg.Connection[Any], ids: Sequence[int], zone: str) -> list[date]:
    rows = conn.execute(
        f"with changes as (select * from roi_changes where id = any(%(ids)s)) {_DAYS_TOUCHED}",
        {"ids": list(ids), "zone": zone, "first": date.min, "last": date.max},
    ).fetchall()
    return [day for (day,) in rows]


def _add_up(conn: psycopg.Connection[Any], workspace: str, zone: str, days: Sequence[date]) -> None:
    conn.execute(
        "delete from roi_daily where workspace = %s and zone = %s and day = any(%s)", [workspace, zone, list(days)]
    )
    for span in spans(days):
        conn.execute(f"insert into roi_daily {DAYS}", day_parameters(conn, workspace, zone, span))


def spans(days: Iterable[date]) -> Iterator[Span]:
    """Days as runs without a gap, in order."""
    run: Span | None = None
    for day in sorted(set(days)):
        if run is not None and day == run.last + timedelta(days=1):
            run = Span(first=run.first, last=day)
        else:
            if run is not None:
                yield run
            run = Span(first=day, last=day)
    if run is not None:
        yield run


def day_parameters(conn: psycopg.Connection[Any], workspace: str, zone: str, span: Span) -> dict[str, Any]:
    """The parameters of DAYS. The span's ends are worked out by Postgres beforehand: its planner has to know them."""
    row = conn.execute(
        "select %(first)s::timestamp at time zone %(zone)s, (%(last)s::date + 1)::timestamp at time zone %(zone)s",
        {"first": span.first, "last": span.last, "zone": zone},
    ).fetchone()
    assert row is not None
    return {"workspace": workspace, "zone": zone, "since": row[0], "until": row[1]}
