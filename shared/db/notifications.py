"""The `notifications` table: one fact to one endpoint, and whether it arrived. Triggers write them (0017_crm.sql)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from shared.db.webhooks import Backlog


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One notification; its ids say what it is about."""

    id: UUID
    endpoint_id: int
    event: str
    contact_id: int | None
    touchpoint_id: int | None
    conversion_id: UUID | None
    delivery_id: int | None
    fact: dict[str, Any]
    occurred_at: datetime
    state: str
    reason: str | None
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None
    finished_at: datetime | None
    created_at: datetime


_COLUMNS = (
    "id, endpoint_id, event, contact_id, touchpoint_id, conversion_id, delivery_id, fact, occurred_at, state, reason,"
    " attempts, next_attempt_at, last_status, finished_at, created_at"
)

# The endpoint that waited longest goes first, a few notifications at a time; one at a time where nothing arrives.
_CLAIM = f"""
with e as materialized (
    select e.id, case when e.failures > 0 then 1 else 10 end as batch from endpoints e
    where e.disabled_at is null and (e.rest_until is null or e.rest_until <= now())
      and exists (select from notifications n where n.endpoint_id = e.id and n.state = 'pending'
                  and n.next_attempt_at <= now())
      and not exists (select from notifications n where n.endpoint_id = e.id and n.state = 'sending')
    order by e.last_claimed_at nulls first limit 1 for no key update of e skip locked
), picked as materialized (
    select id from notifications
    where endpoint_id = (select id from e) and state = 'pending' and next_attempt_at <= now()
    order by next_attempt_at, id limit (select batch from e) for update skip locked
), touched as (
    update endpoints set last_claimed_at = clock_timestamp() where id = (select id from e)
)
update notifications n set state = 'sending', next_attempt_at = null, lease_token = %(token)s,
       lease_until = now() + make_interval(secs => %(lease)s)
from picked p where n.id = p.id
returning {", ".join(f"n.{column}" for column in _COLUMNS.split(", "))}
"""


def claim_notifications(conn: psycopg.Connection[Any], *, token: UUID, lease_seconds: float) -> list[Notification]:
    """Leases a few notifications of one endpoint that are due, oldest first; none if nothing is."""
    with conn.cursor(row_factory=class_row(Notification)) as cursor:
        cursor.execute(_CLAIM, {"token": token, "lease": lease_seconds})
        return sorted(cursor.fetchall(), key=lambda one: (one.occurred_at, one.created_at, one.id))


def settle_notification(
    conn: psycopg.Connection[Any],
    notification_id: UUID,
    token: UUID,
    *,
    state: str,
    reason: str | None,
    status: int | None,
    delay_seconds: float = 0.0,
) -> bool:
    """Writes what one try came to; False when the lease was lost."""
    cursor = conn.execute(
        """
        update notifications set state = %(state)s, reason = %(reason)s, attempts = attempts + 1,
               last_status = %(status)s, lease_token = null, lease_until = null,
               next_attempt_at = case when %(state)s = 'pending' then now() + make_interval(secs => %(delay)s) end,
               finished_at = case when %(state)s <> 'pending' then now() end
        where id = %(id)s and state = 'sending' and lease_token = %(token)s
        """,
        {
            "id": notification_id,
            "token": token,
            "state": state,
            "reason": reason,
            "status": status,
            "delay": delay_seconds,
        },
    )
    return cursor.rowcount == 1


def release_notifications(conn: psycopg.Connection[Any], token: UUID) -> None:
    """Hands back what this lease holds and has not tried."""
    conn.execute(
        "update notifications set state = 'pending', lease_token = null, lease_until = null, next_attempt_at = now()"
        " where state = 'sending' and lease_token = %s",
        [token],
    )


def recover_notifications(conn: psycopg.Connection[Any]) -> int:
    """Takes back notifications whose lease ran out. They may have arrived: whoever takes them tells by their id."""
    return conn.execute(
        "update notifications set state = 'pending', lease_token = null, lease_until = null, next_attempt_at = now()"
        " where state = 'sending' and lease_until < now()"
    ).rowcount


def notification_backlog(conn: psycopg.Connection[Any]) -> Backlog:
    """What is due and may be posted now; counted up to 1,000 of each endpoint."""
    row = conn.execute(
        """
        select count(*), coalesce(extract(epoch from now() - min(n.next_attempt_at)), 0)::float8
        from endpoints e cross join lateral (
            select next_attempt_at from notifications
            where endpoint_id = e.id and state = 'pending' and next_attempt_at <= now()
            order by next_attempt_at, id limit 1000
        ) n
        where e.disabled_at is null and (e.rest_until is null or e.rest_until <= now())
        """
    ).fetchone()
    return Backlog(*row) if row else Backlog(0, 0.0)


