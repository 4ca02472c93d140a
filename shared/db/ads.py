"""The tables `ads` and `ad_names`: what ads are called and belong to, now and before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class Ad:
    """The newest that is known of an ad, its ad set and its campaign; None: not known."""

    account_id: int
    ad_id: str
    ad_name: str | None = None
    ad_set_id: str | None = None
    ad_set_name: str | None = None
    campaign_id: str | None = None
    campaign_name: str | None = None
    creative_id: str | None = None
    #: Meta's effective_status, such as ACTIVE or DELETED.
    status: str | None = None
    headline: str | None = None
    body: str | None = None
    thumbnail_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class AdName:
    """A name of a campaign, an ad set or an ad, from when to when; the newest has no end."""

    account_id: int
    level: str
    object_id: str
    name: str
    valid_from: datetime
    valid_until: datetime | None


_FIELDS = (
    "ad_name", "ad_set_id", "ad_set_name", "campaign_id", "campaign_name", "creative_id", "status", "headline", "body",
    "thumbnail_url",
)  # fmt: skip
_COLUMNS = ", ".join(("account_id", "ad_id", *_FIELDS))


def save_ads(conn: psycopg.Connection[Any], ads: Sequence[Ad], *, refreshed: bool = False) -> None:
    """Keeps what is newly known of ads. What is None here stays as it was; `refreshed`: it came from the ad itself."""
    marks = ", ".join(f"%({name})s" for name in _FIELDS)
    news = ", ".join(f"{name} = coalesce(excluded.{name}, ads.{name})" for name in _FIELDS)
    ordered = sorted(ads, key=lambda ad: ad.ad_id)
    with conn.cursor() as cursor:
        cursor.executemany(
            f"""
            insert into ads (account_id, ad_id, {", ".join(_FIELDS)}, refreshed_at)
            values (%(account_id)s, %(ad_id)s, {marks}, case when %(refreshed)s then now() end)
            on conflict (account_id, ad_id) do update set {news},
                refreshed_at = coalesce(excluded.refreshed_at, ads.refreshed_at), updated_at = now()
            """,
            [{**ad.__dict__, "refreshed": refreshed} for ad in ordered],
        )
    save_names(conn, [name for ad in ordered for name in _names(ad)])


def save_names(conn: psycopg.Connection[Any], names: Iterable[tuple[int, str, str, str]]) -> None:
    """Adds to the history what is new. A name is (account, level, id, name)."""
    newest = sorted({(account, level, object_id): name for account, level, object_id, name in names}.items())
    rows = [
        {"account": account, "level": level, "id": object_id, "name": name}
        for (account, level, object_id), name in newest
    ]
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            update ad_names set valid_until = clock_timestamp()
            where account_id = %(account)s and level = %(level)s and object_id = %(id)s and valid_until is null
              and name <> %(name)s
            """,
            rows,
        )
        cursor.executemany(
            """
            insert into ad_names (account_id, level, object_id, name, valid_from)
            values (%(account)s, %(level)s, %(id)s, %(name)s, clock_timestamp()) on conflict do nothing
            """,
            rows,
        )


def ads_to_refresh(
    conn: psycopg.Connection[Any], account_id: int, *, older_than_seconds: float, limit: int
) -> list[str]:
    """Ads whose status and creative haven't been asked for lately, never asked ones first."""
    rows = conn.execute(
        """
        select ad_id from ads where account_id = %s
          and (refreshed_at is null or refreshed_at < now() - make_interval(secs => %s))
        order by refreshed_at nulls first, ad_id limit %s
        """,
        [account_id, older_than_seconds, limit],
    ).fetchall()
    return [ad_id for (ad_id,) in rows]


def mark_refreshed(conn: psycopg.Connection[Any], account_id: int, ad_ids: Sequence[str]) -> None:
    """Notes that these were asked for: what Meta no longer names keeps its last name."""
    conn.execute(
        "update ads set refreshed_at = now() where account_id = %s and ad_id = any(%s)", [account_id, list(ad_ids)]
    )


def ads_by_id(conn: psycopg.Connection[Any], workspace: str, ad_ids: Sequence[str]) -> dict[str, Ad]:
    """The ads of a workspace with these ids, by id."""
    with conn.cursor(row_factory=class_row(Ad)) as cursor:
        cursor.execute(
            f"""
            select {_COLUMNS} from ads where ad_id = any(%s)
              and account_id in (select id from ad_accounts where workspace = %s)
            order by updated_at
            """,
            [list(ad_ids), workspace],
        )
        return {ad.ad_id: ad for ad in cursor.fetchall()}


def all_ads(conn: psycopg.Connection[Any], workspace: str) -> list[Ad]:
    """Every ad of a workspace that is known."""
    with conn.cursor(row_factory=class_row(Ad)) as cursor:
        cursor.execute(
            f"select {_COLUMNS} from ads where account_id in (select id from ad_accounts where workspace = %s)"
            " order by account_id, ad_id",
            [workspace],
        )
        return cursor.fetchall()


def names_of(conn: psycopg.Connection[Any], account_id: int, level: str, object_id: str) -> list[AdName]:
    """Every name that a campaign (`campaign`), an ad set (`ad_set`) or an ad (`ad`) had, oldest first."""
    with conn.cursor(row_factory=class_row(AdName)) as cursor:
        cursor.execute(
            "select account_id, level, object_id, name, valid_from, valid_until from ad_names"
            " where account_id = %s and level = %s and object_id = %s order by valid_from",
            [account_id, level, object_id],
        )
        return cursor.fetchall()


def newest_names(conn: psycopg.Connection[Any], workspace: str) -> dict[tuple[int, str, str], str]:
    """The newest name of everything in a workspace, by (account, level, id)."""
    rows = conn.execute(
        """
        select account_id, level, object_id, name from ad_names
        where valid_until is null and account_id in (select id from ad_accounts where workspace = %s)
        """,
        [workspace],
    ).fetchall()
    return {(account, level, object_id): name for account, level, object_id, name in rows}


def _names(ad: Ad) -> list[tuple[int, str, str, str]]:
    known = (("ad", ad.ad_id, ad.ad_name), ("ad_set", ad.ad_set_id, ad.ad_set_name),
             ("campaign", ad.campaign_id, ad.campaign_name))  # fmt: skip
    return [(ad.account_id, level, object_id, name) for level, object_id, name in known if object_id and name]
