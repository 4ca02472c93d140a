"""Taking a person out of the rows that stay: aggregates go on counting, and nothing leads back.

Every statement works on a batch and finds nothing to do when it is repeated. What stays of a conversion is its event,
value, time, ad and business key; of a message, that there was one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

#: A webhook's place: when it came, and its id.
WebhookKey = tuple[datetime, UUID]


def forget_contacts(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> None:
    """Deletes the names of these contacts and clears what is known of them; they are nobody from then on.

    Waits for transactions that are adding rows to them, and makes later ones wait: the contacts are locked.
    """
    ids = list(contact_ids)
    conn.execute("select from contacts where id = any(%s) order by id for update", [ids])
    conn.execute("delete from contact_identities where contact_id = any(%s)", [ids])
    conn.execute(
        "update contacts set erased_at = coalesce(erased_at, now()), stage = null, stage_at = null,"
        " tags = '{}', consent = null, consent_at = null, country = null where id = any(%s)",
        [ids],
    )


def withhold_of(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> int:
    """Skips what waits to be sent about these contacts; how many. What is being sent is looked at again after that."""
    return conn.execute(
        """
        update deliveries d set state = 'skipped', reason = 'erased', next_attempt_at = null, finished_at = now(),
               updated_at = now()
        from conversions c where c.id = d.conversion_id and c.contact_id = any(%s) and d.state in ('pending', 'waiting')
        """,
        [list(contact_ids)],
    ).rowcount


def wipe_messages(conn: psycopg.Connection[Any], contact_ids: Sequence[int], *, limit: int) -> list[WebhookKey]:
    """Takes text and the provider's id, which holds the number, out of messages; the webhooks that brought them, as
    (received at, id). Empty when there are none left."""
    return conn.execute(
        """
        update messages set message_id = 'erased:' || id, text = null
        where id in (select id from messages where contact_id = any(%s) and message_id <> 'erased:' || id limit %s)
        returning webhook_received_at, webhook_id
        """,
        [list(contact_ids), limit],
    ).fetchall()


def reported_in(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> list[WebhookKey]:
    """The requests in which a business reported something of these contacts, as (received at, id)."""
    return conn.execute(
        "select distinct webhook_received_at, webhook_id from submissions where contact_id = any(%s)",
        [list(contact_ids)],
    ).fetchall()


def wipe_requests(conn: psycopg.Connection[Any], contact_ids: Sequence[int], *, limit: int) -> int:
    """Takes these contacts' events out of the kept bodies of requests, and Meta's words out of their deliveries; how
    many deliveries that were. The other events of a request stay."""
    return conn.execute(
        """
        with mine as materialized (
            select d.id, d.event_id, d.business_key from deliveries d join conversions c on c.id = d.conversion_id
            where c.contact_id = any(%(ids)s) and not d.event_id like 'erased:%%' and d.state <> 'sending'
            limit %(limit)s
        ), touched as (
            update capi_requests r set message = null, title = null, body = jsonb_set(r.body, '{data}', (
                select coalesce(jsonb_agg(case when m.id is null then e.event else '{"erased": true}' end
                                          order by e.place), '[]')
                from jsonb_array_elements(r.body -> 'data') with ordinality as e (event, place)
                left join mine m on m.event_id = e.event ->> 'event_id'))
            where r.body ? 'data' and r.id in (
                select a.request_id from attempts a join mine on mine.id = a.delivery_id)
        )
        update deliveries d set event_id = 'erased:' || left(encode(sha256(convert_to(d.event_id, 'UTF8')), 'hex'), 32),
               business_key = coalesce(erased_key(d.business_key), d.business_key), last_message = null,
               updated_at = now()
        from mine where d.id = mine.id
        """,
        {"ids": list(contact_ids), "limit": limit},
    ).rowcount


def wipe_conversions(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> None:
    """Takes out of conversions what a business wrote freely, and message ids out of their keys."""
    ids = list(contact_ids)
    conn.execute(
        "update conversions set contents = null, custom_data = null,"
        " business_key = coalesce(erased_key(business_key), business_key)"
        " where contact_id = any(%s)"
        " and (contents is not null or custom_data is not null or erased_key(business_key) is not null)",
        [ids],
    )
    conn.execute(
        "update conversion_changes h set detail = '{}' from conversions c"
        " where c.id = h.conversion_id and c.contact_id = any(%s) and h.detail <> '{}'",
        [ids],
    )


def wipe_touchpoints(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> None:
    """Takes click ids, texts and addresses out of touchpoints; the ad's id and the click's hash stay."""
    conn.execute(
        """
        update touchpoints set click_id = null, conversion_token = null, source_url = null, headline = null,
               body = null, media_url = null, external_id = case when source = 'import' then 'erased:' || id end,
               click_purged_at = coalesce(click_purged_at, now())
        where contact_id = any(%s) and (click_id is not null or conversion_token is not null or source_url is not null
            or headline is not null or body is not null or media_url is not null or click_purged_at is null)
        """,
        [list(contact_ids)],
    )


def wipe_history(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> None:
    """Takes the values out of what is known of stages, tags and consent; that there was a change stays."""
    conn.execute(
        "update contact_changes set value = null, actor = null where contact_id = any(%s)"
        " and (value is not null or actor is not null)",
        [list(contact_ids)],
    )


def still_there(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> bool:
    """Whether something of these contacts is left to be wiped: a transaction that was running added it, or an event
    is being sent right now."""
    row = conn.execute(
        """
        select exists (select from contact_identities where contact_id = any(%(ids)s))
            or exists (select from messages where contact_id = any(%(ids)s) and message_id <> 'erased:' || id)
            or exists (select from touchpoints where contact_id = any(%(ids)s) and click_purged_at is null)
            or exists (select from deliveries d join conversions c on c.id = d.conversion_id
                       where c.contact_id = any(%(ids)s) and not d.event_id like 'erased:%%')
        """,
        {"ids": list(contact_ids)},
    ).fetchone()
    return bool(row and row[0])


@dataclass(frozen=True, kw_only=True, repr=False)
class KeptWebhook:
    """A webhook with its sealed body. `provider` is None for what came by the API or a file."""

    id: UUID
    received_at: datetime
    provider: str | None
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


_SOURCES = """
    (w.source = 'channel' and w.source_id = any(array(select id from channels where workspace = %(workspace)s))
     or w.source = 'api_key' and w.source_id = any(array(select id from api_keys where workspace = %(workspace)s))
     or w.source = 'import' and w.source_id = any(array(select id from workspaces where name = %(workspace)s)))
