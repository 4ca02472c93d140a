"""What a trial of rules asks the tables: history of stages and tags, clicks, and what is known already. Only reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class TrialChange:
    """A stage that became, a tag that was added, or the first answer to an ad message; `channel_id` is its last one."""

    id: int
    kind: str
    value: str | None
    contact_id: int
    channel_id: int | None
    currency: str | None
    at: datetime


def trial_changes(conn: psycopg.Connection[Any], *, workspace: str, since: datetime) -> list[TrialChange]:
    """Everything of the kind in a workspace since then, oldest first."""
    with conn.cursor(row_factory=class_row(TrialChange)) as cursor:
        return cursor.execute(
            """
            select h.id, h.kind, h.value, coalesce(k.merged_into, k.id) as contact_id, m.channel_id, c.currency,
                   h.occurred_at as at
            from contact_changes h join contacts k on k.id = h.contact_id
            left join lateral (select channel_id from messages where contact_id = k.id
                               order by received_at desc limit 1) m on true
            left join channels c on c.id = m.channel_id
            where k.workspace = %(workspace)s and h.occurred_at >= %(since)s and h.kind in ('stage', 'tag_added')
            union all
            select t.id, 'first_reply', null, coalesce(k.merged_into, k.id), t.channel_id, c.currency, t.first_reply_at
            from touchpoints t join contacts k on k.id = t.contact_id join channels c on c.id = t.channel_id
            where k.workspace = %(workspace)s and t.first_reply_at >= %(since)s
            order by 7, 1
            """,
            {"workspace": workspace, "since": since},
        ).fetchall()


def last_click(conn: psycopg.Connection[Any], contact_id: int, at: datetime) -> str | None:
    """The hash of the last click of a contact up to a time, within 28 days."""
    row = conn.execute(
        """
        select t.click_hash from touchpoints t
        where t.contact_id in (select id from contacts where id = %(id)s or merged_into = %(id)s)
          and t.class <> 'post' and t.occurred_at <= %(at)s and t.occurred_at > %(at)s - interval '28 days'
        order by t.occurred_at desc limit 1
        """,
        {"id": contact_id, "at": at},
    ).fetchone()
    return row[0] if row else None


def conversion_keys_known(
    conn: psycopg.Connection[Any], workspace: str, event_name: str, key: str, click: str | None
) -> bool:
    """Whether there is such a conversion already: by its key, or once for its click."""
    row = conn.execute(
        """
        select exists (
            select from conversions where workspace = %(workspace)s and event_name = %(event)s
              and (business_key = %(key)s
                   or %(key)s like 'click:%%' and click_hash = %(click)s and order_id is null))
        """,
        {"workspace": workspace, "event": event_name, "key": key, "click": click},
    ).fetchone()
    return bool(row and row[0])
