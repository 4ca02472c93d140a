"""The table of ads: every figure by campaign, ad set, ad or creative, with the rows that make its totals whole."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

import psycopg

from console.roi.ground import Ground, read_ground
from console.roi.inside import Inside
from console.roi.overview import Part, question_of, read_part
from console.roi.question import Asked, Level
from console.roi.sums import FROM_ADS, add_up, keyed
from shared.db.ads import Ad, newest_names
from shared.db.roi import Speeds, SpendCell, read_speeds
from shared.domain.roi import Sums, total

#: `ad`, `ad_set`, `campaign` and `creative` are what their names say. `unconnected` is an ad of no connected account,
#: `unknown` are messages that named no ad, `rest` is spend that is known for something larger than the level asked for.
Kind = Literal["campaign", "ad_set", "ad", "creative", "unconnected", "unknown", "rest"]
#: What tells rows apart: the kind, the account (0: none) and Meta's id.
Key: TypeAlias = tuple[Kind, int, str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table; names are None where Meta was never asked."""

    kind: Kind
    id: str
    name: str | None
    account: str | None
    sums: Sums
    status: str | None = None
    campaign_name: str | None = None
    ad_set_name: str | None = None
    headline: str | None = None
    thumbnail_url: str | None = None
    ad_ids: Sequence[str] = ()
    speeds: Speeds | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of one currency, most spend first. `total` is what they add up to, as the tiles of the overview say.

    `aside` did not come by ads and is not in it. `without_click_id` and `without_leads` are what part of the total has
    no click id, and what was spent on ads that brought no lead.
    """

    currency: str
    rows: list[Row]
    total: Sums
    aside: Sums
    without_click_id: Sums
    without_leads: Sums


@dataclass(frozen=True, kw_only=True)
class AdsReport:
    """One table a currency, the one with most spend first, and the medians over all."""

    asked: Asked
    level: Level
    zones: Sequence[str]
    tables: list[Table] = field(default_factory=list)
    speeds: Speeds | None = None
    as_of: datetime | None = None
    #: What was looked inside of, and its name.
    inside: Inside | None = None
    inside_name: str | None = None


def read_ads(conn: psycopg.Connection[Any], asked: Asked, level: Level, *, inside: Inside | None = None) -> AdsReport:
    """The tables of a workspace at this level; `inside`: of one campaign, ad set or ad only."""
    ground = read_ground(conn, asked)
    parts = [read_part(conn, asked, segment, asked.span, by=("ad_id",), by_ad=True) for segment in ground.segments]
    names = newest_names(conn, asked.workspace)
    if inside is not None:
        parts = [_part_inside(part, inside, ground.ads) for part in parts]
    mine = ground.ads if inside is None else inside.ads(ground.ads)
    groups = {ad_id: _label(key_of_ad(ad_id, level, ground.ads)) for ad_id in mine}
    question = question_of(asked, asked.span)
    medians = {one.name: one for one in read_speeds(conn, question, ground.zones[0], groups)}
    tables = [
        _table(currency, [part for part in parts if part.currency == currency], level, ground, names, medians)
        for currency in dict.fromkeys(part.currency for part in parts)
    ]
    return AdsReport(
        asked=asked,
        level=level,
        zones=ground.zones,
        tables=sorted(tables, key=lambda table: -(table.total.spend or 0)),
        # The medians of all would be those of other ads as well.
        speeds=medians.get(None) if inside is None else None,
        as_of=min((part.as_of for part in parts if part.as_of), default=None),
        inside=inside,
        inside_name=inside.name(ground.ads) if inside else None,
    )


def _part_inside(part: Part, inside: Inside, ads: Mapping[str, Ad]) -> Part:
    return replace(
        part,
        cells=[cell for cell in part.cells if inside.has(ads.get(cell.ad_id or ""))],
        spend=[one for one in part.spend if inside.has_spend(one, ads)],
    )


def _table(
    currency: str,
    parts: Sequence[Part],
    level: Level,
    ground: Ground,
    names: Mapping[tuple[int, str, str], str],
    medians: Mapping[str | None, Speeds],
) -> Table:
    cells = [cell for part in parts for cell in part.cells]
    spend = [one for part in parts for one in part.spend]
    mine = [cell for cell in cells if cell.message_class in FROM_ADS]
    sums = add_up(
        keyed(mine, lambda cell: key_of_ad(cell.ad_id or "", level, ground.ads)),
        [(key_of_spend(one, level, ground.ads), one) for one in spend],
        currency=currency,
    )
    members: dict[Key, list[Ad]] = defaultdict(list)
    for ad in ground.ads.values():
        members[key_of_ad(ad.ad_id, level, ground.ads)].append(ad)
    accounts = {account.id: account.name for account in ground.accounts}
    rows = [_row(key, one, members[key], accounts.get(key[1]), names, medians) for key, one in sums.items()]
    rows.sort(key=lambda row: (row.kind == "unknown", -(row.sums.spend or 0), -row.sums.leads, row.id))
    aside = [cell for cell in cells if cell.message_class not in FROM_ADS]
    bare = [cell for cell in mine if cell.message_class == "ad_without_click_id"]
    return Table(
        currency=currency,
        rows=rows,
        total=total(sums.values(), currency=currency),
        aside=add_up(keyed(aside, lambda _: 0), [], currency=currency).get(0, Sums(currency=currency)),
        without_click_id=add_up(keyed(bare, lambda _: 0), [], currency=currency).get(0, Sums(currency=currency)),
        without_leads=total((row.sums for row in rows if row.sums.leads == 0), currency=currency),
    )


def key_of_ad(ad_id: str, level: Level, ads: Mapping[str, Ad]) -> Key:
    """The row that an ad's figures stand in. Ads whose ad set or campaign is not known stand alone."""
    if not ad_id:
        return ("unknown", 0, "")
    ad = ads.get(ad_id)
    if ad is None:
        return ("unconnected", 0, ad_id)
    larger = {"campaign": ad.campaign_id, "ad_set": ad.ad_set_id, "ad": ad_id, "creative": ad.creative_id}[level]
    return (level, ad.account_id, larger) if larger else ("ad", ad.account_id, ad_id)


