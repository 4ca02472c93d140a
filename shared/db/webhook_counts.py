"""The `webhook_counts` table: what the webhooks of a channel held, by the hour in which they came.

Whoever finishes a webhook, or has it read again, adds a row in the same statement; adding rows up changes no sum.
Webhooks that `ctwa reconcile` stored are left out: the provider didn't post them.
"""

from typing import Any

import psycopg

#: The user agent of webhooks that we fetched ourselves.
RECONCILED = "ctwa-reconcile"
#: What is older is looked at by nobody.
KEEP_DAYS = 8

_LOCK = 7_226_292_005
#: An hour with more rows than this among the newest is added up.
_MANY = 30
_NEWEST = 5_000


def counting(webhooks: str, sign: str) -> str:
    """A statement that counts these rows of finished webhooks, the name of a CTE, in (`+`) or out (`-`)."""
    return f"""
        insert into webhook_counts (channel_id, hour, kind, code, count, last_at)
        select w.source_id, date_trunc('hour', w.received_at, 'UTC'), k.kind, coalesce(k.code, ''), {sign}sum(k.count),
               max(w.received_at)
        from {webhooks} w
        cross join lateral (
            values ('read', '', (w.state = 'done')::integer), ('rejected', w.reason, (w.state = 'rejected')::integer),
                   ('with_messages', '', (w.messages > 0)::integer), ('messages', '', w.messages),
                   ('duplicates', '', w.duplicates)
            union all
            select 'ignored', i.key, i.value::integer from jsonb_each_text(w.ignored) i
        ) k (kind, code, count)
        where w.source = 'channel' and k.count > 0 and w.headers ->> 'user-agent' is distinct from '{RECONCILED}'
        group by 1, 2, 3, 4
    """


def add_up(conn: psycopg.Connection[Any]) -> int:
    """Makes one row of those that count the same, in the hours that were written most of late; how many it took away.

    The caller commits.
    """
    if conn.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone() != (True,):
        return 0
    return conn.execute(
        """
        with newest as (
            select channel_id, hour from (
                select channel_id, hour from webhook_counts order by id desc limit %(newest)s
            ) n group by 1, 2 having count(*) > %(many)s
        ), gone as (
            delete from webhook_counts w using newest n
            where w.channel_id = n.channel_id and w.hour = n.hour returning w.*
        ), kept as (
            insert into webhook_counts (channel_id, hour, kind, code, count, last_at)
            select channel_id, hour, kind, code, sum(count), max(last_at) from gone group by 1, 2, 3, 4
        )
        select from gone
        """,
        {"newest": _NEWEST, "many": _MANY},
    ).rowcount


def delete_old_counts(conn: psycopg.Connection[Any], *, limit: int) -> int:
    """Deletes up to `limit` counts of more than KEEP_DAYS ago; how many."""
    return conn.execute(
        """
        delete from webhook_counts where id in (
            select id from webhook_counts where hour < now() - make_interval(days => %s) order by id limit %s
        )
        """,
        [KEEP_DAYS, limit],
    ).rowcount
