"""Gathering what the rules of alerts are told, across the tables. Nothing here writes; every query has its index."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from shared.db.deliveries import delivery_backlog
from shared.db.pool import server_time
from shared.db.webhooks import webhook_backlog
from shared.domain.alert_facts import (
    AccountFacts,
    ChannelFacts,
    CodeFacts,
    CredentialFacts,
    CurrencyFacts,
    DatasetFacts,
    Facts,
    SpoolFacts,
)
from shared.domain.deliveries import EXPIRES_AFTER

T = TypeVar("T")

_LATELY = timedelta(minutes=15)
_DAY = timedelta(days=1)
#: A process that dies leaves an unknown outcome that policy may settle within half a minute.
_UNKNOWN_FOR = timedelta(minutes=1)

#: The workspace of a dataset: that of its channels, or none if they are of several.
_WORKSPACE = "(select case when count(distinct ch.workspace) = 1 then min(ch.workspace) end from channels ch where {})"

_DATASETS = f"""
select s.name, {_WORKSPACE.format("ch.dataset_id = s.id")} as workspace, s.pause_reason, s.pause_detail, s.pauses,
       case when s.sending = 'off' then null else s.probe_result end as probe_result, s.test_event_until as test_until,
       coalesce(r.accepted, 0)::int as accepted, coalesce(j.rejected, 0)::int as rejected,
       coalesce(u.unknown, 0)::int as unknown, u.unknown_since, coalesce(a.aging, 0)::int as aging, a.oldest_event
from datasets s
left join lateral (
    select sum(events_received) as accepted from capi_requests
    where dataset_id = s.id and started_at > now() - %(lately)s and verdict = 'accepted') r on true
left join (
    select dataset_id, count(*) as rejected from deliveries
    where state = 'rejected' and finished_at > now() - %(lately)s and not is_test group by 1) j on j.dataset_id = s.id
left join (
    select dataset_id, count(*) as unknown, min(unknown_since) as unknown_since from deliveries
    where state = 'unknown' and unknown_since < now() - %(unknown_for)s and not is_test group by 1) u
    on u.dataset_id = s.id
left join (
    select dataset_id, count(*) as aging, min(event_time) as oldest_event from (
        select dataset_id, event_time from deliveries
        where state in ('pending', 'waiting') and event_time < now() - %(aging)s and not is_test
        union all
        select dataset_id, event_time from deliveries
        where state = 'unknown' and event_time < now() - %(aging)s and not is_test) d group by 1) a
    on a.dataset_id = s.id
where not s.is_test order by s.name
"""

_CREDENTIALS = f"""
select c.name,
       {_WORKSPACE.format("ch.dataset_id in (select id from datasets where credential_id = c.id)")} as workspace,
       c.inspection, c.expires_at, c.data_access_expires_at,
       (select count(*)::int from datasets s
        where s.credential_id = c.id and s.pause_reason = 'token' and not s.is_test) as paused
from credentials c
where exists (select from datasets s where s.credential_id = c.id and s.sending <> 'off' and not s.is_test)
order by c.name
"""

_CHANNELS = """
select c.name, c.workspace, l.last_ad_at, coalesce(w.week, 0)::int as week,
       coalesce(d.today, 0)::int as today, coalesce(d.today_with_click_id, 0)::int as today_with_click_id,
       coalesce(d.yesterday, 0)::int as yesterday,
       coalesce(d.yesterday_with_click_id, 0)::int as yesterday_with_click_id,
       coalesce(u.unreadable, 0)::int as unreadable, u.last_unreadable_at
from channels c
left join lateral (
    select received_at as last_ad_at from messages
    where channel_id = c.id and class <> 'organic' and class <> 'post' order by received_at desc limit 1) l on true
left join lateral (
    select count(*) as week from messages
    where channel_id = c.id and class <> 'organic' and class <> 'post'
      and received_at > l.last_ad_at - interval '7 days') w on true
