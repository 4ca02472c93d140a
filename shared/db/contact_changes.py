"""The `contact_changes` table: stages, tags and consent with their history; `contacts` holds what the newest say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class ContactChange:
    """One thing said or done about a contact. `kind` is the table's: stage, tag_added, consent_given, …

    `value` is the stage or tag, or where consent came from.
    """

    contact_id: int
    kind: str
    value: str | None
    occurred_at: datetime
    source: str
    actor: str | None = None
    rule_id: int | None = None
    submission_id: UUID | None = None


def insert_contact_change(conn: psycopg.Connection[Any], change: ContactChange) -> bool:
    """Stores a change; False if the very same is known: of that contact, at that time."""
    return (
        conn.execute(
            """
            insert into contact_changes (contact_id, kind, value, occurred_at, source, actor, rule_id, submission_id)
            select %(contact_id)s, %(kind)s, %(value)s, %(occurred_at)s, %(source)s, %(actor)s, %(rule_id)s,
                   %(submission_id)s
            where not exists (select from contact_changes where contact_id = %(contact_id)s and kind = %(kind)s
                              and value is not distinct from %(value)s::text and occurred_at = %(occurred_at)s)
            on conflict do nothing
            """,
            change.__dict__,
        ).rowcount
        == 1
    )


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What holds of a contact now. `consent` None: never asked."""

    contact_id: int
    stage: str | None
    tags: tuple[str, ...]
    consent: bool | None


def refresh_contact(conn: psycopg.Connection[Any], contact_id: int) -> tuple[Standing, Standing]:
    """Writes onto a contact what the newest changes say, of its own and of those merged into it; (before, after)."""
    before = standing(conn, contact_id)
    conn.execute(
        """
        with history as materialized (
            select id, kind, value, occurred_at from contact_changes
            where contact_id in (select id from contacts where id = %(id)s or merged_into = %(id)s)
        ), stage as (
            select value, occurred_at from history where kind = 'stage' order by occurred_at desc, id desc limit 1
        ), consent as (
            select kind = 'consent_given' as given, occurred_at from history
            where kind in ('consent_given', 'consent_withdrawn')
            -- Of a yes and a no at the same moment, the no counts.
            order by occurred_at desc, kind desc, id desc limit 1
        ), tags as (
            select array_agg(value order by value) filter (where kind = 'tag_added') as held from (
                select distinct on (value) value, kind from history where kind in ('tag_added', 'tag_removed')
                order by value, occurred_at desc, id desc) newest
        )
        update contacts set
            stage = coalesce((select value from stage), stage),
            stage_at = coalesce((select occurred_at from stage), stage_at),
            consent = coalesce((select given from consent), consent),
            consent_at = coalesce((select occurred_at from consent), consent_at),
            tags = case when exists (select from history where kind in ('tag_added', 'tag_removed'))
                        then coalesce((select held from tags), '{}') else tags end
        where id = %(id)s
        """,
        {"id": contact_id},
    )
    return before, standing(conn, contact_id)


def consents(conn: psycopg.Connection[Any], contact_ids: Iterable[int]) -> dict[int, bool | None]:
    """Whether each of these contacts agreed; a merged contact's word is that of the one it was merged into."""
    rows = conn.execute(
        """
        select c.id, r.consent from contacts c join contacts r on r.id = coalesce(c.merged_into, c.id)
        where c.id = any(%s)
        """,
        [sorted(set(contact_ids))],
    ).fetchall()
    return dict(rows)


@dataclass(frozen=True, kw_only=True)
class ContactChangeRow:
    """One change as stored."""

    kind: str
    value: str | None
    occurred_at: datetime
    source: str
    actor: str | None
    rule_id: int | None
    submission_id: UUID | None


def contact_changes(conn: psycopg.Connection[Any], contact_id: int, *, limit: int = 100) -> Sequence[ContactChangeRow]:
    """The newest changes of a contact and of those merged into it."""
    with conn.cursor(row_factory=class_row(ContactChangeRow)) as cursor:
        return cursor.execute(
            """
            select kind, value, occurred_at, source, actor, rule_id, submission_id from contact_changes
            where contact_id in (select id from contacts where id = %(id)s or merged_into = %(id)s)
            order by occurred_at desc, id desc limit %(limit)s
            """,
            {"id": contact_id, "limit": limit},
        ).fetchall()


def has_tag(conn: psycopg.Connection[Any], contact_id: int, tag: str) -> bool:
    """Whether a contact, or what it was merged into, has a tag now."""
    row = conn.execute(
        "select exists (select from contacts c join contacts r on r.id = coalesce(c.merged_into, c.id)"
        " where c.id = %s and %s = any(r.tags))",
        [contact_id, tag],
    ).fetchone()
    return bool(row and row[0])


def standing(conn: psycopg.Connection[Any], contact_id: int) -> Standing:
    """What holds of a contact now. Raises LookupError if it isn't there."""
    row = conn.execute("select stage, tags, consent from contacts where id = %s", [contact_id]).fetchone()
    if row is None:
        raise LookupError("a change of a contact that is not there")
    return Standing(contact_id=contact_id, stage=row[0], tags=tuple(row[1]), consent=row[2])
