"""The `roi_daily` table: conversations and conversions by day, ad and event, added up ahead of their readers.

What touches a day notes it in `roi_changes`, by triggers, in its own transaction. New rows are added to their days, and
of a conversion that changed the difference; a day that something else touched is added up again whole. Readers take
clean days from the table and add touched ones up afresh, with the same statement, so that a figure is always what the
rows say.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg

from shared.db.facts import BY_DAY, CHANGES, FACTS, FIRST_TOUCH

_LOCK = 7_226_292_003
#: How much of a day one statement adds up.
_HOURS = timedelta(hours=6)
#: Notes of what can be worked in by itself. A literal part of statements: partial indexes are by these words.
_SINGLE = "fresh or changed"

#: The facts of whole days of a zone, one row for each combination of what can be asked for.
DAYS = f"""
{FACTS}
{BY_DAY.format(facts="(select *, 1 as sign from facts)")}
"""

_ADD = """
insert into roi_daily as d
{days}
on conflict (workspace, zone, day, basis, model, channel_id, ad_id, class, placement, event_name, currency, is_test)
do update set events = d.events + excluded.events, gross = d.gross + excluded.gross,
              refunds = d.refunds + excluded.refunds, cost = d.cost + excluded.cost,
              costed = d.costed + excluded.costed, uncosted = d.uncosted + excluded.uncosted
returning day, events
"""
_ADD_DAYS = _ADD.format(days=DAYS)
_ADD_CHANGES = _ADD.format(days=CHANGES + BY_DAY.format(facts="facts"))

#: The moments that changes touch: their own, and those of the clicks that their conversion counts for.
_MOMENTS = f"""
select m.moment from changes n
left join conversions c on c.id = n.conversion_id
left join lateral (select t.occurred_at from touchpoints t where t.id in (c.touchpoint_id, n.touchpoint_id)) t on true
left join lateral ({FIRST_TOUCH.format(contact="c.contact_id")}) f on true
cross join lateral (values (n.moment), (c.occurred_at), (t.occurred_at), (f.occurred_at)) m (moment)
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
        # Where nothing is counted yet, there is nothing that a change could make a difference to.
        conn.execute("update roi_changes set changed = false where workspace = %s and changed", [workspace])
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
    conn: psycopg.Connection[Any], *, again: bool = True, most_single: int = 5000, most_changes: int = 5000
) -> Refreshed:
    """One step for one workspace, in all its zones: works in single rows, which are new or changed by themselves, and
    adds up `again` the days that its newest other changes touched. `more` leaves those out where `again` does.

    Has to come first in its transaction, which the caller commits. It sees rows and notes as of one moment: what is
    being written meanwhile notes its change when it commits, and is seen by the next step.
    """
    conn.execute("set transaction isolation level repeatable read")
    # Two at once would count the same twice.
    if conn.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone() != (True,):
        return Refreshed(0, False)
    row = conn.execute(
        f"(select workspace from roi_changes where {_SINGLE} order by id limit 1) union all"
        f" (select workspace from roi_changes where not ({_SINGLE}) and %s order by id limit 1) limit 1",
        [again],
    ).fetchone()
    if row is None:
        return Refreshed(0, False)
    workspace: str = row[0]
    zones = [
        zone for (zone,) in conn.execute("select zone from roi_zones where workspace = %s", [workspace]).fetchall()
    ]
    days = 0
    # Days are added up whole from rows, also from single ones: all of these must have been worked in, or count twice.
    if _add_single(conn, workspace, zones, most_single) and again:
        days = _add_touched(conn, workspace, zones, most_changes)
    conn.execute(
        "update roi_zones set refreshed_at = now() where workspace = %(it)s"
        " and not exists (select from roi_changes where workspace = %(it)s)",
        {"it": workspace},
    )
    more = conn.execute(f"select exists (select from roi_changes where {_SINGLE} or %s)", [again]).fetchone() == (True,)
    return Refreshed(days, more)


def refresh_all(conn: psycopg.Connection[Any]) -> None:
    """Refreshes until nothing is left to do; commits before, and after each step."""
    conn.commit()
    more = True
    while more:
        with conn.transaction():
            more = refresh(conn).more


def _add_single(conn: psycopg.Connection[Any], workspace: str, zones: Sequence[str], most: int) -> bool:
    """Adds what is new, and the difference that changed conversions make, to their days; the oldest notes first.
    Whether these were all."""
    notes = conn.execute(
        "select id, fresh, conversion_id, touchpoint_id, message_id from roi_changes"
        f" where workspace = %s and ({_SINGLE}) order by id limit %s",
        [workspace, most + 1],
    ).fetchall()
    taken = notes[:most]
    fresh = [note for note in taken if note[1]]
    new = {note[2] for note in fresh if note[2] is not None}
    # A new one that changed since counts as it is now, and never counted otherwise.
    changed = {note[2] for note in taken if not note[1]} - new
    # Of which something else is noted as well, it isn't known on which days they counted.
    mixed = conn.execute(
        """
        update roi_changes n set changed = false where n.changed and n.conversion_id = any(%s)
          and exists (select from roi_changes o
                      where o.conversion_id = n.conversion_id and not o.fresh and not o.changed)
        returning conversion_id
        """,
        [list(changed)],
    ).fetchall()
    changed -= {conversion_id for (conversion_id,) in mixed}
    conversions = [*new, *changed]
    undone = conn.execute(
        "select id, change_id from roi_changes where changed and conversion_id = any(%s)", [conversions]
    ).fetchall()
    values = {
        "workspace": workspace,
        "conversions": conversions,
        "changed": list(changed),
        "unknown": [change_id for _, change_id in undone if change_id is not None],
        "clicks": [note[3] for note in fresh if note[2] is None and note[3] is not None],
        "messages": [note[4] for note in fresh if note[4] is not None],
    }
    for zone in zones if taken else ():
        found = conn.execute(_ADD_CHANGES, values | {"zone": zone}).fetchall()
        emptied = {day for day, events in found if events == 0}
        if emptied:
            conn.execute(
                "delete from roi_daily where workspace = %s and zone = %s and day = any(%s) and events = 0",
                [workspace, zone, list(emptied)],
            )
    done = [note[0] for note in fresh] + [note_id for note_id, _ in undone]
    conn.execute("delete from roi_changes where id = any(%s)", [done])
    return len(notes) <= most


def _add_touched(conn: psycopg.Connection[Any], workspace: str, zones: Sequence[str], most: int) -> int:
    """Adds up again the days that the newest changes touched; how many, each zone's by itself."""
    ids = _newest_changes(conn, workspace, most)
    if not ids:
        return 0
    # Cut off after the usual ten seconds, hours with very much in them would be begun again and again.
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
        where workspace = %(it)s and not fresh and not changed
          and moment > (select max(moment) from roi_changes where workspace = %(it)s and not fresh and not changed)
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
        values = day_parameters(conn, workspace, zone, span)
        while values["since"] < values["until"]:
            # Some hours a statement, so that none runs into its timeout, however much a day holds.
            until = min(values["since"] + _HOURS, values["until"])
            conn.execute(_ADD_DAYS, values | {"until": until})
            values["since"] = until


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
