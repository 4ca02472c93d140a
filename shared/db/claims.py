"""Deliveries under a lease: claimed, tried, settled or handed back.

Every write after a claim is fenced by the lease token, so that a process that lost its lease changes nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import set_json_loads

_EXACT = partial(json.loads, parse_float=Decimal)


class LostLease(Exception):
    """Some of these deliveries are no longer ours: the lease ran out and somebody else has them."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ClaimedDelivery:
    """One delivery under our lease, with what its event is built from."""

    id: int
    event_name: str
    event_id: str
    event_time: datetime
    has_value: bool
    attempts: int
    retries: int
    not_received: int
    resent: int
    batch_cap: int
    click_id: str | None
    value: Decimal | None
    currency: str | None
    order_id: str | None
    #: Detected by Meta itself, and to be reported as such.
    automatic: bool
    #: Of the person, as their number tells; None: unknown.
    country: str | None = None
    #: Whether the person agreed to the use of their data for ads; None: never asked.
    consent: bool | None = None
    contents: list[dict[str, Any]] | None = None
    custom_data: dict[str, Any] | None = None
    #: The person was erased.
    erased: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one delivery becomes. `delay_seconds` counts from Postgres's now, for a delivery that is pending again."""

    id: int
    state: str
    reason: str | None = None
    delay_seconds: float = 0.0
    batch_cap: int = 1000
    retries: int = 0
    not_received: int = 0
    resent: int = 0
    http_status: int | None = None
    code: int | None = None
    subcode: int | None = None
    trace_id: str | None = None
    message: str | None = None


# The dataset that waited longest goes first. A paused or throttled one, and one with enough requests in flight,
# costs nothing: it is left out before its deliveries are looked at. After an outage, and from 75 % of the token's quota
# on, there is one request at a time.
_SENDABLE = """
    from datasets d left join credentials c on c.id = d.credential_id
    where d.sending <> 'off' and (d.paused_until is null or d.paused_until <= now())
      and (c.throttled_until is null or c.throttled_until <= now())
      and exists (select from deliveries x
                  where x.dataset_id = d.id and x.state = 'pending' and x.next_attempt_at <= now())
      and (select count(distinct x.lease_token) from deliveries x
           where x.dataset_id = d.id and x.state = 'sending')
          < case when d.pauses > 0 or c.usage_percent >= 75 then 1 else d.in_flight_max end
"""
_CLAIM = f"""
with ds as materialized (
    select d.id, least(d.batch_max, case when d.pauses > 0 then 10 else 1000 end) as batch
    {_SENDABLE}
    order by d.last_claimed_at nulls first limit 1 for no key update of d skip locked
), near as materialized (
    select id, batch_cap, next_attempt_at from deliveries
    where dataset_id = (select id from ds) and state = 'pending' and next_attempt_at <= now()
    order by next_attempt_at, id limit (select greatest(200, batch) from ds)
), head as (
    select batch_cap from near order by next_attempt_at, id limit 1
), picked as materialized (
    select d.id from deliveries d join near n on n.id = d.id
    where n.batch_cap = (select batch_cap from head) and d.state = 'pending' and d.next_attempt_at <= now()
    order by n.next_attempt_at, n.id
    limit (select least(batch, (select batch_cap from head)) from ds) for update of d skip locked
), touched as (
    update datasets set last_claimed_at = clock_timestamp() where id = (select id from ds)
)
update deliveries d set state = 'sending', lease_token = %(token)s, next_attempt_at = null,
       lease_until = now() + make_interval(secs => %(lease)s), updated_at = now()
from picked p where d.id = p.id
returning d.dataset_id
"""


def claim_deliveries(conn: psycopg.Connection[Any], *, token: UUID, lease_seconds: int) -> int | None:
    """Leases what is due of one dataset that may be sent to now; the dataset's id, or None if there is nothing."""
    row = conn.execute(_CLAIM, {"token": token, "lease": lease_seconds}).fetchone()
    return int(row[0]) if row else None


def can_claim(conn: psycopg.Connection[Any]) -> bool:
    """Whether anybody could claim something at this moment. Where as much as may be is in flight, its senders will look
    again when they are done, and nobody has to be told."""
    row = conn.execute(f"select exists (select {_SENDABLE})").fetchone()
    return bool(row and row[0])


def leased_deliveries(conn: psycopg.Connection[Any], token: UUID) -> list[ClaimedDelivery]:
    """The deliveries this lease holds, in the order they became due."""
    with conn.cursor(row_factory=class_row(ClaimedDelivery)) as cursor:
        # Prices are exact: as floats they would be other numbers.
        set_json_loads(_EXACT, cursor)
        cursor.execute(
            """
            select d.id, d.event_name, d.event_id, d.event_time, d.has_value, d.attempts, d.retries, d.not_received,
                   d.resent, d.batch_cap, t.click_id, c.value, c.currency, c.order_id,
                   c.source = 'meta_automatic' as automatic, coalesce(r.country, p.country) as country,
                   case when r.id is null then p.consent else r.consent end as consent,
                   c.contents, c.custom_data,
                   coalesce(r.erased_at, p.erased_at) is not null as erased
            from deliveries d join conversions c on c.id = d.conversion_id
                 join contacts p on p.id = c.contact_id left join contacts r on r.id = p.merged_into
                 left join touchpoints t on t.id = c.touchpoint_id
            where d.state = 'sending' and d.lease_token = %s order by d.event_time, d.id
            """,
            [token],
        )
        return cursor.fetchall()