"""


def is_unread(conn: psycopg.Connection[Any], workspace: str, *, until: datetime) -> bool:
    """Whether intake has not read all that came to this workspace until then."""
    # Each condition is one partial index's, word for word.
    row = conn.execute(
        f"""
        select exists (select from webhooks w where w.state = 'new' and w.crashes = 0 and w.received_at <= %(until)s
                       and {_SOURCES})
            or exists (select from webhooks w where w.state = 'new' and w.crashes > 0 and w.received_at <= %(until)s
                       and {_SOURCES})
            or exists (select from webhooks w where w.state = 'claimed' and w.received_at <= %(until)s and {_SOURCES})
        """,
        {"workspace": workspace, "until": until},
    ).fetchone()
    return bool(row and row[0])


def webhooks_after(
    conn: psycopg.Connection[Any],
    workspace: str,
    after: WebhookKey | None,
    *,
    until: datetime,
    limit: int = 200,
    most_bytes: int = 16_000_000,
) -> list[KeptWebhook]:
    """The next webhooks of a workspace whose bodies are kept, in order of arrival: at most `limit`, and after the
    first at most `most_bytes` together."""
    with conn.cursor(row_factory=class_row(KeptWebhook)) as cursor:
        return cursor.execute(
            f"""
            with near as materialized (
                select w.received_at, w.id, w.body_bytes from webhooks w
                where (w.received_at, w.id) > (coalesce(%(at)s::timestamptz, '-infinity'),
                                               coalesce(%(id)s::uuid, '00000000-0000-0000-0000-000000000000'))
                  and w.received_at <= %(until)s and w.erased_at is null and {_SOURCES}
                order by w.received_at, w.id limit %(limit)s
            ), weighed as (
                select received_at, id, sum(body_bytes) over (order by received_at, id) - body_bytes as before from near
            )
            select w.id, w.received_at, ch.provider, w.method, w.path, w.query, w.headers, w.body
            from weighed k join webhooks w on w.received_at = k.received_at and w.id = k.id
                 left join channels ch on w.source = 'channel' and ch.id = w.source_id
            where k.before < %(bytes)s order by w.received_at, w.id
            """,
            {
                "workspace": workspace,
                "at": after and after[0],
                "id": after and after[1],
                "until": until,
                "limit": limit,
                "bytes": most_bytes,
            },
        ).fetchall()


def delete_bodies(conn: psycopg.Connection[Any], webhooks: Sequence[WebhookKey]) -> int:
    """Deletes the bodies of these webhooks, whoever else stands in them; how many. The rows stay and say when.

    One that intake has not read yet keeps its own: intake deletes it when it finds who is in it.
    """
    if not webhooks:
        # Planning for every day there is would cost as much as storing a batch.
        return 0
    return conn.execute(
        """
        update webhooks w set body = '', body_bytes = 0, headers = '{}', query = '', erased_at = now()
        from unnest(%s::timestamptz[], %s::uuid[]) as k (received_at, id)
        where w.received_at = k.received_at and w.id = k.id and w.erased_at is null and w.state in ('done', 'rejected')
        """,
        [[received_at for received_at, _ in webhooks], [webhook_id for _, webhook_id in webhooks]],
    ).rowcount
