"""Meta's Ads Insights as we ask for them and read them: what each ad cost on each day. Pure.

https://developers.facebook.com/docs/marketing-api/insights. Every number comes as text; a row exists only for a day
on which the ad was delivered; days are those of the ad account's zone. `paging.next` holds the token and is not read.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

#: One row is about 1 kB.
PAGE_ROWS = 250
_FIELDS = (
    "date_start,account_currency,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,spend,impressions,reach,"
    "clicks,inline_link_clicks,actions"
)
#: What Ads Manager calls "messaging conversations started". Other action types overlap with it and are not added.
CONVERSATIONS = "onsite_conversion.messaging_conversation_started_7d"
_AD_FIELDS = "id,name,effective_status,adset{id,name},campaign{id,name},creative{id,title,body,thumbnail_url}"


class UnreadableError(ValueError):
    """An answer that is not what Meta documents; the text names the field and no value."""


@dataclass(frozen=True, kw_only=True)
class InsightRow:
    """What one ad cost and brought on one day, by Meta's count."""

    day: date
    ad_id: str
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
    conversations_started: int


@dataclass(frozen=True, kw_only=True)
class AdRow:
    """What Meta tells of one ad: what it belongs to, and its creative's words."""

    ad_id: str
    ad_name: str | None
    status: str | None
    ad_set_id: str | None
    ad_set_name: str | None
    campaign_id: str | None
    campaign_name: str | None
    creative_id: str | None
    headline: str | None
    body: str | None
    thumbnail_url: str | None


def insights_query(since: date, until: date) -> dict[str, str]:
    """The parameters of a pull of these days, both included."""
    return {
        "level": "ad",
        "time_increment": "1",
        "time_range": json.dumps({"since": since.isoformat(), "until": until.isoformat()}),
        "fields": _FIELDS,
        "limit": str(PAGE_ROWS),
    }


def ads_query(ad_ids: Sequence[str]) -> dict[str, str]:
    """The parameters that ask an account's `ads` for these. Unlike `ids=` it passes over those that are gone."""
    return {
        "fields": _AD_FIELDS,
        "filtering": json.dumps([{"field": "ad.id", "operator": "IN", "value": list(ad_ids)}]),
        "limit": str(len(ad_ids)),
    }


def rows_of(content: Mapping[str, Any]) -> list[InsightRow]:
    """The rows of one page. Raises UnreadableError."""
    return [_insight(row) for row in _data(content)]


def ads_of(content: Mapping[str, Any]) -> list[AdRow]:
    """The ads of one page. Raises UnreadableError."""
    return [_ad(row) for row in _data(content)]


def next_cursor(content: Mapping[str, Any]) -> str | None:
    """Where the next page begins (`paging.cursors.after`); None on the last page, which names no `next`."""
    paging = content.get("paging")
    if not isinstance(paging, Mapping) or not paging.get("next"):
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, Mapping) else None
    if not isinstance(after, str) or not after:
        raise UnreadableError("paging.cursors.after")
    return after


def _data(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    data = content.get("data")
    if not isinstance(data, list) or not all(isinstance(row, Mapping) for row in data):
        raise UnreadableError("data")
    return data


def _insight(row: Mapping[str, Any]) -> InsightRow:
    currency = row.get("account_currency")
    if not isinstance(currency, str) or not re.fullmatch("[A-Z]{3}", currency):
        raise UnreadableError("account_currency")
    return InsightRow(
        day=_day(row.get("date_start")),
        ad_id=_id(row.get("ad_id"), "ad_id"),
        ad_name=_text(row.get("ad_name")),
        ad_set_id=_text(row.get("adset_id")),
        ad_set_name=_text(row.get("adset_name")),
        campaign_id=_text(row.get("campaign_id")),
        campaign_name=_text(row.get("campaign_name")),
        currency=currency,
        spend=_money(row.get("spend", "0")),
        impressions=_count(row.get("impressions"), "impressions"),
        reach=_count(row.get("reach"), "reach"),
        clicks=_count(row.get("clicks"), "clicks"),
        link_clicks=_count(row.get("inline_link_clicks", "0"), "inline_link_clicks"),
        conversations_started=_conversations(row.get("actions")),
    )


def _ad(row: Mapping[str, Any]) -> AdRow:
    ad_set, campaign, creative = (_object(row.get(name)) for name in ("adset", "campaign", "creative"))
    return AdRow(
        ad_id=_id(row.get("id"), "id"),
        ad_name=_text(row.get("name")),
        status=_text(row.get("effective_status")),
        ad_set_id=_text(ad_set.get("id")),
        ad_set_name=_text(ad_set.get("name")),
        campaign_id=_text(campaign.get("id")),
        campaign_name=_text(campaign.get("name")),
        creative_id=_text(creative.get("id")),
        headline=_text(creative.get("title")),
        body=_text(creative.get("body")),
        thumbnail_url=_text(creative.get("thumbnail_url")),
    )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    """A text without what Postgres can't keep, at most 2,000 characters; None when there is none."""
    return value.replace("\x00", "")[:2000] or None if isinstance(value, str) else None


def _id(value: object, name: str) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9]{1,32}", value):
        raise UnreadableError(name)
    return value


def _day(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise UnreadableError("date_start") from None


def _money(value: object) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise UnreadableError("spend") from None
    if not amount.is_finite() or not 0 <= amount < 10**12:
        raise UnreadableError("spend")
    return amount


def _count(value: object, name: str) -> int | None:
    if value is None:
        return None
    if not re.fullmatch("[0-9]{1,15}", str(value)):
        raise UnreadableError(name)
    return int(str(value))


def _conversations(actions: object) -> int:
    """None were started when the row names no such action."""
    listed = actions if isinstance(actions, list) else []
    found = [one.get("value") for one in listed if isinstance(one, Mapping) and one.get("action_type") == CONVERSATIONS]
    return (_count(found[0], "actions") or 0) if found else 0
