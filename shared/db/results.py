"""Reading across the tables: what became of every message. Nothing here writes.

Lists go newest first and continue after the last row of the page before (keyset pagination), however large a table is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries; what isn't said doesn't matter. `test` None is both, times are aware."""

    ids: Sequence[int] = ()
    workspace: str | None = None
    states: Sequence[str] = ()
    tried: bool | None = None
    reason: str | None = None
    event_name: str | None = None
    dataset_id: int | None = None
    channel_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    test: bool | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryRow:
    """One delivery, with the names around it. `next_attempt_at` is None as well when nothing is planned."""

    id: int
    conversion_id: UUID
    created_at: datetime
    state: str
    reason: str | None
    event_name: str
    event_id: str
    event_time: datetime
    dataset: str
    channel: str | None
    value: Decimal | None
    currency: str | None
    attempts: int
    next_attempt_at: datetime | None
    dry_run_at: datetime | None
    accepted_at: datetime | None
    finished_at: datetime | None
    last_http_status: int | None
    last_code: int | None
    last_subcode: int | None
    last_trace_id: str | None
    last_message: str | None
    is_test: bool


_DELIVERY = """
select d.id, d.conversion_id, d.created_at, d.state, d.reason, d.event_name, d.event_id, d.event_time,
       s.name as dataset, ch.name as channel, c.value, c.currency, d.attempts,
       nullif(d.next_attempt_at, '9999-12-31') as next_attempt_at, d.dry_run_at, d.accepted_at, d.finished_at,
       d.last_http_status, d.last_code, d.last_subcode, d.last_trace_id, d.last_message, d.is_test
from deliveries d
join datasets s on s.id = d.dataset_id
join conversions c on c.id = d.conversion_id
left join channels ch on ch.id = c.channel_id
"""


def list_deliveries(
    conn: psycopg.Connection[Any],
    which: DeliveryFilter,
    *,
    limit: int,
    after: tuple[datetime, int] | None = None,
) -> list[DeliveryRow]:
    """Up to `limit` deliveries, newest first; `after` is (created_at, id) of the last one already seen."""
    conditions = {
        "d.id = any(%(ids)s)": bool(which.ids),
        "c.workspace = %(workspace)s": which.workspace is not None,
        "d.state = any(%(states)s)": bool(which.states),
        "(d.attempts > 0) = %(tried)s": which.tried is not None,
        "d.reason = %(reason)s": which.reason is not None,
        "d.event_name = %(event)s": which.event_name is not None,
        "d.dataset_id = %(dataset)s": which.dataset_id is not None,
        "c.channel_id = %(channel)s": which.channel_id is not None,
        "d.created_at >= %(since)s": which.since is not None,
        "d.created_at < %(until)s": which.until is not None,
        "d.is_test = %(test)s": which.test is not None,
        "(d.created_at, d.id) < (%(after_time)s, %(after_id)s)": after is not None,
    }
    with conn.cursor(row_factory=class_row(DeliveryRow)) as cursor:
        cursor.execute(
            sql.SQL(f"{_DELIVERY} {_where(conditions)} order by d.created_at desc, d.id desc limit %(limit)s"),
            {
                "ids": list(which.ids),
                "workspace": which.workspace,
                "states": list(which.states),
                "tried": which.tried,
                "reason": which.reason,
                "event": which.event_name,
                "dataset": which.dataset_id,
                "channel": which.channel_id,
                "since": which.since,
                "until": which.until,
                "test": which.test,
                "after_time": after and after[0],
                "after_id": after and after[1],
                "limit": limit,
            },
        )
        return cursor.fetchall()


def deliveries_named(conn: psycopg.Connection[Any], reference: str) -> list[DeliveryRow]:
    """The delivery of this id of ours, or else those of this event id."""
    with conn.cursor(row_factory=class_row(DeliveryRow)) as cursor:
        if re.fullmatch("[0-9]{1,18}", reference):
            found = cursor.execute(f"{_DELIVERY} where d.id = %s", [int(reference)]).fetchall()
            if found:
                return found
        return cursor.execute(f"{_DELIVERY} where d.event_id = %s order by d.id", [reference]).fetchall()


