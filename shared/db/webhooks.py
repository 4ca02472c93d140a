"""The `webhooks` table: authenticated requests as they came, and how far intake is with each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from shared.db.webhook_counts import counting


@dataclass(frozen=True, kw_only=True, repr=False)
class NewWebhook:
    """One request as the receiver stores it. Id and time are made there: a twin from the spool changes nothing."""

    id: UUID
    received_at: datetime
    source: str
    source_id: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    #: Sealed under SECRET_KEYS.
    body: bytes
    #: Length before sealing.
    body_bytes: int


@dataclass(frozen=True, kw_only=True, repr=False)
class ClaimedWebhook:
    """One request whose intake this process holds the lease for."""

    id: UUID
    received_at: datetime
    source: str
    source_id: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    crashes: int


@dataclass(frozen=True, kw_only=True)
class IntakeResult:
    """What intake found in one request."""

    id: UUID
    received_at: datetime
    state: str
    messages: int = 0
    automatic_events: int = 0
    duplicates: int = 0
    ignored: dict[str, int] | None = None
    reason: str | None = None


_INSERT = """
insert into webhooks (id, received_at, source, source_id, method, path, query, headers, body, body_bytes)
select * from unnest(%b::uuid[], %b::timestamptz[], %b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[],
                     %b::jsonb[], %b::bytea[], %b::integer[])
on conflict do nothing
"""


def insert_webhooks(conn: psycopg.Connection[Any], webhooks: Sequence[NewWebhook]) -> None:
    """Stores all of them in one statement; those already there are left as they are."""
    conn.execute(
        _INSERT,
        [
            [webhook.id for webhook in webhooks],
            [webhook.received_at for webhook in webhooks],
            [webhook.source for webhook in webhooks],
            [webhook.source_id for webhook in webhooks],
            [webhook.method for webhook in webhooks],
            [webhook.path for webhook in webhooks],
            [webhook.query for webhook in webhooks],
            [Jsonb(webhook.headers) for webhook in webhooks],
            [webhook.body for webhook in webhooks],
            [webhook.body_bytes for webhook in webhooks],
        ],
    )


#: Whoever sends: channels, API keys, and workspaces with their files. Disabled and revoked ones too: what came before
#: was acknowledged.
_SENDERS = """
select 'channel' as source, id from channels
union all select 'api_key', id from api_keys
union all select 'import', id from workspaces
"""

# Senders in random order, a few rows of each: a flood of one of them costs the others nothing. `before` is what the
# rows before this one weigh: a batch is read into memory, and a request of the API holds hundreds of items where a
# provider's has one message, each of which is more work. Bounds of time leave all other days out; planning for each of
# forty would cost ten times what claiming does, so they are values. A join with `taken` would look cheaper by reading
# whole days.
_CLAIM = f"""
with picked as materialized (
    select w.received_at, w.id, w.body_bytes * case when c.source = 'channel' then 1 else 100 end as body_bytes
    from (select source, id from ({_SENDERS}) s order by random()) c
    cross join lateral (
        select received_at, id, body_bytes from webhooks
        where source = c.source and source_id = c.id and state = 'new' and crashes = 0
          and received_at between %(since)s and %(until)s
        order by received_at, id limit %(each)s for update skip locked
    ) w
    limit %(limit)s
), weighed as (
    select received_at, id, body_bytes, sum(body_bytes) over (order by received_at, id) - body_bytes as before
    from picked
), taken as materialized (
    select received_at, id from weighed where before + body_bytes <= greatest(%(bytes)s, body_bytes)
)
update webhooks w set state = 'claimed', lease_token = %(token)s, lease_until = now() + make_interval(secs => %(lease)s)
where w.id = any(array(select id from taken)) and w.received_at between %(since)s and %(until)s
  and w.received_at between (select min(received_at) from taken) and (select max(received_at) from taken)
