"""The tables `ad_spend_daily` and `ad_account_days`: what was spent on what, on which day, and which days are known.

Nothing here adds money up over currencies, nor reach over anything: both would be wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class Spend:
    """What one ad, ad set, campaign or account cost on one day, and what Meta reports it brought; None: not known.

    `level` says which of them `object_id` names: `ad`, `ad_set`, `campaign` or `account`. The day is one of the
    account's zone.
    """

    account_id: int
    day: date
    level: str
    object_id: str
    currency: str
    spend: Decimal
    impressions: int | None = None
    reach: int | None = None
    clicks: int | None = None
    link_clicks: int | None = None
    conversations_started: int | None = None
    #: `meta`, `csv` or `manual`.
    source: str


@dataclass(frozen=True, kw_only=True)
class SpendFact:
    """One row of spend with where it belongs: the account's zone, and the campaign and ad set as far as known."""

    account_id: int
    account_name: str
    zone: str
    is_test: bool
    day: date
    level: str
    object_id: str
    ad_id: str | None
    ad_name: str | None
    ad_set_id: str | None
    ad_set_name: str | None
    campaign_id: str | None
    campaign_name: str | None
    currency: str
    spend: Decimal
    impressions: int | None
    reach: int | None
    clicks: int | None
    link_clicks: int | None
    conversations_started: int | None
    source: str


@dataclass(frozen=True, kw_only=True)
class AccountDay:
    """A day of an account whose spend is known (`synced_at`), or is being fetched for the first time (None)."""

    account_id: int
    day: date
    level: str
    source: str
    synced_at: datetime | None


def spend_facts(
    conn: psycopg.Connection[Any],
    workspace: str,
    since: date,
    until: date,
    *,
    account_id: int | None = None,
    include_test: bool = False,
) -> list[SpendFact]:
    """Every row of spend of a workspace on the days `since` to `until`, both included, each in its own currency."""
    with conn.cursor(row_factory=class_row(SpendFact)) as cursor:
        cursor.execute(
            """
            select s.account_id, a.name as account_name, a.zone, a.is_test, s.day, s.level, s.object_id, s.ad_id,
                   ads.ad_name,
                   case when s.level = 'ad_set' then s.object_id else ads.ad_set_id end as ad_set_id,
                   case when s.level = 'ad_set' then n.name else ads.ad_set_name end as ad_set_name,
                   case when s.level = 'campaign' then s.object_id else ads.campaign_id end as campaign_id,
                   case when s.level = 'campaign' then n.name else ads.campaign_name end as campaign_name,
                   s.currency, s.spend, s.impressions, s.reach, s.clicks, s.link_clicks, s.conversations_started,
                   s.source
            from ad_spend_daily s
            join ad_accounts a on a.id = s.account_id
            left join ads on ads.account_id = s.account_id and ads.ad_id = s.ad_id
            left join ad_names n on n.account_id = s.account_id and n.level = s.level and n.object_id = s.object_id
                                and n.valid_until is null
            where a.workspace = %(workspace)s and s.day between %(since)s and %(until)s
              and (%(account)s::bigint is null or a.id = %(account)s) and (%(test)s or not a.is_test)
            order by s.day, s.account_id, s.level, s.object_id
            """,
            {"workspace": workspace, "since": since, "until": until, "account": account_id, "test": include_test},
        )
        return cursor.fetchall()


def stored_spend(conn: psycopg.Connection[Any], account_id: int, since: date, until: date) -> list[Spend]:
    """The rows of one account on these days, as they are stored."""
    with conn.cursor(row_factory=class_row(Spend)) as cursor:
        cursor.execute(
            "select account_id, day, level, object_id, currency, spend, impressions, reach, clicks, link_clicks,"
            " conversations_started, source from ad_spend_daily where account_id = %s and day between %s and %s",
            [account_id, since, until],
        )
        return cursor.fetchall()


