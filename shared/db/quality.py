"""Whether tracking is whole: what came twice, late, without a phone number or from Meta as well, over some days.

Each query reads few rows among many by an index of its own, or a sample of the newest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from shared.domain.deliveries import EXPIRES_AFTER

#: An event that is reported so long after it happened is late. The index `conversions_late` says the same.
LATE_AFTER = timedelta(days=1)
#: People without a phone number are looked for among the newest so many clicks of each channel.
NEWEST_CLICKS = 1000
_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Which:
    """Rows of a workspace from `since` to before `until`, of these channels only; an empty sequence leaves all in."""

    workspace: str
    since: datetime
    until: datetime
    channel_ids: Sequence[int] = ()
    test: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """As the statements name them."""
        return {**self.__dict__, "channel_ids": list(self.channel_ids)}


#: Conversions `c` of these channels; one that no channel is known of counts with all of them only.
_CONVERSION = """
    c.workspace = %(workspace)s and (%(test)s or not c.is_test)
    and (cardinality(%(channel_ids)s::bigint[]) = 0 or c.channel_id = any(%(channel_ids)s))
"""


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """What came again and changed nothing: `messages` as far back as webhooks are kept, `events` that another one
    stands for already, and `reports` of a business that repeat an earlier one."""

    messages: int
    events: int
    reports: int

    @property
    def all(self) -> int:
        return self.messages + self.events + self.reports


#: Events of some channels have to be counted from rows: what counts them ahead knows no channels.
_EVENTS_OF_CHANNELS = f"""
    select count(*) from deliveries d join conversions c on c.id = d.conversion_id
    where d.state = 'skipped' and d.reason = 'duplicate' and d.created_at >= %(since)s and d.created_at < %(until)s
      and {_CONVERSION} and (%(test)s or not d.is_test)
"""

#: Whole hours were counted ahead; where a zone's days begin within an hour, the rest is counted from rows.
_EVENTS_OF_ALL = f"""
    select (select coalesce(sum(n.count), 0) from delivery_counts n
            where n.workspace = %(workspace)s and n.state = 'skipped' and n.reason = 'duplicate'
              and n.hour >= %(first_hour)s and n.hour < %(last_hour)s and (%(test)s or not n.is_test))
         + (select count(*) from deliveries d join conversions c on c.id = d.conversion_id
            where d.state = 'skipped' and d.reason = 'duplicate' and {_CONVERSION}
              and (%(test)s or not d.is_test)
              and (d.created_at >= %(since)s and d.created_at < %(first_hour)s
                   or d.created_at >= %(last_hour)s and d.created_at < %(until)s))
"""


def duplicates_of(conn: psycopg.Connection[Any], which: Which) -> Stopped:
    """The duplicates that were stopped. Reports have no channel: they are counted with all channels only."""
    with conn.cursor(row_factory=class_row(Stopped)) as cursor:
        found = cursor.execute(
            f"""
            select (select coalesce(sum(w.duplicates), 0)::bigint
                    from webhooks w join channels ch on w.source = 'channel' and ch.id = w.source_id
                    where w.duplicates > 0 and w.received_at >= %(since)s and w.received_at < %(until)s
                      and ch.workspace = %(workspace)s and (%(test)s or not ch.is_test)
                      and (cardinality(%(channel_ids)s::bigint[]) = 0 or ch.id = any(%(channel_ids)s))) as messages,
                   ({_EVENTS_OF_CHANNELS if which.channel_ids else _EVENTS_OF_ALL})::bigint as events,
                   (select count(*) from submissions s
                    where s.state = 'duplicate' and s.workspace = %(workspace)s and s.created_at >= %(since)s
                      and s.created_at < %(until)s and (%(test)s or not s.is_test)
                      and cardinality(%(channel_ids)s::bigint[]) = 0) as reports
            """.encode(),
            {
                **which.parameters,
                "first_hour": _full_hour(which.since + timedelta(hours=1, microseconds=-1)),
                "last_hour": _full_hour(which.until),
            },
        ).fetchone()
    assert found is not None
    return found


def _full_hour(moment: datetime) -> datetime:
    """The full hour of UTC before a moment, or the moment itself."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, kw_only=True)