def key_of_spend(spend: SpendCell, level: Level, ads: Mapping[str, Ad]) -> Key:
    """The row that spend stands in. What is known for a campaign only can't be told by ad."""
    assert spend.object_id is not None
    if spend.level == "ad":
        key = key_of_ad(spend.object_id, level, ads)
        return key if key[0] != "unconnected" else ("ad", spend.account_id, spend.object_id)
    if spend.level == level:
        return (level, spend.account_id, spend.object_id)
    if spend.level == "ad_set" and level == "campaign":
        campaigns = {ad.campaign_id for ad in ads.values() if ad.ad_set_id == spend.object_id and ad.campaign_id}
        if len(campaigns) == 1:
            return ("campaign", spend.account_id, campaigns.pop())
    return ("rest", spend.account_id, f"{spend.level}:{spend.object_id}")


def _label(key: Key) -> str:
    return f"{key[0]}:{key[1]}:{key[2]}"


def _row(
    key: Key,
    sums: Sums,
    members: Sequence[Ad],
    account: str | None,
    names: Mapping[tuple[int, str, str], str],
    medians: Mapping[str | None, Speeds],
) -> Row:
    kind, account_id, object_id = key
    ad = members[0] if members else None
    named_level, _, named_id = object_id.partition(":") if kind == "rest" else (kind, "", object_id)
    return Row(
        kind=kind,
        id=object_id,
        name=_name(kind, ad) or names.get((account_id, named_level, named_id)) or _plain_name(named_id),
        account=account,
        sums=sums,
        status=_status(members),
        campaign_name=ad.campaign_name if ad and kind != "campaign" else None,
        ad_set_name=ad.ad_set_name if ad and kind in ("ad", "creative") else None,
        headline=ad.headline if ad and kind in ("ad", "creative") else None,
        thumbnail_url=ad.thumbnail_url if ad and kind in ("ad", "creative") else None,
        ad_ids=[one.ad_id for one in members] or ([object_id] if kind in ("ad", "unconnected") else []),
        speeds=medians.get(_label(key) if members else object_id),
    )


def _name(kind: Kind, ad: Ad | None) -> str | None:
    if ad is None:
        return None
    return {
        "campaign": ad.campaign_name,
        "ad_set": ad.ad_set_name,
        "ad": ad.ad_name,
        "creative": ad.headline or ad.ad_name,
    }.get(kind)


def _plain_name(object_id: str) -> str | None:
    """The name that a file gave where it had no id."""
    return object_id.removeprefix("name:") if object_id.startswith("name:") else None


def _status(members: Sequence[Ad]) -> str | None:
    """The status of an ad; of several, that one of them is active, if one is."""
    statuses = {ad.status for ad in members if ad.status}
    if "ACTIVE" in statuses:
        return "ACTIVE"
    return statuses.pop() if len(statuses) == 1 else None
