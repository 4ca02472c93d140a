"""The `touchpoints` and `first_touches` tables as attribution reads them, and history taken over from elsewhere.

What messages write there is in `shared.db.messages`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from shared.domain.attribution import DEFAULT_WINDOW, Touch
from shared.domain.messages import MessageClass


@dataclass(frozen=True, kw_only=True, repr=False)
class TouchRow:
    """One touchpoint, with what the set-up of its channel says about it. `has_click_id`: it can still be sent."""

    id: int
    contact_id: int
    channel_id: int
    message_class: str
    click_hash: str | None
    has_click_id: bool
    occurred_at: datetime
    attribution_days: int | None
    post_policy: str

    def touch(self, *, named: str | None) -> Touch:
        """As attribution looks at it; `named` is the click hash that the conversion's report gave."""
        window = DEFAULT_WINDOW if self.attribution_days is None else timedelta(days=self.attribution_days)
        return Touch(
            id=self.id,
            message_class=MessageClass(self.message_class),
            occurred_at=self.occurred_at,
            window=window,
            sends_posts=self.post_policy == "send",
            named=named is not None and self.click_hash == named,
        )


_TOUCH = """
select t.id, coalesce(k.merged_into, k.id) as contact_id, t.channel_id, t.class as message_class, t.click_hash,
       t.click_id is not null as has_click_id, t.occurred_at, d.attribution_days, c.post_policy
from touchpoints t join contacts k on k.id = t.contact_id join channels c on c.id = t.channel_id
left join datasets d on d.id = c.dataset_id
"""


def touches_of(
    conn: psycopg.Connection[Any], workspace: str, contact_ids: Sequence[int], *, click_hashes: Sequence[str] = ()
) -> list[TouchRow]:
    """Every touchpoint of these contacts and of those merged into them, and those of clicks named besides."""
    with conn.cursor(row_factory=class_row(TouchRow)) as cursor:
        cursor.execute(
            f"""
            {_TOUCH} where t.contact_id in (
                select id from contacts where id = any(%(ids)s) or merged_into = any(%(ids)s))
            union
            {_TOUCH} where t.click_hash = any(%(clicks)s) and c.workspace = %(workspace)s
            """,
            {"ids": sorted(set(contact_ids)), "clicks": sorted(set(click_hashes)), "workspace": workspace},
        )
        return cursor.fetchall()


def contacts_of_clicks(conn: psycopg.Connection[Any], clicks: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Whose each click (workspace, hash) is: the contact that the first message with it came from."""
    if not clicks:
        return {}
    rows = conn.execute(
        """
        select distinct on (n.workspace, n.click_hash) n.workspace, n.click_hash, coalesce(k.merged_into, k.id)
        from unnest(%s::text[], %s::text[]) as n (workspace, click_hash)
        -- A table of its own for each click: joined with all of them, or with their channels, whole indexes are read.
        cross join lateral (
            select t.id, t.channel_id, t.contact_id from touchpoints t where t.click_hash = n.click_hash offset 0
        ) t
        join channels c on c.id = t.channel_id and c.workspace = n.workspace
        join contacts k on k.id = t.contact_id
        order by n.workspace, n.click_hash, t.id
        """,
        [[workspace for workspace, _ in clicks], [click_hash for _, click_hash in clicks]],
    ).fetchall()
    return {(workspace, click_hash): contact_id for workspace, click_hash, contact_id in rows}


def set_first_touches(conn: psycopg.Connection[Any], touchpoint_ids: Sequence[int]) -> int:
    """Makes these touchpoints the first of contacts that have none yet; how many. Posts are no ads, and never are.

    Whoever comes first stays: a touchpoint that comes later, though its click is older, is shown beside it.
    """
    if not touchpoint_ids:
        return 0
    return conn.execute(
        """
        insert into first_touches (contact_id, touchpoint_id)
        select distinct on (coalesce(k.merged_into, k.id)) coalesce(k.merged_into, k.id), t.id
        from touchpoints t join contacts k on k.id = t.contact_id
        where t.id = any(%s) and t.class <> 'post'
        order by coalesce(k.merged_into, k.id), t.occurred_at, t.id
        on conflict do nothing
        """,
        [list(touchpoint_ids)],
    ).rowcount


@dataclass(frozen=True, kw_only=True)
class FirstTouch:
    """The ad that first brought a contact, as set; `earlier_id` is an older click that came to be known later."""

    touchpoint_id: int
    occurred_at: datetime
    ad_id: str | None
    headline: str | None
    earlier_id: int | None
    earlier_at: datetime | None


def first_touch(conn: psycopg.Connection[Any], contact_id: int) -> FirstTouch | None:
    """The first touch of a contact, or of the first of those merged into it that had one."""
    with conn.cursor(row_factory=class_row(FirstTouch)) as cursor:
        return cursor.execute(
            """
            with family as materialized (select id from contacts where id = %(id)s or merged_into = %(id)s)
            select f.touchpoint_id, t.occurred_at, t.ad_id, t.headline, e.id as earlier_id, e.occurred_at as earlier_at
            from first_touches f join touchpoints t on t.id = f.touchpoint_id
            left join lateral (
                select e.id, e.occurred_at from touchpoints e
                where e.contact_id in (select id from family) and e.class <> 'post' and e.occurred_at < t.occurred_at
                order by e.occurred_at, e.id limit 1
            ) e on true
            where f.contact_id in (select id from family) order by f.created_at, f.touchpoint_id limit 1
            """,
            {"id": contact_id},
        ).fetchone()


@dataclass(frozen=True, kw_only=True, repr=False)
class ImportedTouchpoint:
    """A click from before this service, as another system kept it."""

    contact_id: int
    channel_id: int
    external_id: str
    occurred_at: datetime
    ad_id: str | None
    source_url: str | None
    headline: str | None
    source_app: str | None
    is_test: bool


def has_external(conn: psycopg.Connection[Any], channel_id: int, external_id: str) -> bool:
    """Whether the channel has a touchpoint that was taken over under this id."""
    row = conn.execute(
        "select exists (select from touchpoints where channel_id = %s and external_id = %s)", [channel_id, external_id]
    ).fetchone()
    return bool(row and row[0])


def insert_imported(conn: psycopg.Connection[Any], touchpoint: ImportedTouchpoint) -> int | None:
    """Stores it; its id, or None if the channel has one of this external id."""
    row = conn.execute(
        """
        insert into touchpoints (contact_id, channel_id, class, source, external_id, occurred_at, ad_id, source_url,
                                 headline, source_app, is_test)
        values (%(contact_id)s, %(channel_id)s, 'ad_without_click_id', 'import', %(external_id)s, %(occurred_at)s,
                %(ad_id)s, %(source_url)s, %(headline)s, %(source_app)s, %(is_test)s)
        on conflict do nothing returning id
        """,
        touchpoint.__dict__,
    ).fetchone()
    return int(row[0]) if row else None