class Late:
    """Events from one source that came late: how many, half of them later than `median`, and how many of them so late
    that Meta takes them no more."""

    source: str
    count: int
    median: timedelta
    too_late: int


def late_events(conn: psycopg.Connection[Any], which: Which) -> list[Late]:
    """What was reported in these days more than a day after it happened, by source, the most frequent first."""
    with conn.cursor(row_factory=class_row(Late)) as cursor:
        return cursor.execute(
            f"""
            select c.source, count(*) as count,
                   percentile_cont(0.5) within group (order by c.created_at - c.occurred_at) as median,
                   count(*) filter (where c.created_at - c.occurred_at > %(expires)s) as too_late
            from conversions c
            where c.created_at - c.occurred_at > interval '1 day' and c.created_at >= %(since)s
              and c.created_at < %(until)s and {_CONVERSION}
            group by c.source order by count(*) desc, c.source
            """.encode(),
            {**which.parameters, "expires": EXPIRES_AFTER},
        ).fetchall()


@dataclass(frozen=True, kw_only=True)
class Phoneless:
    """Of the people behind the newest clicks, `people`, how many have no phone number, and the newest of those."""

    people: int
    without_phone: int
    newest: list[int]


def phoneless_people(conn: psycopg.Connection[Any], which: Which, *, newest: int = NEWEST_CLICKS) -> Phoneless:
    """People behind the `newest` clicks of each channel of whom no phone number is known.

    Erased ones have no names at all, and are left out.
    """
    row = conn.execute(
        """
        with clicks as (
            select t.contact_id from channels ch
            cross join lateral (
                select contact_id from touchpoints
                where channel_id = ch.id and class <> 'post' and occurred_at >= %(since)s and occurred_at < %(until)s
                  and (%(test)s or not is_test)
                order by occurred_at desc limit %(newest)s
            ) t
            where ch.workspace = %(workspace)s
              and (cardinality(%(channel_ids)s::bigint[]) = 0 or ch.id = any(%(channel_ids)s))
        ), people as (
            select distinct coalesce(c.merged_into, c.id) as id
            from clicks k join contacts c on c.id = k.contact_id where c.erased_at is null
        ), nameless as (
            select p.id from people p
            where not exists (select from contact_identities i where i.contact_id = p.id and i.kind = 'phone')
              and not exists (select from contacts m join contact_identities i on i.contact_id = m.id
                              where m.merged_into = p.id and i.kind = 'phone')
        )
        select (select count(*) from people), (select count(*) from nameless),
               array(select id from nameless order by id desc limit %(shown)s)
        """,
        {**which.parameters, "newest": newest, "shown": _SHOWN},
    ).fetchone()
    assert row is not None
    return Phoneless(people=row[0], without_phone=row[1], newest=row[2])


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Events of one name that Meta detected itself, how many of them we have of the same click too, and how many of
    our own of these clicks were sent all the same, so that Meta may count them twice."""

    event_name: str
    detected: int
    ours_too: int
    sent_too: int


def automatic_overlap(conn: psycopg.Connection[Any], which: Which) -> list[Overlap]:
    """Events of these days that Meta detected itself, beside our own; by name, the most frequent first."""
    with conn.cursor(row_factory=class_row(Overlap)) as cursor:
        return cursor.execute(
            f"""
            select c.event_name, count(*) as detected, count(*) filter (where o.ours) as ours_too,
                   count(*) filter (where o.sent) as sent_too
            from conversions c
            left join lateral (
                select true as ours, bool_or(d.state in ('accepted', 'unknown')) as sent
                from conversions w left join deliveries d on d.conversion_id = w.id
                where w.touchpoint_id = c.touchpoint_id and w.event_name = c.event_name
                  and w.source <> 'meta_automatic'
                having count(*) > 0
            ) o on true
            where c.source = 'meta_automatic' and c.occurred_at >= %(since)s and c.occurred_at < %(until)s
              and {_CONVERSION}
            group by c.event_name order by count(*) desc, c.event_name
            """.encode(),
            which.parameters,
        ).fetchall()
