"""The `messages` and `touchpoints` tables: who wrote to which channel, and which of these messages came from an ad."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from shared.db.recordset import as_recordset
from shared.domain.messages import LEAST_TO_MOST

#: A provider's message id is unique within its channel only.
MessageKey = tuple[int, str]


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """One live inbound message, or one that the business sent. `text` is sealed, and there only where it is kept."""

    channel_id: int
    message_id: str
    contact_id: int
    message_class: str
    kind: str | None
    sent_at: datetime | None
    received_at: datetime
    webhook_id: UUID
    webhook_received_at: datetime
    is_test: bool
    text: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, repr=False)
class NewTouchpoint:
    """What one ad message says of its ad. `message_id` is our row's."""

    message_id: int
    contact_id: int
    channel_id: int
    message_class: str
    click_id: str | None
    click_hash: str | None
    ad_id: str | None
    source_type: str | None
    source_url: str | None
    source_app: str | None
    headline: str | None
    body: str | None
    media_type: str | None
    media_url: str | None
    conversion_token: str | None
    flags: list[str]
    occurred_at: datetime
    is_test: bool


@dataclass(frozen=True)
class KnownMessage:
    """A message we have already: what it was taken for, who wrote it, and its row."""

    message_class: str
    contact_id: int
    id: int


def known_messages(conn: psycopg.Connection[Any], keys: Iterable[MessageKey]) -> dict[MessageKey, KnownMessage]:
    """Which of these messages are stored."""
    wanted = sorted(set(keys))
    rows = conn.execute(
        """
        select m.channel_id, m.message_id, m.class, m.contact_id, m.id
        from unnest(%s::bigint[], %s::text[]) as k (channel_id, message_id)
        join messages m using (channel_id, message_id)
        """,
        [[key[0] for key in wanted], [key[1] for key in wanted]],
    ).fetchall()
    return {(channel_id, message_id): KnownMessage(*facts) for channel_id, message_id, *facts in rows}


def upsert_messages(conn: psycopg.Connection[Any], messages: Sequence[NewMessage]) -> dict[MessageKey, int]:
    """Stores messages; the row id of each that is new, or that now says more of an ad than it did.

    A provider may announce one message twice, first without its ad block (a placeholder, a second kind of event).
    """
    if not messages:
        return {}
    ordered = sorted(messages, key=lambda message: (message.channel_id, message.message_id))
    rows = conn.execute(
        """
        insert into messages as m (channel_id, message_id, contact_id, class, kind, sent_at, received_at, webhook_id,
                                   webhook_received_at, is_test, text)
        select * from unnest(%b::bigint[], %b::text[], %b::bigint[], %b::text[], %b::text[], %b::timestamptz[],
                             %b::timestamptz[], %b::uuid[], %b::timestamptz[], %b::boolean[], %b::bytea[])
        on conflict (channel_id, message_id) do update
        set class = excluded.class, text = coalesce(m.text, excluded.text)
        where array_position(%s::text[], excluded.class) > array_position(%s::text[], m.class)
        returning m.channel_id, m.message_id, m.id
        """,
        [
            [message.channel_id for message in ordered],
            [message.message_id for message in ordered],
            [message.contact_id for message in ordered],
            [message.message_class for message in ordered],
            [message.kind for message in ordered],
            [message.sent_at for message in ordered],
            [message.received_at for message in ordered],
            [message.webhook_id for message in ordered],
            [message.webhook_received_at for message in ordered],
            [message.is_test for message in ordered],
            [message.text for message in ordered],
            [cls.value for cls in LEAST_TO_MOST],
            [cls.value for cls in LEAST_TO_MOST],
        ],
    ).fetchall()
    return {(channel_id, message_id): row_id for channel_id, message_id, row_id in rows}


def store_outgoing(conn: psycopg.Connection[Any], message: NewMessage) -> int:
    """Stores a message that the business sent, once; the id of its row."""
    values = {**message.__dict__, "class": message.message_class}
    conn.execute(
        """
        insert into messages (channel_id, message_id, contact_id, direction, class, kind, sent_at, received_at,
                              webhook_id, webhook_received_at, is_test, text)
        values (%(channel_id)s, %(message_id)s, %(contact_id)s, 'out', %(class)s, %(kind)s, %(sent_at)s,
                %(received_at)s, %(webhook_id)s, %(webhook_received_at)s, %(is_test)s, %(text)s)
        on conflict (channel_id, message_id) do nothing
        """,
        values,
    )
    row = conn.execute(
        "select id from messages where channel_id = %s and message_id = %s", [message.channel_id, message.message_id]
    ).fetchone()
    assert row is not None
    return int(row[0])