def delivery_ids_of(conn: psycopg.Connection[Any], workspace: str, reference: str) -> list[int]:
    """Up to 200 deliveries of a workspace, by the id of a delivery, event, conversion, order or message."""
    rows = conn.execute(
        """
        with named as (
            select id from deliveries where id = %(number)s
            union select id from deliveries where event_id = %(reference)s
            union select d.id from deliveries d join conversions c on c.id = d.conversion_id
                  where c.workspace = %(workspace)s and c.order_id = %(reference)s
            union select d.id from deliveries d join conversions c on c.id = d.conversion_id where c.id = %(uuid)s
            union select d.id from deliveries d join conversions c on c.id = d.conversion_id
                  join touchpoints t on t.id = c.touchpoint_id join messages m on m.id = t.message_id
                  where m.message_id = %(reference)s
                    and m.channel_id in (select id from channels where workspace = %(workspace)s)
        )
        select d.id from named n join deliveries d using (id) join conversions c on c.id = d.conversion_id
        where c.workspace = %(workspace)s order by d.id desc limit 200
        """,
        {
            "workspace": workspace,
            "reference": reference,
            "number": int(reference) if re.fullmatch("[0-9]{1,18}", reference) else None,
            "uuid": _uuid(reference),
        },
    ).fetchall()
    return [int(delivery_id) for (delivery_id,) in rows]


def deliveries_of(conn: psycopg.Connection[Any], conversion_id: UUID) -> list[DeliveryRow]:
    """The deliveries of one conversion, one for each dataset it goes to."""
    with conn.cursor(row_factory=class_row(DeliveryRow)) as cursor:
        return cursor.execute(f"{_DELIVERY} where d.conversion_id = %s order by d.id", [conversion_id]).fetchall()


def states_of_dataset(conn: psycopg.Connection[Any], dataset_id: int) -> dict[str, int]:
    """How many deliveries of a dataset are in each state, test rows included."""
    rows = conn.execute(
        """
        select state, sum(count)::bigint from (
            select state, count from delivery_counts where dataset_id = %(it)s
            union all select state, count(*) from deliveries where state = 'pending' and dataset_id = %(it)s group by 1
            union all select state, count(*) from deliveries where state = 'sending' and dataset_id = %(it)s group by 1
            union all select state, count(*) from deliveries where state = 'waiting' and dataset_id = %(it)s group by 1
            union all select state, count(*) from deliveries where state = 'unknown' and dataset_id = %(it)s group by 1
        ) x group by state having sum(count) > 0 order by state
        """,
        {"it": dataset_id},
    ).fetchall()
    return {state: int(count) for state, count in rows}


@dataclass(frozen=True, kw_only=True)
class WebhookFilter:
    """Which webhooks; what isn't said doesn't matter. `workspace`: those of its channels."""

    workspace: str | None = None
    ids: Sequence[UUID] = ()
    states: Sequence[str] = ()
    channel_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WebhookRow:
    """One webhook without its body. The counts are None until intake has read it."""

    id: UUID
    received_at: datetime
    #: channel, api_key or import; `channel_id` is a channel's id only for the first.
    source: str
    channel_id: int
    channel: str | None
    provider: str | None
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body_bytes: int
    state: str
    reason: str | None
    crashes: int
    messages: int | None
    automatic_events: int | None
    duplicates: int | None
    ignored: dict[str, int] | None
    finished_at: datetime | None
    #: When the body was deleted because somebody in it was erased.
    erased_at: datetime | None


_WEBHOOK = """
select w.id, w.received_at, w.source, w.source_id as channel_id, ch.name as channel, ch.provider, w.method, w.path,
       w.query, w.headers, w.body_bytes, w.state, w.reason, w.crashes, w.messages, w.automatic_events, w.duplicates,
       w.ignored, w.finished_at, w.erased_at
from webhooks w left join channels ch on w.source = 'channel' and ch.id = w.source_id
"""