def known_days(conn: psycopg.Connection[Any], account_id: int, since: date, until: date) -> list[AccountDay]:
    """The days of an account with a row, oldest first; a day that is missing was never fetched."""
    with conn.cursor(row_factory=class_row(AccountDay)) as cursor:
        cursor.execute(
            "select account_id, day, level, source, synced_at from ad_account_days"
            " where account_id = %s and day between %s and %s order by day",
            [account_id, since, until],
        )
        return cursor.fetchall()


def synced_days(conn: psycopg.Connection[Any], account_id: int, since: date, until: date) -> set[date]:
    """The days of an account whose spend is wholly known; on any other, no spend means nothing."""
    return {one.day for one in known_days(conn, account_id, since, until) if one.synced_at is not None}


def open_days(conn: psycopg.Connection[Any], account_id: int, days: Sequence[date]) -> None:
    """Makes days ready for Meta's rows. What a file or a person had said of them gives way to Meta."""
    conn.execute(
        "delete from ad_spend_daily where account_id = %s and day = any(%s) and source <> 'meta'",
        [account_id, list(days)],
    )
    conn.execute(
        "delete from ad_account_days where account_id = %s and day = any(%s) and source <> 'meta'",
        [account_id, list(days)],
    )
    conn.execute(
        """
        insert into ad_account_days (account_id, day, level, source)
        select %s, day, 'ad', 'meta' from unnest(%s::date[]) day order by day on conflict do nothing
        """,
        [account_id, list(days)],
    )


def close_days(conn: psycopg.Connection[Any], account_id: int, since: date, until: date, *, started: datetime) -> int:
    """Marks a pulled window as known, and drops what the pull no longer found; how many rows were dropped."""
    dropped = conn.execute(
        "delete from ad_spend_daily where account_id = %s and day between %s and %s and source = 'meta'"
        " and synced_at < %s",
        [account_id, since, until, started],
    ).rowcount
    conn.execute(
        """
        insert into ad_account_days (account_id, day, level, source, synced_at)
        select %s, day::date, 'ad', 'meta', now()
        from generate_series(%s::timestamp, %s::timestamp, interval '1 day') day order by day
        on conflict (account_id, day) do update set synced_at = now() where ad_account_days.source = 'meta'
        """,
        [account_id, since, until],
    )
    return dropped


def note_days(conn: psycopg.Connection[Any], account_id: int, days: Sequence[date], level: str, source: str) -> None:
    """Marks days as known from a file or a person, at this level."""
    conn.execute(
        """
        insert into ad_account_days (account_id, day, level, source, synced_at)
        select %s, day, %s, %s, now() from unnest(%s::date[]) day order by day
        on conflict (account_id, day) do update set synced_at = now()
        """,
        [account_id, level, source, sorted(set(days))],
    )


def save_spend(conn: psycopg.Connection[Any], rows: Sequence[Spend]) -> int:
    """Adds rows or replaces what they name; their days must be there. How many are new or changed."""
    ordered = sorted(rows, key=lambda row: (row.account_id, row.level, row.object_id, row.day))
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            insert into ad_spend_daily as s (account_id, day, level, object_id, currency, spend, impressions, reach,
                clicks, link_clicks, conversations_started, source, synced_at)
            values (%(account_id)s, %(day)s, %(level)s, %(object_id)s, %(currency)s, %(spend)s, %(impressions)s,
                %(reach)s, %(clicks)s, %(link_clicks)s, %(conversations_started)s, %(source)s, clock_timestamp())
            on conflict (account_id, level, object_id, day) do update set currency = excluded.currency,
                spend = excluded.spend, impressions = excluded.impressions, reach = excluded.reach,
                clicks = excluded.clicks, link_clicks = excluded.link_clicks,
                conversations_started = excluded.conversations_started, source = excluded.source,
                synced_at = excluded.synced_at
            where excluded.source = 'meta' or (s.currency, s.spend, s.impressions, s.reach, s.clicks, s.link_clicks,
                s.conversations_started) is distinct from (excluded.currency, excluded.spend, excluded.impressions,
                excluded.reach, excluded.clicks, excluded.link_clicks, excluded.conversations_started)
            """,
            [row.__dict__ for row in ordered],
        )
        return max(cursor.rowcount, 0)
