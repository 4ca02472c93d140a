"""The `deliveries` table, the results: their births, and what policies, age and switches do to those that wait.

`shared.db.claims` has what happens to a delivery while a process sends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from shared.db.recordset import as_recordset
from shared.db.webhooks import Backlog
from shared.domain.regions import RESTRICTED


@dataclass(frozen=True, kw_only=True)
class NewDelivery:
    """A delivery at its birth; state and reason come from `shared.domain.deliveries.birth`."""

    conversion_id: UUID
    dataset_id: int
    event_name: str
    business_key: str
    event_id: str
    event_time: datetime
    has_value: bool
    state: str
    reason: str | None
    batch_cap: int
    is_test: bool
    #: Not to be sent before this time; None: at once.
    due_at: datetime | None = None


def insert_deliveries(conn: psycopg.Connection[Any], deliveries: Sequence[NewDelivery]) -> int:
    """Adds what is not there yet; the number added.

    One that another conversion of the same dataset, event and business key stands for already is kept as a skipped
    duplicate, so that it can be seen.
    """
    if not deliveries:
        return 0
    restricted = _in_restricted_countries(conn, deliveries)
    rows = [
        delivery.__dict__ | ({"state": "skipped", "reason": "region"} if _is_withheld(delivery, restricted) else {})
        for delivery in sorted(deliveries, key=lambda one: (one.dataset_id, one.event_name, one.business_key))
    ]
    refused = _insert_each(conn, rows)
    # A conversion that has its delivery is left alone; a twin of another conversion's is shown as such.
    twins = [{**row, "state": "skipped", "reason": "duplicate"} for row in refused if row["state"] != "skipped"]
    return len(rows) - len(refused) + len(twins) - len(_insert_each(conn, twins))


def _is_withheld(delivery: NewDelivery, restricted: set[tuple[UUID, int]]) -> bool:
    return delivery.state != "skipped" and (delivery.conversion_id, delivery.dataset_id) in restricted


def _in_restricted_countries(conn: psycopg.Connection[Any], deliveries: Sequence[NewDelivery]) -> set[tuple[UUID, int]]:
    """Those about somebody in a country that their dataset holds back, as (conversion, dataset).

    Asked for here and not by each source of conversions, so that none can forget it.
    """
    rows = conn.execute(
        """
        select k.conversion_id, k.dataset_id
        from unnest(%s::uuid[], %s::bigint[]) as k (conversion_id, dataset_id)
        join datasets s on s.id = k.dataset_id and s.region_policy = 'skip'
        join conversions c on c.id = k.conversion_id
        join contacts p on p.id = c.contact_id left join contacts r on r.id = p.merged_into
        where coalesce(r.country, p.country) = any(coalesce(s.restricted_countries, %s))
        """,
        [
            [delivery.conversion_id for delivery in deliveries],
            [delivery.dataset_id for delivery in deliveries],
            sorted(RESTRICTED),
        ],
    ).fetchall()
    return set(rows)


def _insert_each(conn: psycopg.Connection[Any], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Inserts what stands against nothing that is there; the rows that were not taken."""
    if not rows:
        return []
    records = as_recordset({**row, "next_attempt_at": row["due_at"]} for row in rows)
    taken = set(conn.execute(_INSERT, [records]).fetchall())
    return [row for row in rows if (row["conversion_id"], row["dataset_id"]) not in taken]


_INSERT = """
insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, has_value, state,
                        reason, batch_cap, is_test, next_attempt_at, finished_at)
select conversion_id, dataset_id, event_name, business_key, event_id, event_time, has_value, state, reason, batch_cap,
       is_test, case when state = 'pending' then greatest(now(), next_attempt_at) end,
       case when state in ('skipped', 'expired', 'rejected') then now() end
from jsonb_populate_recordset(null::deliveries, %s)
on conflict do nothing
returning conversion_id, dataset_id
"""


def resend_unknown(conn: psycopg.Connection[Any], *, after_seconds: float = 0.0, limit: int = 500) -> int:
    """Applies the policy `resend`: unknown deliveries without a value go once more, alone; the number of them.

    Not before they have been unknown for so long: until then a late answer may settle them.
    """
    return conn.execute(
        """
        with due as materialized (
            select d.id from deliveries d join datasets s on s.id = d.dataset_id
            where d.state = 'unknown' and not d.has_value and d.resent = 0
              and d.unknown_since <= now() - make_interval(secs => %s)
              and coalesce(s.unknown_policy ->> d.event_name, 'resend') = 'resend'
            order by d.unknown_since limit %s for update of d skip locked
        )
        update deliveries d set state = 'pending', reason = null, unknown_since = null, resent = d.resent + 1,
               batch_cap = 1, next_attempt_at = now() + interval '10 seconds', updated_at = now()
        from due where d.id = due.id
        """,
        [after_seconds, limit],
    ).rowcount


