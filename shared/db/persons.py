"""All that is held about one person, over all the contacts that were merged: for looking, exporting and erasing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row


@dataclass(frozen=True, kw_only=True, repr=False)
class StoredIdentity:
    """One name of a person. `ciphertext` is None where the workspace keeps hashes only."""

    contact_id: int
    kind: str
    hash_key: str
    hash: bytes
    ciphertext: bytes | None


def contact_group(conn: psycopg.Connection[Any], contact_id: int) -> list[int]:
    """The contact that this one is by now, first, and all that were merged into it; empty if there is none."""
    rows = conn.execute(
        """
        with root as (select coalesce(merged_into, id) as id from contacts where id = %s)
        select c.id from contacts c, root where c.id = root.id or c.merged_into = root.id
        order by c.id <> root.id, c.id
        """,
        [contact_id],
    ).fetchall()
    return [found for (found,) in rows]


def erased_among(conn: psycopg.Connection[Any], contact_ids: Iterable[int]) -> set[int]:
    """Which of these contacts have been erased."""
    wanted = sorted(set(contact_ids))
    if not wanted:
        return set()
    rows = conn.execute("select id from contacts where id = any(%s) and erased_at is not null", [wanted]).fetchall()
    return {contact_id for (contact_id,) in rows}


def identities_of(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> list[StoredIdentity]:
    """The names of these contacts, oldest first."""
    with conn.cursor(row_factory=class_row(StoredIdentity)) as cursor:
        return cursor.execute(
            "select contact_id, kind, hash_key, hash, ciphertext from contact_identities where contact_id = any(%s)"
            " order by id",
            [list(contact_ids)],
        ).fetchall()


def clicks_of(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> list[str]:
    """The click ids and conversion tokens of these contacts' touchpoints."""
    rows = conn.execute(
        "select distinct v from touchpoints t, unnest(array[t.click_id, t.conversion_token]) as v"
        " where t.contact_id = any(%s) and v is not null order by v",
        [list(contact_ids)],
    ).fetchall()
    return [value for (value,) in rows]


#: Section of an export -> the query of its rows. Hashes and leases are ours; sealed columns are opened by the caller.
SECTIONS = {
    "contacts": """
        select id, workspace, merged_into, stage, stage_at, tags, consent, consent_at, country, is_test, created_at,
               erased_at
        from contacts where id = any(%(ids)s) order by id
    """,
    "identities": """
        select contact_id, kind, ciphertext, created_at from contact_identities where contact_id = any(%(ids)s)
        order by id
    """,
    "changes": """
        select contact_id, kind, value, occurred_at, source, actor, created_at from contact_changes
        where contact_id = any(%(ids)s) order by occurred_at, id
    """,
    "messages": """
        select m.message_id, ch.name as channel, m.direction, m.class, m.kind, m.sent_at, m.received_at, m.webhook_id,
               m.text
        from messages m join channels ch on ch.id = m.channel_id where m.contact_id = any(%(ids)s)
        order by m.received_at, m.id
    """,
    "touchpoints": """
        select t.id, ch.name as channel, t.class, t.click_id, t.ad_id, t.source_type, t.source_url, t.source_app,
               t.headline, t.body, t.media_type, t.media_url, t.conversion_token, t.flags, t.occurred_at, t.source,
               t.external_id, t.first_reply_at, t.click_purged_at
        from touchpoints t join channels ch on ch.id = t.channel_id where t.contact_id = any(%(ids)s)
        order by t.occurred_at, t.id
    """,
    "conversions": """
        select c.id, c.event_name, c.occurred_at, c.value, c.currency, c.order_id, c.contents, c.custom_data, c.cost,
               c.source, c.touchpoint_id, c.attribution, c.created_at
        from conversions c where c.contact_id = any(%(ids)s) order by c.occurred_at, c.id
    """,
    "corrections": """
        select h.conversion_id, h.kind, h.value, h.currency, h.occurred_at, h.source, h.created_at
        from conversion_changes h join conversions c on c.id = h.conversion_id where c.contact_id = any(%(ids)s)
        order by h.occurred_at
    """,
    "reported_to_meta": """
        select d.id, d.conversion_id, s.name as dataset, s.meta_id, d.event_name, d.event_id, d.event_time, d.state,
               d.reason, d.attempts, d.accepted_at, d.last_trace_id
        from deliveries d join conversions c on c.id = d.conversion_id join datasets s on s.id = d.dataset_id
        where c.contact_id = any(%(ids)s) order by d.id
    """,
    "requests_to_meta": """
        select distinct r.id, r.started_at, d.event_id, r.body
        from attempts a join deliveries d on d.id = a.delivery_id join conversions c on c.id = d.conversion_id
             join capi_requests r on r.id = a.request_id
        where c.contact_id = any(%(ids)s) order by r.started_at
    """,
    "submissions": """
        select id, kind, source, state, reason, conversion_id, webhook_id, created_at from submissions
        where contact_id = any(%(ids)s) order by created_at
    """,
    "webhooks": """
        select w.id, w.received_at, w.source, w.headers, w.query, w.body, w.body_bytes, w.erased_at from webhooks w
        where (w.received_at, w.id) in (
            select webhook_received_at, webhook_id from messages where contact_id = any(%(ids)s)
            union select webhook_received_at, webhook_id from submissions where contact_id = any(%(ids)s))
        order by w.received_at
    """,
    "erasures": """
        select id, requested_at, finished_at, step from erasures where contact_ids && %(ids)s::bigint[] order by id
    """,
}


def held_rows(conn: psycopg.Connection[Any], section: str, contact_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of one of SECTIONS for these contacts."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SECTIONS[section].encode(), {"ids": list(contact_ids)}).fetchall()


def held_counts(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> dict[str, int]:
    """How many rows each section has for these contacts, and how many deliveries wait to be sent."""
    counts = {}
    for section, query in SECTIONS.items():
        row = conn.execute(f"select count(*) from ({query}) q".encode(), {"ids": list(contact_ids)}).fetchone()
        counts[section] = int(row[0]) if row else 0
    row = conn.execute(
        "select count(*) from deliveries d join conversions c on c.id = d.conversion_id"
        " where c.contact_id = any(%s) and d.state in ('pending', 'waiting')",
        [list(contact_ids)],
    ).fetchone()
    return {**counts, "waiting_to_be_sent": int(row[0]) if row else 0}