def place_of_message(conn: psycopg.Connection[Any], row_id: int, contact_id: int) -> int:
    """Which message of a person this is: 1 is the last ad message up to it, or their very first without one."""
    row = conn.execute(
        """
        with family as materialized (select id from contacts where id = %(contact)s or merged_into = %(contact)s),
        this as materialized (select coalesce(sent_at, received_at) as at, id from messages where id = %(row)s),
        opener as materialized (
            select coalesce(m.sent_at, m.received_at) as at, m.id
            from touchpoints t join messages m on m.id = t.message_id, this
            where t.contact_id in (select id from family) and t.class <> 'post'
              and (coalesce(m.sent_at, m.received_at), m.id) <= (this.at, this.id)
            order by 1 desc, 2 desc limit 1
        )
        select count(*) from messages m, this
        where m.contact_id in (select id from family) and m.direction = 'in'
          and (coalesce(m.sent_at, m.received_at), m.id) <= (this.at, this.id)
          and not exists (select from opener o where (coalesce(m.sent_at, m.received_at), m.id) < (o.at, o.id))
        """,
        {"contact": contact_id, "row": row_id},
    ).fetchone()
    assert row is not None
    return int(row[0])


def first_replies(conn: psycopg.Connection[Any], contact_id: int, at: datetime) -> int:
    """Writes down that a person of the business answered a contact, on each ad message before that nobody had
    answered; on how many."""
    return conn.execute(
        """
        update touchpoints set first_reply_at = %(at)s
        where contact_id in (select id from contacts where id = %(contact)s or merged_into = %(contact)s)
          and occurred_at <= %(at)s and first_reply_at is null and source = 'message'
        """,
        {"contact": contact_id, "at": at},
    ).rowcount


_TOUCHPOINT = """
insert into touchpoints as t (message_id, contact_id, channel_id, class, click_id, click_hash, ad_id, source_type,
                              source_url, source_app, headline, body, media_type, media_url, conversion_token, flags,
                              occurred_at, is_test)
select message_id, contact_id, channel_id, class, click_id, click_hash, ad_id, source_type, source_url, source_app,
       headline, body, media_type, media_url, conversion_token, flags, occurred_at, is_test
from jsonb_populate_recordset(null::touchpoints, %s)
on conflict (message_id) do update set
    class = excluded.class, click_id = excluded.click_id, click_hash = excluded.click_hash,
    ad_id = coalesce(t.ad_id, excluded.ad_id),
    conversion_token = coalesce(t.conversion_token, excluded.conversion_token)
where t.click_id is null
returning t.message_id, t.id
"""


def insert_touchpoints(conn: psycopg.Connection[Any], touchpoints: Sequence[NewTouchpoint]) -> dict[int, int]:
    """Stores touchpoints, or completes one with a click id that came later; touchpoint id by message row id."""
    if not touchpoints:
        return {}
    rows = [{**touchpoint.__dict__, "class": touchpoint.message_class} for touchpoint in touchpoints]
    return dict(conn.execute(_TOUCHPOINT, [as_recordset(rows)]).fetchall())


@dataclass(frozen=True)
class TouchpointOf:
    """Whose a message is, and the ad message it goes back to, if there is one. Ids are our rows'."""

    message_id: int
    contact_id: int
    touchpoint_id: int | None
    click_hash: str | None


def touchpoint_of_message(
    conn: psycopg.Connection[Any], key: MessageKey, *, click_hash: str | None, before: datetime
) -> TouchpointOf | None:
    """The touchpoint that a message of an ongoing chat goes back to; None if we don't have the message.

    That is the contact's touchpoint of this click, or else the last ad message up to `before`.
    """
    row = conn.execute(
        """
        select m.id, coalesce(c.merged_into, c.id), t.id, t.click_hash
        from messages m join contacts c on c.id = m.contact_id
        left join lateral (
            select t.id, t.click_hash from touchpoints t
            where t.contact_id in (select p.id from contacts p where p.id = coalesce(c.merged_into, c.id)
                                   or p.merged_into = coalesce(c.merged_into, c.id))
              and t.class <> 'post' and t.occurred_at <= %(before)s
            order by t.click_hash is not distinct from %(hash)s::text desc, t.occurred_at desc limit 1
        ) t on true
        where m.channel_id = %(channel)s and m.message_id = %(message)s
        """,
        {"channel": key[0], "message": key[1], "hash": click_hash, "before": before},
    ).fetchone()
    return TouchpointOf(*row) if row else None


def complete_touchpoint(conn: psycopg.Connection[Any], touchpoint_id: int, click_id: str, click_hash: str) -> None:
    """Gives a touchpoint the click id that its message lacked."""
    conn.execute(
        "update touchpoints set click_id = %s, click_hash = %s, class = 'ad' where id = %s and click_id is null",
        [click_id, click_hash, touchpoint_id],
    )
