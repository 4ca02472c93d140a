"""Puts the made-up business into the database, in a workspace of its own, and takes it out again.

It writes what only processes of the product write otherwise, so it runs as the owner of the database. Every row is a
test row: no total counts it unless test rows are asked for.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from console.demo_data.business import SHOPS, Ad, make_ads
from console.demo_data.rows import COLUMNS, WORKSPACE, Place, Writer, batches
from console.demo_data.story import UNSYNCED_DAYS, DaySpend, chats_of, spend_of_days
from shared.crypto import HashRing, KeyRing
from shared.db import ad_accounts, ads, audit, channels, datasets, spend

BATCH = 5000
#: The demo's third dataset has had no working token for so long.
STUCK = timedelta(hours=40)


@dataclass(frozen=True)
class Filled:
    """How many rows of each kind there are now."""

    chats: int
    conversions: int
    days: int


def fill(
    conn: psycopg.Connection[Any],
    *,
    days: int,
    scale: float,
    seed: int,
    now: datetime,
    secret_ring: KeyRing,
    hash_ring: HashRing,
    actor: str,
    progress: Callable[[int], None] = lambda chats: None,
) -> Filled:
    """Writes the business as it looks after so many days; the caller commits.

    `scale` is how large its budgets are. ValueError when it is there already.
    """
    if conn.execute("select 1 from channels where workspace = %s limit 1", [WORKSPACE]).fetchone():
        raise ValueError("The demo business is there already.")
    rng = random.Random(seed)  # noqa: S311 (a story, not a secret)
    ads_made = make_ads(rng, days)
    places = _set_up(conn, secret_ring, now)
    last = now.astimezone(ZoneInfo(SHOPS[0].zone)).date()
    spends = list(spend_of_days(rng, ads_made, last, days, scale=scale))
    _write_spend(conn, spends, ads_made, last, now)
    writer = Writer(
        rng=rng, places=places, secret_ring=secret_ring, hash_ring=hash_ring, until=now,
        next_ids={table: _reserve(conn, table) for table in ("contacts", "messages", "touchpoints")},
    )  # fmt: skip
    chats = conversions = 0
    for tables in batches(chats_of(rng, spends, ads_made, last, now), writer, BATCH):
        for table, columns in COLUMNS.items():
            if tables.get(table):
                _copy(conn, table, columns, tables[table])
        chats += len(tables["contacts"])
        conversions += len(tables["conversions"])
        progress(chats)
    for table, following in writer.next_ids.items():
        conn.execute("select setval(pg_get_serial_sequence(%s, 'id'), %s, false)", [table, following])
    audit.record(conn, actor=actor, action="demo_data.fill", subject=WORKSPACE, detail={"days": days, "chats": chats})
    return Filled(chats=chats, conversions=conversions, days=days)


def remove(conn: psycopg.Connection[Any], *, actor: str) -> bool:
    """Takes the business out again; whether it was there. The caller commits."""
    ids = {
        "channels": "select id from channels where workspace = %(it)s",
        "conversions": "select id from conversions where workspace = %(it)s",
        "deliveries": "select d.id from deliveries d join conversions c on c.id = d.conversion_id"
        " where c.workspace = %(it)s",
        "contacts": "select id from contacts where workspace = %(it)s",
        "accounts": "select id from ad_accounts where workspace = %(it)s",
        "datasets": "select dataset_id from channels where workspace = %(it)s",
    }
    found = conn.execute(ids["channels"], {"it": WORKSPACE}).fetchone() is not None
    of_demo = conn.execute(ids["datasets"], {"it": WORKSPACE}).fetchall()
    for statement in (
        f"delete from attempts where delivery_id in ({ids['deliveries']})",
        f"delete from deliveries where conversion_id in ({ids['conversions']})",
        f"delete from conversion_changes where conversion_id in ({ids['conversions']})",
        "delete from submissions where workspace = %(it)s",
        "delete from conversions where workspace = %(it)s",
        f"delete from first_touches where contact_id in ({ids['contacts']})",
        f"delete from touchpoints where channel_id in ({ids['channels']})",
        f"delete from messages where channel_id in ({ids['channels']})",
        f"delete from contact_changes where contact_id in ({ids['contacts']})",
        f"delete from contact_identities where contact_id in ({ids['contacts']})",
        "delete from contacts where workspace = %(it)s",
        f"delete from ad_spend_daily where account_id in ({ids['accounts']})",
        f"delete from ad_account_days where account_id in ({ids['accounts']})",
        f"delete from ads where account_id in ({ids['accounts']})",
        f"delete from ad_names where account_id in ({ids['accounts']})",
        "delete from ad_accounts where workspace = %(it)s",
        "delete from channels where workspace = %(it)s",
        "delete from delivery_counts where workspace = %(it)s",
        "delete from roi_daily where workspace = %(it)s",
        "delete from roi_changes where workspace = %(it)s",
        "delete from roi_zones where workspace = %(it)s",
    ):
        conn.execute(statement.encode(), {"it": WORKSPACE})
    conn.execute("delete from capi_requests where dataset_id = any(%s)", [[row[0] for row in of_demo]])
    conn.execute("delete from datasets where id = any(%s)", [[row[0] for row in of_demo]])
    if found:
        audit.record(conn, actor=actor, action="demo_data.remove", subject=WORKSPACE)
    return found


def _set_up(conn: psycopg.Connection[Any], ring: KeyRing, now: datetime) -> dict[str, Place]:
    """A dataset and a channel for each shop. Nothing is ever sent: the datasets have no token."""
    places = {}
    for number, shop in enumerate(SHOPS, start=1):
        meta_id = f"99000000000000{number}"
        dataset = datasets.insert_dataset(
            conn,
            {
                "name": f"{shop.channel} (demo)",
                "meta_id": meta_id,
                "waba_id": f"9900000000001{number}",
                "is_test": True,
            },
        )
        stuck = shop is SHOPS[-1]
        if stuck:
            datasets.pause_dataset(conn, dataset, reason="token", detail="meta_190")
        channel = channels.insert_channel(
            conn,
            {
                "key": f"demo-data-{number}-{now:%Y%m%d%H%M%S}", "name": f"{shop.channel} (demo)",
                "workspace": WORKSPACE, "provider": shop.provider, "secrets": channels.seal_secrets(ring, []),
                "unsigned": False, "dataset_id": dataset, "currency": shop.currency, "country": shop.country,
                "zone": shop.zone, "post_policy": "ignore", "margin_percent": shop.margin, "enabled": False,
                "is_test": True,
            },
        )  # fmt: skip
        places[shop.channel] = Place(
            channel_id=channel, dataset_id=dataset, dataset_meta_id=meta_id, stuck_since=now - STUCK if stuck else None
        )
    return places


def _write_spend(
    conn: psycopg.Connection[Any], spends: list[DaySpend], made: list[Ad], last: Any, now: datetime
) -> None:
    for shop in SHOPS:
        account = ad_accounts.insert_account(
            conn,
            {
                "workspace": WORKSPACE, "name": f"{shop.account} (demo)", "currency": shop.currency, "zone": shop.zone,
                "is_test": True,
            },
        )  # fmt: skip
        ads.save_ads(conn, [_known_ad(account, ad) for ad in made if ad.shop is shop], refreshed=True)
        mine = [one for one in spends if one.ad.shop is shop and (last - one.day).days not in UNSYNCED_DAYS]
        spend.note_days(conn, account, [one.day for one in mine], "ad", "csv")
        spend.save_spend(conn, list(_spend_rows(account, mine)))
        conn.execute(
            "update ad_accounts set last_synced_at = %s, synced_until = %s where id = %s", [now, last, account]
        )


def _known_ad(account: int, ad: Ad) -> ads.Ad:
    return ads.Ad(
        account_id=account, ad_id=ad.ad_id, ad_name=ad.name, ad_set_id=ad.ad_set_id, ad_set_name=ad.ad_set_name,
        campaign_id=ad.campaign_id, campaign_name=ad.campaign_name, creative_id=ad.creative_id, status=ad.status,
        headline=ad.headline,
    )  # fmt: skip


def _spend_rows(account: int, spends: list[DaySpend]) -> Iterator[spend.Spend]:
    for one in spends:
        yield spend.Spend(
            account_id=account, day=one.day, level="ad", object_id=one.ad.ad_id, currency=one.ad.shop.currency,
            spend=one.spend, impressions=one.impressions, reach=one.reach, clicks=one.clicks,
            link_clicks=one.link_clicks, conversations_started=one.conversations, source="csv",
        )  # fmt: skip


def _reserve(conn: psycopg.Connection[Any], table: str) -> int:
    """The first of the ids that this transaction may give itself: nobody else adds to the table until it ends."""
    conn.execute(sql.SQL("lock table {} in exclusive mode").format(sql.Identifier(table)))
    row = conn.execute(sql.SQL("select coalesce(max(id), 0) + 1 from {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    used = conn.execute("select nextval(pg_get_serial_sequence(%s, 'id'))", [table]).fetchone()
    assert used is not None
    return max(int(row[0]), int(used[0]))


def _copy(conn: psycopg.Connection[Any], table: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def utc_now() -> datetime:
    """Now, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