def list_webhooks(
    conn: psycopg.Connection[Any],
    which: WebhookFilter,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> list[WebhookRow]:
    """Up to `limit` webhooks, newest first; `after` is (received_at, id) of the last one already seen."""
    conditions = {
        "ch.workspace = %(workspace)s": which.workspace is not None,
        "w.id = any(%(ids)s)": bool(which.ids),
        "w.state = any(%(states)s)": bool(which.states),
        "w.source = 'channel' and w.source_id = %(channel)s": which.channel_id is not None,
        "w.received_at >= %(since)s": which.since is not None,
        "w.received_at < %(until)s": which.until is not None,
        "(w.received_at, w.id) < (%(after_time)s, %(after_id)s)": after is not None,
    }
    with conn.cursor(row_factory=class_row(WebhookRow)) as cursor:
        cursor.execute(
            sql.SQL(f"{_WEBHOOK} {_where(conditions)} order by w.received_at desc, w.id desc limit %(limit)s"),
            {
                "workspace": which.workspace,
                "ids": list(which.ids),
                "states": list(which.states),
                "channel": which.channel_id,
                "since": which.since,
                "until": which.until,
                "after_time": after and after[0],
                "after_id": after and after[1],
                "limit": limit,
            },
        )
        return cursor.fetchall()


def webhook_by_id(conn: psycopg.Connection[Any], webhook_id: UUID) -> WebhookRow | None:
    """The webhook of this id, if it hasn't been deleted."""
    with conn.cursor(row_factory=class_row(WebhookRow)) as cursor:
        return cursor.execute(f"{_WEBHOOK} where w.id = %s", [webhook_id]).fetchone()


def webhook_body(conn: psycopg.Connection[Any], webhook: WebhookRow) -> bytes:
    """A webhook's body, sealed under SECRET_KEYS."""
    row = conn.execute(
        "select body from webhooks where received_at = %s and id = %s", [webhook.received_at, webhook.id]
    ).fetchone()
    return bytes(row[0]) if row else b""


def count_rejected_webhooks(conn: psycopg.Connection[Any], *, within: timedelta) -> int:
    """How many webhooks of late could not be read; those of test channels are left out."""
    row = conn.execute(
        """
        select count(*) from webhooks w left join channels ch on w.source = 'channel' and ch.id = w.source_id
        where w.state = 'rejected' and w.received_at > now() - %s and ch.is_test is not true
        """,
        [within],
    ).fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True)
class Unknown:
    """How many deliveries have an unknown outcome, and for how long the oldest one has."""

    count: int
    oldest_seconds: float


def unknown_deliveries(conn: psycopg.Connection[Any]) -> Unknown:
    """Deliveries that Meta may have or not; test rows are left out."""
    row = conn.execute(
        """
        select count(*), coalesce(extract(epoch from now() - min(unknown_since)), 0)::float8
        from deliveries where state = 'unknown' and not is_test
        """
    ).fetchone()
    return Unknown(*row) if row else Unknown(0, 0.0)


@dataclass(frozen=True)
class Expiring:
    """How many deliveries of one dataset expire soon, and when the first of them does."""

    dataset: str
    count: int
    soonest: datetime


def expiring_deliveries(
    conn: psycopg.Connection[Any], *, expires_after: timedelta, within: timedelta, all_held: bool
) -> list[Expiring]:
    """What will be too old soon because its dataset is paused or doesn't send; test rows are left out.

    `all_held`: sending is off or a dry run for every dataset.
    """
    with conn.cursor(row_factory=class_row(Expiring)) as cursor:
        return cursor.execute(
            """
            select s.name as dataset, count(*) as count, min(d.event_time) + %(age)s as soonest
            from deliveries d join datasets s on s.id = d.dataset_id
            where d.state = 'pending' and d.event_time < now() - %(age)s + %(within)s and not d.is_test
              and (s.paused_until > now() or s.sending <> 'on' or %(all)s)
            group by s.name order by soonest
            """,
            {"age": expires_after, "within": within, "all": all_held},
        ).fetchall()


def duplicates_stopped(conn: psycopg.Connection[Any], *, within: timedelta) -> dict[str, int]:
    """What came again of late and changed nothing: {messages, conversions}; test rows are left out."""
    row = conn.execute(
        """
        select (select coalesce(sum(w.duplicates), 0)::bigint
                from webhooks w left join channels ch on w.source = 'channel' and ch.id = w.source_id
                where w.duplicates > 0 and w.received_at > now() - %(within)s and ch.is_test is not true),
               (select count(*) from deliveries
                where state = 'skipped' and reason = 'duplicate' and created_at > now() - %(within)s and not is_test)
        """,
        {"within": within},
    ).fetchone()
    return dict(zip(("messages", "conversions"), row or (0, 0), strict=True))


def day_dropped_at(conn: psycopg.Connection[Any], received_at: datetime) -> datetime | None:
    """When the webhooks of that day were deleted, as upkeep wrote down; None if it didn't."""
    row = conn.execute(
        "select max(at) from audit_log where subject = %s and action = 'webhooks.drop'",
        [f"webhooks_{received_at:%Y%m%d}"],
    ).fetchone()
    return row[0] if row else None


def _where(conditions: dict[str, bool]) -> str:
    chosen = [condition for condition, wanted in conditions.items() if wanted]
    return f"where {' and '.join(chosen)}" if chosen else ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
