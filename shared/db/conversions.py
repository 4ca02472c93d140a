"""The `conversions` table: the fact that a contact did something, and which touchpoint it belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg


@dataclass(frozen=True, kw_only=True, repr=False)
class NewConversion:
    """One conversion; its business key is fixed at birth."""

    id: UUID
    workspace: str
    contact_id: int
    channel_id: int
    event_name: str
    occurred_at: datetime
    value: Decimal | None
    currency: str | None
    order_id: str | None
    source: str
    touchpoint_id: int | None
    attribution: str
    business_key: str
    click_hash: str | None
    is_test: bool


_INSERT = """
insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, value, currency, order_id,
                         source, touchpoint_id, attribution, business_key, click_hash, is_test)
values (%(id)s, %(workspace)s, %(contact_id)s, %(channel_id)s, %(event_name)s, %(occurred_at)s, %(value)s,
        %(currency)s, %(order_id)s, %(source)s, %(touchpoint_id)s, %(attribution)s, %(business_key)s, %(click_hash)s,
        %(is_test)s)
on conflict do nothing
returning id
"""


def insert_conversions(conn: psycopg.Connection[Any], conversions: Sequence[NewConversion]) -> set[UUID]:
    """Stores conversions that are not known yet; the ids of those stored."""
    if not conversions:
        return set()
    # Sorted, so that two workers with the same click wait for each other instead of deadlocking.
    ordered = sorted(conversions, key=lambda one: (one.workspace, one.event_name, one.business_key))
    stored: set[UUID] = set()
    with conn.cursor() as cursor:
        cursor.executemany(_INSERT, [conversion.__dict__ for conversion in ordered], returning=True)
        for result in cursor.results():
            stored.update(row[0] for row in result.fetchall())
    return stored


def complete_with_clicks(conn: psycopg.Connection[Any], clicks: Mapping[int, str]) -> set[int]:
    """Click ids (as hashes) that came later for touchpoints: lets the deliveries of their conversions go.

    Returns the touchpoints completed. One whose click has a conversion of its own already is left as it is.
    """
    if not clicks:
        return set()
    rows = conn.execute(
        """
        update conversions c set click_hash = k.click_hash, attribution = 'click_id_came_later'
        from unnest(%s::bigint[], %s::text[]) as k (touchpoint_id, click_hash)
        where c.touchpoint_id = k.touchpoint_id and c.click_hash is null
          and not exists (select from conversions o where o.workspace = c.workspace and o.event_name = c.event_name
                          and o.click_hash = k.click_hash and o.order_id is null)
        returning c.id, c.touchpoint_id
        """,
        [list(clicks), list(clicks.values())],
    ).fetchall()
    conn.execute(
        """
        update deliveries set state = 'pending', reason = null, next_attempt_at = now(), finished_at = null,
               updated_at = now()
        where conversion_id = any(%s) and state = 'skipped' and reason = 'no_click_id'
        """,
        [[conversion_id for conversion_id, _ in rows]],
    )
    return {touchpoint_id for _, touchpoint_id in rows}
