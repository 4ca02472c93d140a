"""An ad account as the fake Graph shows it: campaigns, ad sets, ads, and what each day cost. Pure and repeatable.

Figures come from the account's seed, the ad and the day alone, so that the same question has the same answer on every
machine; a configuration may say a day's figures itself, to the cent.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

CONVERSATIONS = "onsite_conversion.messaging_conversation_started_7d"
#: Weekdays differ, as they do: Monday first.
_WEEK = (100, 96, 98, 104, 112, 128, 118)


@dataclass(frozen=True)
class Ad:
    """One ad, with what it belongs to. `daily_cents`: what an average day costs."""

    id: str
    name: str
    ad_set_id: str
    ad_set_name: str
    campaign_id: str
    campaign_name: str
    status: str = "ACTIVE"
    headline: str = ""
    body: str = ""
    daily_cents: int = 4000


@dataclass(frozen=True)
class AdAccount:
    """One ad account. `figures`: {(ad id, day): the row's own numbers}, instead of made-up ones."""

    id: str
    name: str
    currency: str = "USD"
    zone: str = "UTC"
    seed: int = 1
    started_on: date = date(2025, 1, 1)
    ads: Sequence[Ad] = ()
    figures: Mapping[tuple[str, date], Mapping[str, Any]] = field(default_factory=dict)
    #: A pull of more days than this is refused unless it is a report, as Meta does with too much data.
    longest_days: int = 400


def rows(account: AdAccount, since: date, until: date) -> Iterator[dict[str, Any]]:
    """Yields Meta's rows of these days, level ad, one a day of delivery, as `/insights` lists them."""
    day = max(since, account.started_on)
    while day <= until:
        for ad in account.ads:
            numbers = account.figures.get((ad.id, day)) or _numbers(account, ad, day)
            if numbers is not None:
                yield _row(account, ad, day, numbers)
        day += timedelta(days=1)


def shown(ad: Ad) -> dict[str, Any]:
    """An ad as `/act_…/ads` shows it."""
    return {
        "id": ad.id,
        "name": ad.name,
        "effective_status": ad.status,
        "adset": {"id": ad.ad_set_id, "name": ad.ad_set_name},
        "campaign": {"id": ad.campaign_id, "name": ad.campaign_name},
        "creative": {"id": f"9{ad.id}", "title": ad.headline or ad.name, "body": ad.body},
    }


def _numbers(account: AdAccount, ad: Ad, day: date) -> dict[str, Any] | None:
    """A believable day: dearer at weekends, some noise, now and then no delivery at all."""
    noise = hashlib.sha256(f"{account.seed}:{ad.id}:{day}".encode()).digest()
    if noise[0] < 8 or ad.status != "ACTIVE":
        return None
    cents = ad.daily_cents * _WEEK[day.weekday()] * (70 + noise[1] * 60 // 255) // 10_000
    impressions = cents * 10 // (6 + noise[2] % 5)
    clicks = impressions * (12 + noise[3] % 16) // 1000
    link_clicks = clicks * (70 + noise[4] % 20) // 100
    conversations = link_clicks * (25 + noise[5] % 30) // 100
    return {
        "spend": f"{Decimal(cents) / 100:.2f}",
        "impressions": impressions,
        "reach": impressions * (70 + noise[6] % 25) // 100,
        "clicks": clicks,
        "link_clicks": link_clicks,
        "conversations_started": conversations,
    }


def _row(account: AdAccount, ad: Ad, day: date, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers are text, as at Meta; action types overlap, as at Meta."""
    conversations = str(numbers.get("conversations_started", 0))
    actions = [
        {"action_type": "onsite_conversion.total_messaging_connection", "value": conversations},
        {"action_type": CONVERSATIONS, "value": conversations},
        {"action_type": "link_click", "value": str(numbers.get("link_clicks", 0))},
    ]
    row = {
        "date_start": day.isoformat(),
        "date_stop": day.isoformat(),
        "account_id": account.id,
        "account_currency": account.currency,
        "ad_id": ad.id,
        "ad_name": ad.name,
        "adset_id": ad.ad_set_id,
        "adset_name": ad.ad_set_name,
        "campaign_id": ad.campaign_id,
        "campaign_name": ad.campaign_name,
        "spend": str(numbers.get("spend", "0")),
        "impressions": str(numbers.get("impressions", 0)),
        "reach": str(numbers.get("reach", 0)),
        "clicks": str(numbers.get("clicks", 0)),
        "inline_link_clicks": str(numbers.get("link_clicks", 0)),
    }
    return row if conversations == "0" else {**row, "actions": actions}
