"""The `conversions` table: the fact that a contact did something, and which touchpoint it belongs to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from shared.db.recordset import as_recordset


@dataclass(frozen=True, kw_only=True, repr=False)
class NewConversion:
    """One conversion; its business key is fixed at birth."""

    id: UUID
    workspace: str
    contact_id: int
    channel_id: int | None
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
    contents: Sequence[Mapping[str, Any]] | None = None
    custom_data: Mapping[str, Any] | None = None
    cost: Decimal | None = None
    flags: Sequence[str] = ()
    given_click_hash: str | None = None
    submission_id: UUID | None = None
    rule_id: int | None = None
    rule_version: int | None = None
    message_id: int | None = None
    due_after: timedelta | None = None


_COLUMNS = (
    "id, workspace, contact_id, channel_id, event_name, occurred_at, value, currency, order_id, source, touchpoint_id,"
    " attribution, business_key, click_hash, is_test, contents, custom_data, cost, flags, given_click_hash,"
    " submission_id, rule_id, rule_version, message_id, due_after"
)
_INSERT = f"""
insert into conversions ({_COLUMNS}) select {_COLUMNS} from jsonb_populate_recordset(null::conversions, %s)
on conflict do nothing
returning id
"""


def insert_conversions(conn: psycopg.Connection[Any], conversions: Sequence[NewConversion]) -> set[UUID]:
    """Stores conversions that are not known yet; the ids of those stored."""
    if not conversions:
        return set()
    # Sorted, so that two workers with the same click wait for each other instead of deadlocking.
    ordered = sorted(conversions, key=lambda one: (one.workspace, one.event_name, one.business_key))
    rows = conn.execute(_INSERT, [as_recordset(conversion.__dict__ for conversion in ordered)]).fetchall()
    return {conversion_id for (conversion_id,) in rows}


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
        where c.touchpoint_id = k.touchpoint_id and c.click_hash is null and c.source in ('message', 'meta_automatic')
          and not exists (select from conversions o where o.workspace = c.workspace and o.event_name = c.event_name
                          and o.click_hash = k.click_hash and o.order_id is null)
        returning c.id, c.touchpoint_id
        """,
        [list(clicks), list(clicks.values())],
    ).fetchall()
    if not rows:
        return set()
    conn.execute(
        """
        update deliveries set state = 'pending', reason = null, next_attempt_at = now(), finished_at = null,
               updated_at = now()
        where conversion_id = any(%s) and state = 'skipped' and reason = 'no_click_id'
        """,
        [[conversion_id for conversion_id, _ in rows]],
    )
    return {touchpoint_id for _, touchpoint_id in rows}


@dataclass(frozen=True, kw_only=True, repr=False)
class StoredConversion:
    """What is known of a stored conversion, as far as another report of it needs."""

    id: UUID
    contact_id: int
    channel_id: int | None
    event_name: str
    occurred_at: datetime
    value: Decimal | None
    currency: str | None
    touchpoint_id: int | None
    attribution: str
    order_id: str | None
    business_key: str
    click_hash: str | None
    flags: list[str]
    due_after: timedelta | None
    created_at: datetime


_STORED = """
select id, contact_id, channel_id, event_name, occurred_at, value, currency, touchpoint_id, attribution, order_id,
       business_key, click_hash, flags, due_after, created_at
from conversions
"""


@dataclass(frozen=True, kw_only=True)
class KnownBy:
    """By what a conversion of this name may be known already: one of these keys, or its click, which may have it once.

    `keys` are asked before the click.
    """

    event_name: str
    keys: tuple[str, ...]
    click_hash: str | None = None


