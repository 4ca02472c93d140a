"""What every answer stands on: the ad accounts and their ads, and into which parts a question falls.

Days are days of an ad account's zone, and money is in its currency. So a question over accounts that differ in either
falls into segments, each answered in its own zone and currency. What belongs to no known ad stands in the first one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from console.roi.question import Asked
from shared.db.ad_accounts import AdAccount, all_accounts
from shared.db.ads import Ad, all_ads


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Accounts of one zone and currency ('' while none is known), and whose ads count here: these only, or all but."""

    zone: str
    currency: str
    account_ids: Sequence[int] = ()
    only_ads: Sequence[str] | None = None
    without_ads: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The accounts asked about, every known ad of them by id, and the segments."""

    accounts: Sequence[AdAccount]
    ads: Mapping[str, Ad]
    segments: Sequence[Segment] = field(default_factory=list)

    @property
    def zones(self) -> list[str]:
        """The zones whose days are asked about, the main one first."""
        return list(dict.fromkeys(segment.zone for segment in self.segments))


def read_ground(conn: psycopg.Connection[Any], asked: Asked) -> Ground:
    """The ground of a question."""
    accounts = [one for one in all_accounts(conn, workspace=asked.workspace) if asked.test or not one.is_test]
    ads = {ad.ad_id: ad for ad in all_ads(conn, asked.workspace)}
    return Ground(
        accounts=accounts,
        ads=ads,
        segments=segments(asked, accounts, list(ads.values()), main_zone(conn, asked.workspace)),
    )


def main_zone(conn: psycopg.Connection[Any], workspace: str) -> str:
    """The zone of a workspace's days where no ad account has a say: that of most of its ad accounts, else channels."""
    row = conn.execute(
        """
        select zone from (
            select zone, 1 as rank from ad_accounts where workspace = %(it)s and not is_test
            union all select zone, 2 from channels where workspace = %(it)s
        ) z group by zone, rank order by rank, count(*) desc, zone limit 1
        """,
        {"it": workspace},
    ).fetchone()
    return row[0] if row else "UTC"


def segments(asked: Asked, accounts: Sequence[AdAccount], ads: Sequence[Ad], zone: str) -> list[Segment]:
    """The parts of a question. Pure. Where accounts or a currency are asked for, what belongs to no known ad is out."""
    chosen = bool(asked.account_ids or asked.currency)
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for account in accounts:
        wanted = not asked.account_ids or account.id in asked.account_ids
        if wanted and asked.currency in (None, account.currency):
            groups[account.zone, account.currency or ""].append(account.id)
    ads_of: dict[int, list[str]] = defaultdict(list)
    for ad in ads:
        ads_of[ad.account_id].append(ad.ad_id)
    parts = {key: sorted(ad_id for account in ids for ad_id in ads_of[account]) for key, ids in groups.items()}
    # The first has the most ads, and what belongs to none.
    order = sorted(groups, key=lambda key: (key[0] != zone, -len(parts[key]), key))
    if not order:
        return [Segment(zone=zone, currency=asked.currency or "", only_ads=[] if chosen else None)]
    first, *others = order
    elsewhere = sorted(ad_id for key in others for ad_id in parts[key])
    return [
        Segment(
            zone=first[0],
            currency=first[1],
            account_ids=groups[first],
            only_ads=parts[first] if chosen else None,
            without_ads=() if chosen else elsewhere,
        ),
        *(Segment(zone=key[0], currency=key[1], account_ids=groups[key], only_ads=parts[key]) for key in others),
    ]