returning w.id, w.received_at, w.source, w.source_id, w.method, w.path, w.query, w.headers, w.body, w.crashes
"""

_CLAIM_CRASHED = """
with head as (
    select received_at, id, batch_cap from webhooks
    where state = 'new' and crashes > 0 and received_at between %(since)s and %(until)s
    order by received_at, id limit 1
), near as (
    select received_at, id, batch_cap from webhooks
    where state = 'new' and crashes > 0 and received_at between %(since)s and %(until)s
    order by received_at, id limit 200
), picked as materialized (
    select w.received_at, w.id from webhooks w join near n using (received_at, id), head h
    where n.batch_cap = h.batch_cap and w.state = 'new' and w.received_at between %(since)s and %(until)s
    order by w.received_at, w.id limit (select batch_cap from head) for update of w skip locked
)
update webhooks w set state = 'claimed', lease_token = %(token)s, lease_until = now() + make_interval(secs => %(lease)s)
from picked p
where w.received_at = p.received_at and w.id = p.id and w.received_at between %(since)s and %(until)s
returning w.id, w.received_at, w.source, w.source_id, w.method, w.path, w.query, w.headers, w.body, w.crashes
"""


def claim_webhooks(
    conn: psycopg.Connection[Any],
    *,
    token: UUID,
    lease_seconds: int,
    limit: int = 200,
    each: int = 50,
    days: int = 3,
    most_bytes: int = 16_000_000,
) -> list[ClaimedWebhook]:
    """Leases up to `limit` new requests, at most `each` of one sender, oldest first, in order of arrival.

    Together they have at most `most_bytes`, unless the first one alone has more.

    `days` bounds how far it looks, to both sides of this machine's clock, so that it touches few partitions; the
    sweeper looks further.
    """
    with conn.cursor(row_factory=class_row(ClaimedWebhook)) as cursor:
        cursor.execute(
            _CLAIM,
            {
                "token": token,
                "lease": lease_seconds,
                "limit": limit,
                "each": each,
                "bytes": most_bytes,
                **_around_now(days),
            },
        )
        return sorted(cursor.fetchall(), key=lambda webhook: (webhook.received_at, webhook.id))


def claim_crashed_webhooks(
    conn: psycopg.Connection[Any], *, token: UUID, lease_seconds: int, days: int = 3
) -> list[ClaimedWebhook]:
    """Leases requests whose intake died before, in batches that halve each time until the culprit stands alone."""
    with conn.cursor(row_factory=class_row(ClaimedWebhook)) as cursor:
        cursor.execute(_CLAIM_CRASHED, {"token": token, "lease": lease_seconds, **_around_now(days)})
        return sorted(cursor.fetchall(), key=lambda webhook: (webhook.received_at, webhook.id))


def _around_now(days: int) -> dict[str, datetime]:
    now, span = datetime.now(UTC), timedelta(days=days)
    return {"since": now - span, "until": now + span}


_FINISH = f"""
with finished as (
    update webhooks w set state = r.state, messages = r.messages, automatic_events = r.automatic_events,
           duplicates = r.duplicates, ignored = r.ignored, reason = r.reason, finished_at = now(),
           lease_token = null, lease_until = null
    from unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::integer[], %s::integer[], %s::integer[], %s::jsonb[],
                %s::text[]) as r (id, received_at, state, messages, automatic_events, duplicates, ignored, reason)
    where w.received_at = r.received_at and w.id = r.id and w.state = 'claimed' and w.lease_token = %s
      and w.received_at between %s and %s  -- as values: so planning leaves all other days out
    returning w.source, w.source_id, w.received_at, w.headers, w.state, w.messages, w.duplicates, w.ignored, w.reason
), counted as ({counting("finished", "+")})
select from finished
"""


def finish_webhooks(conn: psycopg.Connection[Any], token: UUID, results: Sequence[IntakeResult]) -> int:
    """Writes down what intake found, and counts it; the number of rows that were still ours."""
    return conn.execute(
        _FINISH.encode(),
        [
            [result.id for result in results],
            [result.received_at for result in results],
            [result.state for result in results],
            [result.messages for result in results],
            [result.automatic_events for result in results],
            [result.duplicates for result in results],
            [Jsonb(result.ignored or {}) for result in results],
            [result.reason for result in results],
            token,
            min(result.received_at for result in results),
            max(result.received_at for result in results),
        ],
    ).rowcount


def release_webhooks(conn: psycopg.Connection[Any], token: UUID) -> None:
    """Hands back unharmed what this lease still holds: intake stopped before it tried."""
    conn.execute(
        "update webhooks set state = 'new', lease_token = null, lease_until = null"
        " where state = 'claimed' and lease_token = %s",
        [token],
    )


def recover_webhooks(conn: psycopg.Connection[Any]) -> int:
    """Takes back requests whose lease ran out: their process died, perhaps of one of them, so the batch halves.

    Only crashes of a request that was alone are counted against it: it may be the culprit's innocent neighbour.
    """
    cursor = conn.execute(
        """
        update webhooks set state = 'new', lease_token = null, lease_until = null,
               crashes = case when batch_cap > 1 then 1 else crashes + 1 end, batch_cap = greatest(1, batch_cap / 2)
        where state = 'claimed' and lease_until < now()
        """
    )
    return cursor.rowcount


@dataclass(frozen=True)
class Backlog:
    """How much work waits, and since when its oldest piece does."""

    waiting: int
    oldest_seconds: float


def webhook_backlog(conn: psycopg.Connection[Any]) -> Backlog:
    """What intake has not looked at; counted up to 10,000, since more makes no difference to anybody."""
    # Each condition is one partial index's, word for word: anything looser reads every webhook there is.
    row = conn.execute(
        f"""
        select (select count(*) from (select from webhooks where state = 'new' and crashes = 0 limit 10000) w)
             + (select count(*) from (select from webhooks where state = 'new' and crashes > 0 limit 10000) w),
               coalesce(extract(epoch from now() - least(
                   (select min(w.received_at) from ({_SENDERS}) c cross join lateral (
                        select received_at from webhooks
                        where source = c.source and source_id = c.id and state = 'new' and crashes = 0
                        order by received_at, id limit 1) w),
                   (select min(received_at) from webhooks where state = 'new' and crashes > 0)
               )), 0)::float8
        """
    ).fetchone()
    return Backlog(*row) if row else Backlog(0, 0.0)


def make_days(conn: psycopg.Connection[Any], *, ahead: int = 8) -> int:
    """Makes the partitions from today on; how many were missing."""
    row = conn.execute("select make_webhook_days((now() at time zone 'UTC')::date, %s)", [ahead]).fetchone()
    return int(row[0]) if row else 0


def drop_days(conn: psycopg.Connection[Any], *, keep_days: int) -> list[str]:
    """Drops whole days older than `keep_days` that have nothing unfinished; the names of the partitions dropped."""
    rows = conn.execute(
        "select drop_webhook_days((now() at time zone 'UTC')::date - %s::integer)", [keep_days]
    ).fetchall()
    return [name for (name,) in rows]


def delete_stranded(conn: psycopg.Connection[Any], *, keep_days: int, limit: int = 5000) -> int:
    """Deletes finished webhooks older than `keep_days` of days that had no partition made in time; how many."""
    return conn.execute(
        """
        delete from webhooks_default w using (
            select received_at, id from webhooks_default
            where received_at < now() - make_interval(days => %s) and state in ('done', 'rejected')
            order by received_at, id limit %s
        ) old where w.received_at = old.received_at and w.id = old.id
        """,
        [keep_days, limit],
    ).rowcount


def delete_empty(conn: psycopg.Connection[Any], *, older_than_hours: int, limit: int = 5000) -> int:
    """Deletes finished webhooks that held no message and no event (delivery receipts, mostly); how many."""
    return conn.execute(
        """
        delete from webhooks w using (
            select received_at, id from webhooks
            where state = 'done' and messages = 0 and automatic_events = 0
              and finished_at < now() - make_interval(hours => %s)
            order by finished_at limit %s for update skip locked
        ) old where w.received_at = old.received_at and w.id = old.id
        """,
        [older_than_hours, limit],
    ).rowcount