def find_conversions(
    conn: psycopg.Connection[Any], workspace: str, wanted: Sequence[KnownBy], *, lock: bool = True
) -> list[StoredConversion | None]:
    """For each of these the conversion it is known as, the oldest if several; locked unless told otherwise."""
    keys = sorted({(one.event_name, key) for one in wanted for key in one.keys})
    clicks = sorted({(one.event_name, one.click_hash) for one in wanted if one.click_hash is not None})
    with conn.cursor(row_factory=class_row(StoredConversion)) as cursor:
        found = cursor.execute(
            # A look of its own for each key: joined with all of them at once, whole indexes would be read.
            f"""
            with known as materialized (
                select c.id, c.created_at from unnest(%(of_keys)s::text[], %(keys)s::text[]) as k (event_name, key)
                cross join lateral (
                    select id, created_at from conversions where workspace = %(workspace)s
                      and event_name = k.event_name and business_key = k.key offset 0) c
                union
                select c.id, c.created_at from unnest(%(of_clicks)s::text[], %(clicks)s::text[]) as k (event_name, hash)
                cross join lateral (
                    select id, created_at from conversions where workspace = %(workspace)s
                      and event_name = k.event_name and click_hash = k.hash and order_id is null offset 0) c
            )
            {_STORED} where id = any(array(select id from known)) order by id {"for no key update" if lock else ""}
            """,
            {
                "workspace": workspace,
                "of_keys": [event_name for event_name, _ in keys],
                "keys": [key for _, key in keys],
                "of_clicks": [event_name for event_name, _ in clicks],
                "clicks": [click_hash for _, click_hash in clicks],
            },
        ).fetchall()
    by_key = {(one.event_name, one.business_key): one for one in found}
    by_click = {(one.event_name, one.click_hash): one for one in found if one.click_hash and one.order_id is None}
    known = []
    for one in wanted:
        of_keys = [by_key[one.event_name, key] for key in one.keys if (one.event_name, key) in by_key]
        oldest = min(of_keys, key=lambda stored: stored.created_at, default=None)
        of_click = by_click.get((one.event_name, one.click_hash)) if one.click_hash else None
        known.append(oldest or of_click)
    return known


def conversions_of_orders(
    conn: psycopg.Connection[Any], workspace: str, order_ids: Sequence[str]
) -> list[StoredConversion]:
    """Everything reported of orders with these ids, by whatever shop; oldest first."""
    if not order_ids:
        return []
    with conn.cursor(row_factory=class_row(StoredConversion)) as cursor:
        cursor.execute(
            f"{_STORED} where workspace = %s and order_id = any(%s) order by occurred_at, id",
            [workspace, sorted(set(order_ids))],
        )
        return cursor.fetchall()


def lock_orders(conn: psycopg.Connection[Any], workspace: str, keys: Iterable[str]) -> None:
    """Makes others who store something of these orders wait until this transaction ends."""
    _lock(conn, {f"order\x1f{workspace}\x1f{key}" for key in keys})


def lock_clicks(conn: psycopg.Connection[Any], workspace_clicks: Iterable[tuple[str, str]]) -> None:
    """Makes others who store these clicks (workspace, hash), or what names them, wait until this transaction ends."""
    _lock(conn, {f"click\x1f{workspace}\x1f{click_hash}" for workspace, click_hash in workspace_clicks})


def _lock(conn: psycopg.Connection[Any], names: set[str]) -> None:
    if names:
        # Sorted, so that two workers wait for each other instead of deadlocking.
        conn.execute(
            "select count(pg_advisory_xact_lock(hashtextextended(k, 0))) from unnest(%s::text[]) k", [sorted(names)]
        )


def twins_among(conn: psycopg.Connection[Any], conversions: Sequence[tuple[NewConversion, Sequence[int]]]) -> set[UUID]:
    """Which of these another source has reported within a day, by amount; each comes with its contact's family."""
    if not conversions:
        return set()
    rows = conn.execute(
        """
        select distinct n.id
        from jsonb_to_recordset(%s) as n (id uuid, contact_id bigint, event_name text, value numeric, currency text,
                                          source text, occurred_at timestamptz)
        cross join lateral (
            select from conversions c where c.contact_id = n.contact_id and c.event_name = n.event_name
              and c.value = n.value and c.currency = n.currency and c.source <> n.source and c.id <> n.id
              and c.occurred_at between n.occurred_at - interval '24 hours' and n.occurred_at + interval '24 hours'
            limit 1
        ) twin
        """,
        [
            as_recordset(
                {name: getattr(one, name) for name in _TWIN} | {"contact_id": contact_id}
                for one, family in conversions
                for contact_id in family
            )
        ],
    ).fetchall()
    return {conversion_id for (conversion_id,) in rows}


_TWIN = ("id", "event_name", "value", "currency", "source", "occurred_at")


def set_value(
    conn: psycopg.Connection[Any], conversion_id: UUID, value: Decimal, currency: str, flags: Sequence[str]
) -> None:
    """Gives a conversion that nothing was sent of its value."""
    conn.execute(
        "update conversions set value = %s, currency = %s,"
        " flags = (select array(select distinct unnest(flags || %s::text[]) order by 1)) where id = %s",
        [value, currency, list(flags), conversion_id],
    )