def expire_deliveries(conn: psycopg.Connection[Any], *, older_than_seconds: float, limit: int = 1000) -> int:
    """Ends deliveries that Meta would refuse for their age; the number of them."""
    return conn.execute(
        """
        with old as materialized (
            select id from deliveries where state in ('pending', 'waiting')
              and event_time < now() - make_interval(secs => %s)
            order by event_time limit %s for update skip locked
        )
        update deliveries d set state = 'expired', reason = 'expired', next_attempt_at = null, finished_at = now(),
               updated_at = now()
        from old where d.id = old.id
        """,
        [older_than_seconds, limit],
    ).rowcount


def apply_sending(conn: psycopg.Connection[Any], dataset_id: int, sending: str) -> int:
    """What switching a dataset's sending does to what waits: off skips it, on releases what dry run held back."""
    if sending == "off":
        return conn.execute(
            "update deliveries set state = 'skipped', reason = 'disabled', next_attempt_at = null, finished_at = now(),"
            " updated_at = now() where dataset_id = %s and state = 'pending'",
            [dataset_id],
        ).rowcount
    if sending == "on":
        return conn.execute(
            "update deliveries set next_attempt_at = now(), dry_run_at = null, updated_at = now()"
            " where dataset_id = %s and state = 'pending' and dry_run_at is not null",
            [dataset_id],
        ).rowcount
    return 0


def release_dry_runs(conn: psycopg.Connection[Any]) -> int:
    """Lets go what was held back while the switch over all datasets said dry run; the number of them."""
    return conn.execute(
        """
        update deliveries d set next_attempt_at = now(), dry_run_at = null, updated_at = now()
        from datasets s where s.id = d.dataset_id and s.sending = 'on' and d.state = 'pending'
          and d.next_attempt_at = '9999-12-31' and d.dry_run_at is not null
        """
    ).rowcount


def delivery_backlog(conn: psycopg.Connection[Any]) -> Backlog:
    """What is due and may be sent now; counted up to 1,000 of each dataset."""
    # The order and limit keep it on the index of what is due: another one would read what waits for paused datasets.
    row = conn.execute(
        """
        select count(*), coalesce(extract(epoch from now() - min(x.next_attempt_at)), 0)::float8
        from datasets d left join credentials c on c.id = d.credential_id
        cross join lateral (
            select next_attempt_at from deliveries
            where dataset_id = d.id and state = 'pending' and next_attempt_at <= now()
            order by next_attempt_at, id limit 1000
        ) x
        where d.sending <> 'off' and (d.paused_until is null or d.paused_until <= now())
          and (c.throttled_until is null or c.throttled_until <= now())
        """
    ).fetchone()
    return Backlog(*row) if row else Backlog(0, 0.0)


def counts_by_state(conn: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """How many deliveries are in each state for each reason, test rows apart."""
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "select state, reason, is_test, count(*) as count from deliveries group by state, reason, is_test"
            " order by state, reason nulls first, is_test"
        )
        return cursor.fetchall()


