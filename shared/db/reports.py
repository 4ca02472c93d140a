"""Reading for the API, always within one workspace: conversions, touchpoints, and what became of reported items.

Lists continue after the last row of the page before (keyset pagination), in either direction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from shared.domain.submission_forms import MAX_ITEMS


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Which part of a list: `after` is (time, id) of the last row already seen."""

    limit: int = 50
    ascending: bool = False
    after: tuple[datetime, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class ConversionFilter:
    """Which conversions; what isn't said doesn't matter. `test` None is both, times are aware."""

    ids: Sequence[UUID] = ()
    contact_ids: Sequence[int] = ()
    order_id: str | None = None
    event_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    test: bool | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class ReportedConversion:
    """One conversion with the ad it belongs to. `contact_id` is who the person is by now."""

    id: UUID
    contact_id: int
    channel: str | None
    event_name: str
    occurred_at: datetime
    created_at: datetime
    value: Decimal | None
    currency: str | None
    order_id: str | None
    source: str
    attribution: str
    flags: list[str]
    touchpoint_id: int | None
    touched_at: datetime | None
    ad_id: str | None
    ad_name: str | None
    campaign_id: str | None
    campaign_name: str | None
    rule_id: int | None
    is_test: bool


_AD = """
left join lateral (
    select a.ad_name, a.campaign_id, a.campaign_name from ads a join ad_accounts o on o.id = a.account_id
    where a.ad_id = t.ad_id and o.workspace = %(workspace)s order by a.updated_at desc limit 1
) ad on true
"""
_CONVERSION = f"""
select c.id, coalesce(k.merged_into, k.id) as contact_id, ch.name as channel, c.event_name, c.occurred_at,
       c.created_at, c.value, c.currency, c.order_id, c.source, c.attribution, c.flags, c.touchpoint_id,
       t.occurred_at as touched_at, t.ad_id, ad.ad_name, ad.campaign_id, ad.campaign_name, c.rule_id, c.is_test
from conversions c
join contacts k on k.id = c.contact_id
left join channels ch on ch.id = c.channel_id
left join touchpoints t on t.id = c.touchpoint_id
{_AD}
"""


def list_conversions(
    conn: psycopg.Connection[Any], workspace: str, which: ConversionFilter, part: Slice
) -> list[ReportedConversion]:
    """The conversions of a workspace by the time they happened."""
    conditions = {
        "c.workspace = %(workspace)s": True,
        "c.id = any(%(ids)s)": bool(which.ids),
        "c.contact_id = any(%(contacts)s)": bool(which.contact_ids),
        "c.order_id = %(order_id)s": which.order_id is not None,
        "c.event_name = %(event_name)s": which.event_name is not None,
        "c.occurred_at >= %(since)s": which.since is not None,
        "c.occurred_at < %(until)s": which.until is not None,
        "c.is_test = %(test)s": which.test is not None,
    }
    values = {
        "workspace": workspace,
        "ids": list(which.ids),
        "contacts": list(which.contact_ids),
        "order_id": which.order_id,
        "event_name": which.event_name,
        "since": which.since,
        "until": which.until,
        "test": which.test,
    }
    query = _sliced(_CONVERSION, conditions, part, time="c.occurred_at", key="c.id")
    with conn.cursor(row_factory=class_row(ReportedConversion)) as cursor:
        return cursor.execute(query, values | _values(part)).fetchall()


@dataclass(frozen=True, kw_only=True)
class DeliveryState:
    """Where one delivery of a conversion is."""

    id: int
    conversion_id: UUID
    dataset: str
    state: str
    reason: str | None


def delivery_states(conn: psycopg.Connection[Any], conversion_ids: Sequence[UUID]) -> dict[UUID, list[DeliveryState]]:
    """The deliveries of each of these conversions; of one without any, an empty list."""
    found: dict[UUID, list[DeliveryState]] = {conversion_id: [] for conversion_id in conversion_ids}
    with conn.cursor(row_factory=class_row(DeliveryState)) as cursor:
        rows = cursor.execute(
            "select d.id, d.conversion_id, s.name as dataset, d.state, d.reason from deliveries d"
            " join datasets s on s.id = d.dataset_id where d.conversion_id = any(%s) order by d.id",
            [list(conversion_ids)],
        ).fetchall()
    for row in rows:
        found[row.conversion_id].append(row)
    return found


@dataclass(frozen=True, kw_only=True, repr=False)
class Touch:
    """One ad message, or one taken over from another system; whether it has a click id, never the id itself."""

    id: int
    contact_id: int
    channel: str
    occurred_at: datetime
    message_class: str
    source: str
    external_id: str | None
    has_click_id: bool
    ad_id: str | None
    ad_name: str | None
    campaign_id: str | None
    campaign_name: str | None
    headline: str | None
    source_url: str | None
    source_app: str | None
    first_reply_at: datetime | None
    is_test: bool


_TOUCH = f"""
select t.id, coalesce(k.merged_into, k.id) as contact_id, ch.name as channel, t.occurred_at,
       t.class as message_class, t.source, t.external_id, t.click_id is not null as has_click_id, t.ad_id, ad.ad_name,
       ad.campaign_id, ad.campaign_name, t.headline, t.source_url, t.source_app, t.first_reply_at, t.is_test
from touchpoints t
join channels ch on ch.id = t.channel_id
join contacts k on k.id = t.contact_id
{_AD}
"""


def list_touches(
    conn: psycopg.Connection[Any],
    workspace: str,
    part: Slice,
    *,
    contact_ids: Sequence[int] = (),
    ad_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Touch]:
    """The touchpoints of a workspace by the time they happened."""
    conditions = {
        "ch.workspace = %(workspace)s": True,
        "t.contact_id = any(%(contacts)s)": bool(contact_ids),
        "t.ad_id = %(ad_id)s": ad_id is not None,
        "t.occurred_at >= %(since)s": since is not None,
        "t.occurred_at < %(until)s": until is not None,
    }
    values = {
        "workspace": workspace,
        "contacts": list(contact_ids),
        "ad_id": ad_id,
        "since": since,
        "until": until,
    }
    query = _sliced(_TOUCH, conditions, part, time="t.occurred_at", key="t.id")
    with conn.cursor(row_factory=class_row(Touch)) as cursor:
        return cursor.execute(query, values | _values(part)).fetchall()


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What became of one reported item."""

    id: UUID
    kind: str
    source: str
    received_at: datetime
    state: str
    reason: str | None
    detail: str | None
    contact_id: int | None
    conversion_id: UUID | None
    is_test: bool


def submission_by_id(conn: psycopg.Connection[Any], workspace: str, item: UUID) -> Submission | None:
    """What became of an item; None when nobody has looked at it yet, or there is no such item."""
    with conn.cursor(row_factory=class_row(Submission)) as cursor:
        return cursor.execute(
            "select id, kind, source, webhook_received_at as received_at, state, reason, detail, contact_id,"
            " conversion_id, is_test from submissions where id = %s and workspace = %s",
            [item, workspace],
        ).fetchone()


def submissions_of(conn: psycopg.Connection[Any], workspace: str, conversion_id: UUID) -> list[Submission]:
    """Every report that made, changed or repeated a conversion, oldest first."""
    with conn.cursor(row_factory=class_row(Submission)) as cursor:
        return cursor.execute(
            "select id, kind, source, webhook_received_at as received_at, state, reason, detail, contact_id,"
            " conversion_id, is_test from submissions where conversion_id = %s and workspace = %s"
            " order by webhook_received_at, id",
            [conversion_id, workspace],
        ).fetchall()


@dataclass(frozen=True, kw_only=True)
class WaitingRequest:
    """The request that an item came with, which nobody has read yet or could read."""

    id: UUID
    received_at: datetime
    path: str
    state: str
    reason: str | None


def request_of_item(conn: psycopg.Connection[Any], workspace: str, item: UUID) -> WaitingRequest | None:
    """The request of this workspace that may hold the item: an item's id is its request's plus its place in it."""
    first = UUID(int=max(0, item.int - MAX_ITEMS + 1))
    with conn.cursor(row_factory=class_row(WaitingRequest)) as cursor:
        return cursor.execute(
            """
            select w.id, w.received_at, w.path, w.state, w.reason from webhooks w
            where w.id between %(first)s and %(item)s
              and ((w.source = 'api_key' and w.source_id in (select id from api_keys where workspace = %(workspace)s))
                or (w.source = 'import' and w.source_id in (select id from workspaces where name = %(workspace)s)))
            order by w.id desc limit 1
            """,
            {"first": first, "item": item, "workspace": workspace},
        ).fetchone()


def _sliced(select: str, conditions: Mapping[str, bool], part: Slice, *, time: str, key: str) -> sql.SQL:
    """The statement of one page. All its parts are constants of this module."""
    chosen = [condition for condition, wanted in conditions.items() if wanted]
    if part.after is not None:
        chosen.append(f"({time}, {key}) {'>' if part.ascending else '<'} (%(after_time)s, %(after_id)s)")
    way = "asc" if part.ascending else "desc"
    return sql.SQL(f"{select} where {' and '.join(chosen)} order by {time} {way}, {key} {way} limit %(limit)s")


def _values(part: Slice) -> dict[str, Any]:
    after = part.after or (None, None)
    return {"limit": part.limit, "after_time": after[0], "after_id": after[1]}