def count_attempts(
    conn: psycopg.Connection[Any],
    *,
    token: UUID,
    ids: Sequence[int],
    request_id: UUID,
    lease_seconds: int,
    with_test_code: bool = False,
) -> None:
    """Writes each delivery's attempt before its POST and renews the lease. Raises LostLease unless all are ours.

    What goes out with a test code is left out of our totals. It counts again when that try was not taken and a later
    one has no code, unless its conversion is a test itself.
    """
    cursor = conn.execute(
        """
        with mine as (
            update deliveries d set attempts = attempts + 1, updated_at = now(),
                   is_test = %(test)s or (select c.is_test from conversions c where c.id = d.conversion_id),
                   lease_until = now() + make_interval(secs => %(lease)s)
            where id = any(%(ids)s) and state = 'sending' and lease_token = %(token)s
            returning id, attempts
        )
        insert into attempts (delivery_id, number, request_id) select id, attempts, %(request)s from mine
        """,
        {"ids": list(ids), "token": token, "request": request_id, "lease": lease_seconds, "test": with_test_code},
    )
    if cursor.rowcount != len(ids):
        raise LostLease(f"{len(ids) - cursor.rowcount} of {len(ids)} deliveries are no longer leased by this process")


def settle_deliveries(
    conn: psycopg.Connection[Any], token: UUID, outcomes: Sequence[Outcome], *, request_id: UUID | None = None
) -> int:
    """Writes what the deliveries became; the number that were still ours.

    With the request that was answered, a delivery that is unknown by now takes the late answer to its last attempt.
    """
    if not outcomes:
        return 0
    cursor = conn.execute(
        """
        update deliveries d set
            state = o.state, reason = o.reason, lease_token = null, lease_until = null, updated_at = now(),
            next_attempt_at = case when o.state = 'pending' then now() + make_interval(secs => o.delay) end,
            batch_cap = o.batch_cap, retries = o.retries, not_received = o.not_received, resent = o.resent,
            unknown_since = case when o.state = 'unknown' then now() end,
            accepted_at = case when o.state = 'accepted' then now() end,
            finished_at = case when o.state in ('accepted', 'rejected', 'skipped', 'expired') then now() end,
            last_http_status = coalesce(o.http_status, last_http_status),
            last_code = case when o.http_status is null then last_code else o.code end,
            last_subcode = case when o.http_status is null then last_subcode else o.subcode end,
            last_trace_id = coalesce(o.trace_id, last_trace_id), last_message = coalesce(o.message, last_message)
        from unnest(%s::bigint[], %s::text[], %s::text[], %s::float8[], %s::integer[], %s::integer[], %s::integer[],
                    %s::integer[], %s::integer[], %s::integer[], %s::integer[], %s::text[], %s::text[])
             as o (id, state, reason, delay, batch_cap, retries, not_received, resent, http_status, code, subcode,
                   trace_id, message)
        where d.id = o.id and (d.state = 'sending' and d.lease_token = %s
            or d.state = 'unknown' and exists (select from attempts a where a.delivery_id = d.id
                                               and a.number = d.attempts and a.request_id = %s))
        """,
        [
            [outcome.id for outcome in outcomes],
            [outcome.state for outcome in outcomes],
            [outcome.reason for outcome in outcomes],
            [outcome.delay_seconds for outcome in outcomes],
            [outcome.batch_cap for outcome in outcomes],
            [outcome.retries for outcome in outcomes],
            [outcome.not_received for outcome in outcomes],
            [outcome.resent for outcome in outcomes],
            [outcome.http_status for outcome in outcomes],
            [outcome.code for outcome in outcomes],
            [outcome.subcode for outcome in outcomes],
            [outcome.trace_id for outcome in outcomes],
            [outcome.message for outcome in outcomes],
            token,
            request_id,
        ],
    )
    return cursor.rowcount


def mark_dry_run(conn: psycopg.Connection[Any], token: UUID, ids: Sequence[int]) -> None:
    """Puts built and validated deliveries back without posting them; they wait until sending is switched on."""
    conn.execute(
        """
        update deliveries set state = 'pending', lease_token = null, lease_until = null, next_attempt_at = '9999-12-31',
               dry_run_at = now(), updated_at = now()
        where id = any(%s) and state = 'sending' and lease_token = %s
        """,
        [list(ids), token],
    )


def release_deliveries(conn: psycopg.Connection[Any], token: UUID) -> None:
    """Hands back what this lease still holds and has not started: due again at once."""
    conn.execute(
        """
        update deliveries set state = 'pending', lease_token = null, lease_until = null, next_attempt_at = now(),
               updated_at = now()
        where state = 'sending' and lease_token = %s
        """,
        [token],
    )


def recover_deliveries(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Takes back deliveries whose lease ran out; how many went to each state.

    Without an open attempt nothing was sent, so they are pending again. With one, Meta may have them: unknown.
    """
    rows = conn.execute(
        """
        with lost as materialized (
            select d.id, exists (select from attempts a where a.delivery_id = d.id and a.number = d.attempts
                                 and a.finished_at is null) as started
            from deliveries d where d.state = 'sending' and d.lease_until < now() for update of d skip locked
        )
        update deliveries d set
            state = case when l.started then 'unknown' else 'pending' end,
            reason = case when l.started then 'process_died' end,
            unknown_since = case when l.started then now() end,
            next_attempt_at = case when l.started then null else now() end,
            lease_token = null, lease_until = null, updated_at = now()
        from lost l where d.id = l.id
        returning d.state
        """
    ).fetchall()
    states = [state for (state,) in rows]
    return {state: states.count(state) for state in sorted(set(states))}