def conversions_that_name(
    conn: psycopg.Connection[Any], clicks: Sequence[tuple[str, str]]
) -> list[tuple[str, str, int]]:
    """Conversions that wait for the message of the click they named: (workspace, click hash, contact) of each."""
    if not clicks:
        return []
    return conn.execute(
        """
        select distinct c.workspace, c.given_click_hash, coalesce(k.merged_into, k.id)
        from unnest(%s::text[], %s::text[]) as n (workspace, given_click_hash)
        join conversions c using (workspace, given_click_hash) join contacts k on k.id = c.contact_id
        where c.touchpoint_id is null
        """,
        [[workspace for workspace, _ in clicks], [click_hash for _, click_hash in clicks]],
    ).fetchall()


def conversion_by_id(conn: psycopg.Connection[Any], conversion_id: UUID) -> NewConversion:
    """The conversion as stored. Raises LookupError."""
    with conn.cursor(row_factory=class_row(NewConversion)) as cursor:
        found = cursor.execute(f"select {_COLUMNS} from conversions where id = %s", [conversion_id]).fetchone()
    if found is None:
        raise LookupError("a conversion that is not there")
    return found


def contacts_that_wait(conn: psycopg.Connection[Any], clicks: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The contact of the first report that named each click (workspace, hash), where no message has brought it yet."""
    if not clicks:
        return {}
    rows = conn.execute(
        """
        select n.workspace, n.click_hash, w.contact_id
        from unnest(%s::text[], %s::text[]) as n (workspace, click_hash)
        cross join lateral (
            select coalesce(k.merged_into, k.id) as contact_id from conversions c join contacts k on k.id = c.contact_id
            where c.workspace = n.workspace and c.given_click_hash = n.click_hash and c.touchpoint_id is null
            order by c.created_at limit 1
        ) w
        """,
        [[workspace for workspace, _ in clicks], [click_hash for _, click_hash in clicks]],
    ).fetchall()
    return {(workspace, click_hash): contact_id for workspace, click_hash, contact_id in rows}


@dataclass(frozen=True, kw_only=True, repr=False)
class Reattributable:
    """A conversion of which nothing was sent, so that a click that comes late may still become its own."""

    id: UUID
    workspace: str
    contact_id: int
    event_name: str
    occurred_at: datetime
    order_id: str | None
    business_key: str
    touchpoint_id: int | None
    attribution: str
    given_click_hash: str | None
    flags: list[str]
    source: str
    is_test: bool


def reattributable_conversions(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> list[Reattributable]:
    """Reported conversions of these contacts and of those merged into them, of which nothing was sent; locked.

    Purchases come first: what else is reported of an order is of their click.
    """
    with conn.cursor(row_factory=class_row(Reattributable)) as cursor:
        cursor.execute(
            """
            select c.id, c.workspace, coalesce(k.merged_into, k.id) as contact_id, c.event_name, c.occurred_at,
                   c.order_id, c.business_key, c.touchpoint_id, c.attribution, c.given_click_hash, c.flags, c.source,
                   c.is_test
            from conversions c join contacts k on k.id = c.contact_id
            where c.contact_id in (select id from contacts where id = any(%(ids)s) or merged_into = any(%(ids)s))
              and c.source in ('api', 'csv', 'rule')
              and not exists (
                  select from deliveries d where d.conversion_id = c.id
                  and not (d.state in ('pending', 'waiting') and d.resent = 0
                           or d.state = 'skipped' and d.reason in ('unattributed', 'no_click_id')))
            order by c.event_name = 'Purchase' desc, c.occurred_at, c.id for no key update of c
            """,
            {"ids": sorted(set(contact_ids))},
        )
        return cursor.fetchall()


def attribute_anew(
    conn: psycopg.Connection[Any], conversion_id: UUID, *, touchpoint_id: int | None, reason: str, flags: Sequence[str]
) -> None:
    """Gives a conversion to another touchpoint. What may happen once per click keeps to that, where it can."""
    conn.execute(
        """
        update conversions c set touchpoint_id = %(touchpoint)s, attribution = %(reason)s, attributed_at = now(),
               flags = %(flags)s, channel_id = coalesce(c.channel_id, t.channel_id),
               click_hash = case
                   when c.order_id is not null or c.business_key !~ '^(click|contact):' then c.click_hash
                   when exists (select from conversions o where o.workspace = c.workspace and o.id <> c.id
                                and o.event_name = c.event_name and o.click_hash = t.click_hash and o.order_id is null)
                       then c.click_hash
                   else t.click_hash end
        from (select t.channel_id, t.click_hash from (select 1) one left join touchpoints t on t.id = %(touchpoint)s) t
        where c.id = %(id)s
        """,
        {"id": conversion_id, "touchpoint": touchpoint_id, "reason": reason, "flags": list(flags)},
    )
