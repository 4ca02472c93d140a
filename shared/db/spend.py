"""The tables `ad_spend_daily` and `ad_account_days`: what was spent on what, on which day, and which days are known.

Nothing here adds money up over currencies, nor reach over anything: both would be wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

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
    #: `meta`, `csv`, `manual` or `api`.
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


@dataclass(frozen=True, kw_only=True)
class SpendFilter:
    """Which rows of spend of a workspace, from `since` to `until`, both included; what isn't said doesn't matter.

    `objects` are (account id, level, object id); None is all of them, and an empty sequence is none.
    """

    workspace: str
    since: date
    until: date
    account_ids: Sequence[int] = ()
    currency: str | None = None
    level: str | None = None
    ad_id: str | None = None
    test: bool = False
    objects: Sequence[tuple[int, str, str]] | None = None


#: The place of a row in a list: its day, account, level and object.
Place: TypeAlias = tuple[date, int, str, str]


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
    accounts = () if account_id is None else (account_id,)
    return list_spend(
        conn, SpendFilter(workspace=workspace, since=since, until=until, account_ids=accounts, test=include_test)
    )


def list_spend(
    conn: psycopg.Connection[Any],
    which: SpendFilter,
    *,
    limit: int | None = None,
    after: Place | None = None,
    newest_first: bool = False,
) -> list[SpendFact]:
    """The rows by day, account, level and object; up to `limit` of them (None: all), after the place of one."""
    way, beyond = ("desc", "<") if newest_first else ("asc", ">")
    place = after or (None, None, None, None)
    objects = which.objects or ()
    with conn.cursor(row_factory=class_row(SpendFact)) as cursor:
        cursor.execute(
            f"""
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
              and (cardinality(%(accounts)s::bigint[]) = 0 or a.id = any(%(accounts)s)) and (%(test)s or not a.is_test)
              and (%(currency)s::text is null or s.currency = %(currency)s)
              and (%(level)s::text is null or s.level = %(level)s)
              and (%(ad_id)s::text is null or s.ad_id = %(ad_id)s)
              and (%(all)s or (s.account_id, s.level, s.object_id) in (
                  select * from unnest(%(of_accounts)s::bigint[], %(of_levels)s::text[], %(of_ids)s::text[])))
              and (%(day)s::date is null or (s.day, s.account_id, s.level, s.object_id) {beyond}
                  (%(day)s::date, %(after_account)s::bigint, %(after_level)s::text, %(after_id)s::text))
            order by s.day {way}, s.account_id {way}, s.level {way}, s.object_id {way} limit %(limit)s
            """.encode(),
            {
                "workspace": which.workspace,
                "since": which.since,
                "until": which.until,
                "accounts": list(which.account_ids),
                "test": which.test,
                "currency": which.currency,
                "level": which.level,
                "ad_id": which.ad_id,
                "all": which.objects is None,
                "of_accounts": [account for account, _, _ in objects],
                "of_levels": [level for _, level, _ in objects],
                "of_ids": [object_id for _, _, object_id in objects],
                "day": place[0],
                "after_account": place[1],
                "after_level": place[2],
                "after_id": place[3],
                "limit": limit,
            },
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