def withhold_duplicates(conn: psycopg.Connection[Any], touchpoint_id: int, event_name: str) -> int:
    """Holds back our own events of this name and touchpoint that are not sent yet: Meta counts them itself."""
    return conn.execute(
        """
        update deliveries d set state = 'skipped', reason = 'meta_automatic', next_attempt_at = null,
               finished_at = now(), updated_at = now()
        from conversions c
        where c.id = d.conversion_id and c.touchpoint_id = %s and c.event_name = %s and c.source <> 'meta_automatic'
          and d.state = 'pending'
        """,
        [touchpoint_id, event_name],
    ).rowcount


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A delivery whose conversion has changed, as it stands."""

    id: int
    state: str
    reason: str | None
    dataset_id: int
    event_name: str
    attempts: int
    resent: int

    @property
    def is_unsent(self) -> bool:
        """Whether surely nothing of it has ever left."""
        return self.attempts == 0 and self.state in ("pending", "waiting", "skipped", "expired")


def lock_deliveries(conn: psycopg.Connection[Any], conversion_id: UUID) -> list[Standing]:
    """The deliveries of a conversion, kept from being claimed until this transaction ends."""
    with conn.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(
            "select id, state, reason, dataset_id, event_name, attempts, resent from deliveries"
            " where conversion_id = %s order by id for update",
            [conversion_id],
        ).fetchall()


def rebear(conn: psycopg.Connection[Any], delivery_id: int, born: NewDelivery) -> str | None:
    """Gives a delivery of which nothing is at Meta the state it would be born with now; the state, if it changed.

    One whose place another delivery of the same key has taken stays skipped.
    """
    values = {**born.__dict__, "id": delivery_id}
    if _is_withheld(born, _in_restricted_countries(conn, [born])):
        values |= {"state": "skipped", "reason": "region"}
    row = conn.execute(
        """
        with target as (
            select case when %(state)s <> 'skipped' and exists (
                select from deliveries o where o.id <> %(id)s and o.dataset_id = %(dataset_id)s
                and o.event_name = %(event_name)s and o.business_key = %(business_key)s and o.state <> 'skipped')
                then 'skipped' else %(state)s end as state
        )
        update deliveries d set
            dataset_id = %(dataset_id)s, event_id = %(event_id)s, has_value = %(has_value)s, batch_cap = %(batch_cap)s,
            state = t.state, reason = case when t.state = %(state)s then %(reason)s else 'duplicate' end,
            next_attempt_at = case when t.state = 'pending' and d.state = 'pending' then d.next_attempt_at
                                   when t.state = 'pending' then greatest(now(), %(due_at)s::timestamptz) end,
            finished_at = case when t.state in ('skipped', 'expired') then coalesce(d.finished_at, now()) end,
            retries = 0, not_received = 0, updated_at = now()
        from target t where d.id = %(id)s and d.state in ('pending', 'waiting', 'skipped')
        returning d.state
        """,
        values,
    ).fetchone()
    return str(row[0]) if row else None


def withdraw_consent(conn: psycopg.Connection[Any], contact_id: int) -> int:
    """Skips what waits to be sent of a contact and of those merged into it; how many."""
    return conn.execute(
        """
        update deliveries d set state = 'skipped', reason = 'consent', next_attempt_at = null, finished_at = now(),
               updated_at = now()
        from conversions c
        where c.id = d.conversion_id and d.state in ('pending', 'waiting') and c.contact_id in (
            select id from contacts where id = %(id)s or merged_into = %(id)s)
        """,
        {"id": contact_id},
    ).rowcount


def reinstate_consented(conn: psycopg.Connection[Any], contact_id: int, *, youngest_seconds: float) -> int:
    """Lets go what was skipped for want of consent and is young enough; how many. What lacks a value waits for it."""
    return conn.execute(
        """
        with able as materialized (
            select distinct on (d.dataset_id, d.event_name, d.business_key) d.id, c.due_after, c.occurred_at,
                   d.event_name = 'Purchase' and not d.has_value as waits
            from deliveries d join conversions c on c.id = d.conversion_id join datasets s on s.id = d.dataset_id
                 join touchpoints t on t.id = c.touchpoint_id
            where c.contact_id in (select id from contacts where id = %(id)s or merged_into = %(id)s)
              and d.state = 'skipped' and d.reason = 'consent' and s.sending <> 'off' and t.click_id is not null
              and d.event_time > now() - make_interval(secs => %(youngest)s)
              and not exists (select from deliveries o where o.id <> d.id and o.dataset_id = d.dataset_id
                              and o.event_name = d.event_name and o.business_key = d.business_key
                              and o.state <> 'skipped')
            order by d.dataset_id, d.event_name, d.business_key, d.id
        )
        update deliveries d set
            state = case when a.waits then 'waiting' else 'pending' end,
            reason = case when a.waits then 'waiting_for_value' end,
            next_attempt_at = case when not a.waits then greatest(now(), a.occurred_at + a.due_after) end,
            finished_at = null, updated_at = now()
        from able a where d.id = a.id and d.state = 'skipped'
        """,
        {"id": contact_id, "youngest": youngest_seconds},
    ).rowcount


def give_value(
    conn: psycopg.Connection[Any], conversion_id: UUID, *, batch_cap: int, due_at: datetime | None, release: bool
) -> int:
    """Marks what is unsent of a conversion as worth something; how many now go that waited for that (`release`)."""
    rows = conn.execute(
        """
        update deliveries d set has_value = true, batch_cap = least(d.batch_cap, %(cap)s),
            state = case when %(release)s and d.state = 'waiting' then 'pending' else d.state end,
            reason = case when %(release)s and d.state = 'waiting' then null else d.reason end,
            next_attempt_at = case when %(release)s and d.state = 'waiting' then greatest(now(), %(due)s::timestamptz)
                                   else d.next_attempt_at end,
            updated_at = now()
        from deliveries before
        where before.id = d.id and d.conversion_id = %(conversion)s
          and d.state in ('pending', 'waiting', 'skipped', 'expired') and d.attempts = 0
        returning before.state = 'waiting' and d.state = 'pending'
        """,
        {"conversion": conversion_id, "cap": batch_cap, "due": due_at, "release": release},
    ).fetchall()
    return sum(released for (released,) in rows)
