"""Lists of people as the console shows them: stage, tags, the last ad and when they were last seen. No names here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class ContactFilter:
    """Which people; what isn't said doesn't matter. `with_test`: test rows as well."""

    workspace: str
    stage: str | None = None
    tag: str | None = None
    with_test: bool = False


@dataclass(frozen=True, kw_only=True)
class ContactRow:
    """One person. `last_ad` is the last touchpoint's headline, or its ad's id."""

    id: int
    created_at: datetime
    stage: str | None
    tags: list[str]
    consent: bool | None
    country: str | None
    erased_at: datetime | None
    is_test: bool
    last_ad: str | None
    last_seen_at: datetime | None


def list_people(
    conn: psycopg.Connection[Any], which: ContactFilter, *, limit: int, after: int | None = None
) -> list[ContactRow]:
    """Up to `limit` people, the newest first; `after` is the id of the last one already seen."""
    conditions = ["c.workspace = %(workspace)s", "c.merged_into is null"]
    conditions += ["c.stage = %(stage)s"] if which.stage else []
    conditions += ["c.tags @> array[%(tag)s]", "c.tags <> '{}'"] if which.tag else []
    conditions += [] if which.with_test else ["not c.is_test"]
    conditions += ["c.id < %(after)s"] if after is not None else []
    with conn.cursor(row_factory=class_row(ContactRow)) as cursor:
        cursor.execute(
            sql.SQL(
                """
                select c.id, c.created_at, c.stage, c.tags, c.consent, c.country, c.erased_at, c.is_test,
                       coalesce(t.headline, t.ad_id) as last_ad, m.received_at as last_seen_at
                from (select * from contacts c where {} order by c.id desc limit %(limit)s) c
                left join lateral (select headline, ad_id from touchpoints where contact_id = c.id
                                   order by occurred_at desc limit 1) t on true
                left join lateral (select received_at from messages where contact_id = c.id
                                   order by received_at desc limit 1) m on true
                order by c.id desc
                """
            ).format(sql.SQL(" and ".join(conditions))),
            {
                "workspace": which.workspace,
                "stage": which.stage,
                "tag": which.tag,
                "after": after,
                "limit": limit,
            },
        )
        return cursor.fetchall()


def stages_of(conn: psycopg.Connection[Any], workspace: str) -> list[str]:
    """The stages that people of a workspace have come to, up to 100; each is one step in an index."""
    rows = conn.execute(
        """
        with recursive found as (
            (select stage from contacts where workspace = %(it)s and stage is not null order by stage limit 1)
            union all
            select (select stage from contacts where workspace = %(it)s and stage > f.stage order by stage limit 1)
            from found f where f.stage is not null
        )
        select stage from found where stage is not null limit 100
        """,
        {"it": workspace},
    ).fetchall()
    return [stage for (stage,) in rows]
