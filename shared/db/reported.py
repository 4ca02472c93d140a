"""Reading conversions as people and the API see them: state, attribution, deliveries, changes, who reported them.

Lists go newest first and continue after the last row of the page before (keyset pagination).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class ConversionFilter:
    """Which conversions; what isn't said doesn't matter. `attributed` and `test` None are both."""

    workspace: str | None = None
    ids: Sequence[UUID] = ()
    event_names: Sequence[str] = ()
    sources: Sequence[str] = ()
    delivery_states: Sequence[str] = ()
    channel_id: int | None = None
    contact_ids: Sequence[int] = ()
    order_id: str | None = None
    attributed: bool | None = None
    flag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    test: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ReportedRow:
    """One conversion with what stands around it. `states` are its deliveries', `reasons` beside them; most have one.

    `contact_id` is the contact by now, `ad_id` and `headline` the touchpoint's ad.
    """

    id: UUID
    workspace: str
    channel: str | None
    contact_id: int
    event_name: str
    occurred_at: datetime
    created_at: datetime
    value: Decimal | None
    currency: str | None
    cost: Decimal | None
    order_id: str | None
    source: str
    attribution: str
    attributed_at: datetime
    touchpoint_id: int | None
    touched_at: datetime | None
    ad_id: str | None
    headline: str | None
    flags: list[str]
    submission_id: UUID | None
    rule_id: int | None
    rule: str | None
    rule_version: int | None
    #: The provider's id of the message that the rule fired on.
    rule_message: str | None
    is_test: bool
    states: list[str]
    reasons: list[str | None]
    delivery_ids: list[int]


_REPORTED = """
select c.id, c.workspace, ch.name as channel, coalesce(k.merged_into, k.id) as contact_id, c.event_name, c.occurred_at,
       c.created_at, c.value, c.currency, c.cost, c.order_id, c.source, c.attribution, c.attributed_at,
       c.touchpoint_id, t.occurred_at as touched_at, t.ad_id, t.headline, c.flags, c.submission_id, c.rule_id,
       r.name as rule, c.rule_version, m.message_id as rule_message, c.is_test, coalesce(d.states, '{}') as states,
       coalesce(d.reasons, '{}') as reasons, coalesce(d.ids, '{}') as delivery_ids
from conversions c
join contacts k on k.id = c.contact_id
left join channels ch on ch.id = c.channel_id
left join touchpoints t on t.id = c.touchpoint_id
left join rules r on r.id = c.rule_id
left join messages m on m.id = c.message_id
left join lateral (
    select array_agg(d.state order by d.id) as states, array_agg(d.reason order by d.id) as reasons,
           array_agg(d.id order by d.id) as ids
    from deliveries d where d.conversion_id = c.id
) d on true
"""


def list_conversions(
    conn: psycopg.Connection[Any],
    which: ConversionFilter,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> list[ReportedRow]:
    """Up to `limit` conversions, the latest first; `after` is (occurred_at, id) of the last one already seen."""
    conditions = {
        "c.workspace = %(workspace)s": which.workspace is not None,
        "c.id = any(%(ids)s)": bool(which.ids),
        "c.event_name = any(%(events)s)": bool(which.event_names),
        "c.source = any(%(sources)s)": bool(which.sources),
        "d.states && %(states)s": bool(which.delivery_states),
        "c.channel_id = %(channel)s": which.channel_id is not None,
        "c.contact_id = any(%(contacts)s)": bool(which.contact_ids),
        "c.order_id = %(order)s": which.order_id is not None,
        "(c.touchpoint_id is not null) = %(attributed)s": which.attributed is not None,
        "%(flag)s = any(c.flags)": which.flag is not None,
        "c.occurred_at >= %(since)s": which.since is not None,
        "c.occurred_at < %(until)s": which.until is not None,
        "c.is_test = %(test)s": which.test is not None,
        "(c.occurred_at, c.id) < (%(after_time)s, %(after_id)s)": after is not None,
    }
    chosen = [condition for condition, wanted in conditions.items() if wanted]
    where = f"where {' and '.join(chosen)}" if chosen else ""
    with conn.cursor(row_factory=class_row(ReportedRow)) as cursor:
        cursor.execute(
            sql.SQL(f"{_REPORTED} {where} order by c.occurred_at desc, c.id desc limit %(limit)s"),
            {
                "workspace": which.workspace,
                "ids": list(which.ids),
                "events": list(which.event_names),
                "sources": list(which.sources),
                "states": list(which.delivery_states),
                "channel": which.channel_id,
                "contacts": list(which.contact_ids),
                "order": which.order_id,
                "attributed": which.attributed,
                "flag": which.flag,
                "since": which.since,
                "until": which.until,
                "test": which.test,
                "after_time": after and after[0],
                "after_id": after and after[1],
                "limit": limit,
            },
        )
        return cursor.fetchall()


@dataclass(frozen=True, kw_only=True)
class SubmissionRow:
    """What became of one reported item; `api_key` is the name of the key it came with."""

    id: UUID
    kind: str
    source: str
    api_key: str | None
    state: str
    reason: str | None
    detail: str | None
    contact_id: int | None
    conversion_id: UUID | None
    webhook_id: UUID
    webhook_received_at: datetime
    is_test: bool


_SUBMISSION = """
select s.id, s.kind, s.source, k.name as api_key, s.state, s.reason, s.detail, s.contact_id, s.conversion_id,
       s.webhook_id, s.webhook_received_at, s.is_test
from submissions s left join api_keys k on k.id = s.api_key_id
"""


def submissions_of(conn: psycopg.Connection[Any], conversion_id: UUID) -> list[SubmissionRow]:
    """Everything that was reported of a conversion, oldest first."""
    with conn.cursor(row_factory=class_row(SubmissionRow)) as cursor:
        return cursor.execute(f"{_SUBMISSION} where s.conversion_id = %s order by s.id", [conversion_id]).fetchall()


def submission_by_id(conn: psycopg.Connection[Any], submission_id: UUID) -> SubmissionRow | None:
    """What became of one item; None while intake has not read it, or if it isn't one."""
    with conn.cursor(row_factory=class_row(SubmissionRow)) as cursor:
        return cursor.execute(f"{_SUBMISSION} where s.id = %s", [submission_id]).fetchone()