def insert_test(conn: psycopg.Connection[Any], endpoint_id: int) -> UUID:
    """Adds a test notification; its id."""
    row = conn.execute(
        "insert into notifications (endpoint_id, event, occurred_at) values (%s, 'test', now()) returning id",
        [endpoint_id],
    ).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def notification_by_id(conn: psycopg.Connection[Any], notification_id: UUID) -> Notification | None:
    """The notification with this id."""
    with conn.cursor(row_factory=class_row(Notification)) as cursor:
        return cursor.execute(f"select {_COLUMNS} from notifications where id = %s", [notification_id]).fetchone()


def list_notifications(
    conn: psycopg.Connection[Any], *, endpoint_ids: Sequence[int], states: Sequence[str], limit: int
) -> list[Notification]:
    """Up to `limit` notifications of these endpoints, newest first; in any state when none is named."""
    with conn.cursor(row_factory=class_row(Notification)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from notifications where endpoint_id = any(%(endpoints)s)"
            " and (cardinality(%(states)s::text[]) = 0 or state = any(%(states)s))"
            " order by created_at desc, id desc limit %(limit)s",
            {"endpoints": list(endpoint_ids), "states": list(states), "limit": limit},
        ).fetchall()


def retry_notifications(
    conn: psycopg.Connection[Any], *, endpoint_ids: Sequence[int], ids: Sequence[UUID], limit: int
) -> int:
    """Has failed notifications of these endpoints, and waiting ones, tried again now; only `ids` when any are given."""
    return conn.execute(
        """
        update notifications set state = 'pending', reason = null, next_attempt_at = now(), finished_at = null,
               attempts = 0, created_at = now()
        where id in (select id from notifications where endpoint_id = any(%(endpoints)s)
                     and (cardinality(%(ids)s::uuid[]) = 0 or id = any(%(ids)s)) and state in ('failed', 'pending')
                     order by created_at limit %(limit)s)
        """,
        {"endpoints": list(endpoint_ids), "ids": list(ids), "limit": limit},
    ).rowcount


def delete_old_notifications(conn: psycopg.Connection[Any], *, keep_days: int, limit: int = 5000) -> int:
    """Deletes notifications after so many days, arrived or not; how many."""
    return conn.execute(
        """
        delete from notifications where id in (
            select id from notifications where created_at < now() - make_interval(days => %s) and state <> 'sending'
            order by created_at limit %s)
        """,
        [keep_days, limit],
    ).rowcount


_FACTS = """
select
    (select jsonb_build_object('id', t.id, 'occurred_at', t.occurred_at, 'class', t.class, 'ad_id', t.ad_id,
            'source_app', t.source_app, 'source_url', t.source_url, 'headline', t.headline, 'channel', ch.name)
     from touchpoints t join channels ch on ch.id = t.channel_id where t.id = %(touchpoint)s) as touchpoint,
    (select jsonb_build_object('id', c.id, 'event_name', c.event_name, 'occurred_at', c.occurred_at,
            'value', c.value::text, 'currency', c.currency, 'order_id', c.order_id, 'attribution', c.attribution)
     from conversions c where c.id = %(conversion)s) as conversion,
    (select jsonb_build_object('id', d.id, 'dataset', s.name, 'event_id', d.event_id)
     from deliveries d join datasets s on s.id = d.dataset_id where d.id = %(delivery)s) as delivery,
    (select jsonb_build_object('id', coalesce(p.merged_into, p.id), 'stage', r.stage, 'erased', r.erased_at is not null)
     from contacts p join contacts r on r.id = coalesce(p.merged_into, p.id) where p.id = %(contact)s) as contact
"""


def facts_of(conn: psycopg.Connection[Any], notification: Notification) -> dict[str, Any]:
    """What a notification is about as it stands now: contact, touchpoint, conversion and delivery, each or None."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            _FACTS,
            {
                "contact": notification.contact_id,
                "touchpoint": notification.touchpoint_id,
                "conversion": notification.conversion_id,
                "delivery": notification.delivery_id,
            },
        ).fetchone()
    return row or {}


def campaign_of(conn: psycopg.Connection[Any], ad_id: str | None) -> dict[str, Any] | None:
    """The names of an ad, its ad set and campaign, where an ad account has told them."""
    if ad_id is None:
        return None
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select ad_name, ad_set_id, ad_set_name, campaign_id, campaign_name from ads where ad_id = %s limit 1",
            [ad_id],
        ).fetchone()