left join lateral (
    select count(*) filter (where received_at > now() - %(day)s) as today,
           count(*) filter (where received_at > now() - %(day)s and class = 'ad') as today_with_click_id,
           count(*) filter (where received_at <= now() - %(day)s) as yesterday,
           count(*) filter (where received_at <= now() - %(day)s and class = 'ad') as yesterday_with_click_id
    from messages where channel_id = c.id and class <> 'organic' and class <> 'post'
      and received_at > now() - 2 * %(day)s) d on true
left join (
    select source_id, count(*) as unreadable, max(received_at) as last_unreadable_at from webhooks
    where state = 'rejected' and source = 'channel' and received_at > now() - %(lately)s group by 1) u
    on u.source_id = c.id
where c.enabled and not c.is_test order by c.name
"""

_CODES = f"""
select s.name as dataset, {_WORKSPACE.format("ch.dataset_id = s.id")} as workspace, r.code, r.subcode, r.count::int,
       r.last_at
from (select dataset_id, code, subcode, count(*) as count, max(started_at) as last_at from capi_requests
      where code is not null and started_at > now() - %(day)s group by 1, 2, 3) r
join datasets s on s.id = r.dataset_id where not s.is_test order by 1, 3, 4
"""

_CURRENCIES = """
select ch.name as channel, ch.workspace, ch.currency as expected, c.currency as found, count(*)::int as count,
       max(c.created_at) as last_at
from conversions c join channels ch on ch.id = c.channel_id
where c.currency is not null and c.created_at > now() - %(day)s and c.currency <> ch.currency and not ch.is_test
group by 1, 2, 3, 4 order by 1, 4
"""

_ACCOUNTS = """
select a.name, a.workspace,
       case when a.credential_id is not null then coalesce(a.last_synced_at, a.created_at) end as synced_at,
       exists (select from ad_spend_daily d
               where d.account_id = a.id and d.day >= t.today - 1 and d.spend > 0) as spends,
       (select max(m.received_at) from channels ch cross join lateral (
            select received_at from messages
            where channel_id = ch.id and class <> 'organic' and class <> 'post' order by received_at desc limit 1) m
        where ch.workspace = a.workspace and not ch.is_test) as last_ad_at,
       coalesce(m.started, 0)::int as started, coalesce(c.captured, 0)::int as captured
from ad_accounts a
cross join lateral (select (now() at time zone a.zone)::date as today) t
left join lateral (
    select sum(conversations_started) as started, array_agg(distinct ad_id) as ads from ad_spend_daily
    where account_id = a.id and level = 'ad' and day between t.today - 3 and t.today - 1) m on true
left join lateral (
    select count(*) as captured from touchpoints
    where ad_id = any(m.ads) and not is_test and class in ('ad', 'ad_without_click_id')
      and occurred_at >= (t.today - 3)::timestamp at time zone a.zone
      and occurred_at < t.today::timestamp at time zone a.zone) c on true
where a.enabled and not a.is_test order by a.name
"""

_SPOOLS = "select host, bytes, set_aside, since from spools where bytes > 0 or set_aside > 0 order by host"


def gather(conn: psycopg.Connection[Any]) -> Facts:
    """The facts of this moment, test rows left out."""
    asked = {
        "lately": _LATELY,
        "day": _DAY,
        "unknown_for": _UNKNOWN_FOR,
        "aging": EXPIRES_AFTER - _DAY,
    }
    return Facts(
        now=server_time(conn),
        queue_seconds={
            "webhooks": webhook_backlog(conn).oldest_seconds,
            "deliveries": delivery_backlog(conn).oldest_seconds,
        },
        datasets=_rows(conn, DatasetFacts, _DATASETS, asked),
        credentials=_rows(conn, CredentialFacts, _CREDENTIALS, asked),
        channels=_rows(conn, ChannelFacts, _CHANNELS, asked),
        codes=_rows(conn, CodeFacts, _CODES, asked),
        currencies=_rows(conn, CurrencyFacts, _CURRENCIES, asked),
        spools=_rows(conn, SpoolFacts, _SPOOLS, asked),
        accounts=_rows(conn, AccountFacts, _ACCOUNTS, asked),
    )


def _rows(conn: psycopg.Connection[Any], row: type[T], query: str, asked: Mapping[str, Any]) -> list[T]:
    with conn.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(query.encode(), asked).fetchall()
