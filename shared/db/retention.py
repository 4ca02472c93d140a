"""What is kept for a time only: each statement takes a batch, oldest first, so that no lock is held for long.

Rows stay; what is taken out of them leaves its key behind, so that what is redelivered is still known.
"""

from typing import Any

import psycopg


def purge_clicks(conn: psycopg.Connection[Any], *, keep_days: int, limit: int) -> int:
    """Takes click ids and conversion tokens out of touchpoints that are old enough; how many.

    A workspace's own number of days goes before `keep_days`. The click's hash stays.
    """
    # Each channel by itself: one index finds its oldest, however long the others keep theirs.
    return conn.execute(
        """
        with old as materialized (
            select t.id from (
                select c.id, now() - make_interval(days => coalesce(w.click_days, %(days)s)) as before
                from channels c join workspaces w on w.name = c.workspace) c
            cross join lateral (
                select id from touchpoints
                where channel_id = c.id and click_id is not null and occurred_at < c.before
                order by occurred_at limit %(limit)s) t
            limit %(limit)s
        )
        update touchpoints t set click_id = null, conversion_token = null, click_purged_at = now()
        from old where t.id = old.id
        """,
        {"days": keep_days, "limit": limit},
    ).rowcount


def purge_texts(conn: psycopg.Connection[Any], *, keep_days: int, limit: int) -> int:
    """Takes the text out of messages that are old enough; how many."""
    return conn.execute(
        """
        update messages set text = null where id in (
            select id from messages where text is not null and received_at < now() - make_interval(days => %s)
            order by received_at limit %s)
        """,
        [keep_days, limit],
    ).rowcount


def purge_requests(conn: psycopg.Connection[Any], *, keep_days: int, limit: int) -> int:
    """Takes the body, and Meta's words, out of requests that are old enough; how many. Codes and times stay."""
    return conn.execute(
        """
        update capi_requests set body = '{}', title = null, message = null where id in (
            select id from capi_requests where body <> '{}' and started_at < now() - make_interval(days => %s)
            order by started_at limit %s)
        """,
        [keep_days, limit],
    ).rowcount


def delete_old_heartbeats(conn: psycopg.Connection[Any], *, keep_days: int, limit: int) -> int:
    """Deletes signs of life of processes that are long gone; how many."""
    return conn.execute(
        "delete from heartbeats where process in (select process from heartbeats"
        " where beat_at < now() - make_interval(days => %s) limit %s)",
        [keep_days, limit],
    ).rowcount
