"""What a person may do to deliveries and webhooks that didn't come to their end by themselves.

Every statement names the states it starts from, so that repeating it changes nothing, and a delivery that moved on
meanwhile is left alone. The caller records who did it.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg

from shared.db.webhook_counts import counting


class Resolution(StrEnum):
    """What a person found out about a delivery whose outcome is unknown, or decides."""

    ACCEPTED = "accepted"
    NOT_TAKEN = "not_taken"
    RESEND = "resend"


def resolve_unknown(conn: psycopg.Connection[Any], ids: Sequence[int], resolution: Resolution) -> list[int]:
    """Settles unknown deliveries; the ids of those that were unknown.

    Accepted: Meta has it. Not taken: Meta surely doesn't have it, so it is sent as if for the first time. Resend: it
    goes again although Meta may have it, alone in its request.
    """
    rows = conn.execute(
        """
        update deliveries set
            state = case when %(how)s = 'accepted' then 'accepted' else 'pending' end,
            reason = null, unknown_since = null, updated_at = now(),
            accepted_at = case when %(how)s = 'accepted' then now() end,
            finished_at = case when %(how)s = 'accepted' then now() end,
            next_attempt_at = case when %(how)s = 'accepted' then null else now() end,
            retries = 0, not_received = 0,
            resent = resent + case when %(how)s = 'resend' then 1 else 0 end,
            batch_cap = case when %(how)s = 'resend' then 1 else batch_cap end
        where id = any(%(ids)s) and state = 'unknown'
        returning id
        """,
        {"ids": list(ids), "how": resolution.value},
    ).fetchall()
    return sorted(delivery_id for (delivery_id,) in rows)


def reinstate(conn: psycopg.Connection[Any], ids: Sequence[int], *, youngest_seconds: float) -> list[int]:
    """Lets rejected deliveries, and skipped ones whose reason may be gone, go again; the ids of those that do.

    A skipped one needs its cause gone: a click id on its touchpoint, its dataset switched on, the contact's consent. A
    purchase that has no value yet stays, and so does one that may not be sent for want of consent. One older than
    `youngest_seconds` would be refused for its age and stays as it is, and so does one whose place another delivery
    of the same conversion key has taken.
    """
    rows = conn.execute(
        """
        with able as materialized (
            -- Two that stand for the same fact must not both go.
            select distinct on (d.dataset_id, d.event_name, d.business_key) d.id
            from deliveries d join conversions c on c.id = d.conversion_id join datasets s on s.id = d.dataset_id
                 left join touchpoints t on t.id = c.touchpoint_id
                 join contacts p on p.id = c.contact_id left join contacts r on r.id = p.merged_into
            where d.id = any(%(ids)s) and s.sending <> 'off' and t.click_id is not null
              and (d.state = 'rejected'
                   or d.state = 'skipped' and d.reason in ('no_click_id', 'disabled', 'unattributed', 'consent'))
              and coalesce(case when r.id is null then p.consent else r.consent end,
                           s.consent_policy = 'not_required')
              and (d.has_value or d.event_name <> 'Purchase')
              and d.event_time > now() - make_interval(secs => %(youngest)s)
              and not exists (select from deliveries o where o.id <> d.id and o.dataset_id = d.dataset_id
                              and o.event_name = d.event_name and o.business_key = d.business_key
                              and o.state <> 'skipped')
            order by d.dataset_id, d.event_name, d.business_key, d.id
        )
        update deliveries d set state = 'pending', reason = null, next_attempt_at = now(), finished_at = null,
               retries = 0, not_received = 0, updated_at = now()
        from able where d.id = able.id and d.state in ('rejected', 'skipped')
        returning d.id
        """,
        {"ids": list(ids), "youngest": youngest_seconds},
    ).fetchall()
    return sorted(delivery_id for (delivery_id,) in rows)


def why_they_stay(conn: psycopg.Connection[Any], ids: Sequence[int], *, youngest_seconds: float) -> dict[int, str]:
    """Why `reinstate` and `hurry` leave these deliveries alone, as codes."""
    rows = conn.execute(
        """
        select d.id, case
            when d.state in ('accepted', 'sending', 'unknown', 'waiting') then d.state
            when d.state = 'expired' then 'too_old'
            when d.state = 'pending' and d.dry_run_at is not null then 'dry_run'
            when d.state = 'pending' and s.sending = 'off' then 'dataset_off'
            when d.state = 'pending' and s.paused_until > now() then 'dataset_paused'
            when d.state = 'pending' then 'due'
            when d.event_time <= now() - make_interval(secs => %(youngest)s) then 'too_old'
            when d.state = 'skipped' and d.reason = 'duplicate' or exists (
                select from deliveries o where o.id <> d.id and o.dataset_id = d.dataset_id
                and o.event_name = d.event_name and o.business_key = d.business_key and o.state <> 'skipped')
                then 'another_stands_for_it'
            when d.state = 'skipped' and d.reason not in ('no_click_id', 'disabled', 'unattributed', 'consent')
                then 'cause_stands'
            when not coalesce(case when r.id is null then p.consent else r.consent end,
                              s.consent_policy = 'not_required') then 'consent'
            when d.event_name = 'Purchase' and not d.has_value then 'value_missing'
            when c.touchpoint_id is null then 'unattributed'
            when t.click_id is null then 'no_click_id'
            when s.sending = 'off' then 'dataset_off'
            else 'changed_meanwhile'
        end
        from deliveries d join conversions c on c.id = d.conversion_id join datasets s on s.id = d.dataset_id
             left join touchpoints t on t.id = c.touchpoint_id
             join contacts p on p.id = c.contact_id left join contacts r on r.id = p.merged_into
        where d.id = any(%(ids)s)
        """,
        {"ids": list(ids), "youngest": youngest_seconds},
    ).fetchall()
    return dict(rows)


def hurry(conn: psycopg.Connection[Any], ids: Sequence[int]) -> list[int]:
    """Makes pending deliveries that wait for their next attempt due now; the ids of those that were waiting."""
    rows = conn.execute(
        """
        update deliveries set next_attempt_at = now(), updated_at = now()
        where id = any(%s) and state = 'pending' and next_attempt_at > now() and dry_run_at is null
        returning id
        """,
        [list(ids)],
    ).fetchall()
    return sorted(delivery_id for (delivery_id,) in rows)


def replay_webhooks(conn: psycopg.Connection[Any], ids: Sequence[UUID]) -> int:
    """Has finished webhooks read again from their stored bytes; how many. What is known already changes nothing."""
    return conn.execute(
        f"""
        with taken as (
            select id, source, source_id, received_at, headers, state, messages, duplicates, ignored, reason
            from webhooks where id = any(%s) and state in ('done', 'rejected') and erased_at is null for update
        ), counted as ({counting("taken", "-")})
        update webhooks w set state = 'new', finished_at = null, reason = null, crashes = 0, batch_cap = 100
        from taken t where w.received_at = t.received_at and w.id = t.id
        """.encode(),
        [list(ids)],
    ).rowcount
