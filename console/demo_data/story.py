"""What happened to the made-up business, day by day: what ads cost, who wrote, who was worth it, who bought. Pure."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from console.demo_data.business import SHOPS, Ad, Shop, money

#: Counted back from the last day: the spend of these days was never synced, and on these few messages came through.
UNSYNCED_DAYS = (17, 18)
DEAF_DAYS = (24,)
#: On this day Meta was down for hours, and events with a value became unknown.
OUTAGE_DAY = 9


@dataclass(frozen=True, kw_only=True)
class DaySpend:
    """What an ad cost on one day of its account's zone, and what Meta reports of it."""

    ad: Ad
    day: date
    spend: Decimal
    impressions: int
    reach: int
    clicks: int
    link_clicks: int
    conversations: int


@dataclass(frozen=True, kw_only=True)
class Sale:
    """One purchase, and what was given back of it."""

    order_id: str
    at: datetime
    value: Decimal
    refund: Decimal | None
    refunded_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Chat:
    """One person who wrote for the first time, by an ad or (`ad` None) on their own, and what came of it."""

    shop: Shop
    ad: Ad | None
    phone: str
    at: datetime
    has_click_id: bool
    replied_at: datetime | None
    qualified_at: datetime | None
    sales: list[Sale] = field(default_factory=list)
    #: A second click, of another ad, weeks later.
    again: tuple[Ad, datetime] | None = None
    #: The day counts back from the last one: 0 is the last.
    days_ago: int = 0


def spend_of_days(rng: random.Random, ads: Sequence[Ad], last: date, days: int, *, scale: float) -> Iterator[DaySpend]:
    """What every ad cost on every day it ran."""
    for number in range(days):
        day = last - timedelta(days=days - 1 - number)
        for shop in SHOPS:
            running = [ad for ad in ads if ad.shop is shop and ad.first_day <= number <= ad.last_day]
            weights = sum(ad.weight for ad in running)
            budget = shop.daily_budget * scale * (0.8 + 0.4 * number / days) * (1.15 if day.weekday() < 5 else 0.7)
            for ad in running:
                yield _day_spend(rng, ad, day, budget * ad.weight / weights * rng.uniform(0.8, 1.2))


def _day_spend(rng: random.Random, ad: Ad, day: date, spend: float) -> DaySpend:
    conversations = _poisson(rng, spend / ad.shop.conversation_cost * math.sqrt(ad.quality))
    link_clicks = conversations + _poisson(rng, conversations * 0.9 + 1)
    clicks = link_clicks + _poisson(rng, link_clicks * 0.5)
    impressions = max(clicks, _poisson(rng, clicks / 0.017 + 40))
    return DaySpend(
        ad=ad, day=day, spend=money(spend), impressions=impressions, reach=round(impressions / rng.uniform(1.1, 1.9)),
        clicks=clicks, link_clicks=link_clicks, conversations=conversations,
    )  # fmt: skip


def chats_of(
    rng: random.Random, spends: Sequence[DaySpend], ads: Sequence[Ad], last: date, until: datetime
) -> Iterator[Chat]:
    """Everybody whom these ads brought, and those who came by themselves; nothing lies after `until`."""
    number = 0
    for spend in spends:
        days_ago = (last - spend.day).days
        for _ in range(spend.conversations):
            # Some never write, and some messages get lost on the provider's way.
            if rng.random() > (0.35 if days_ago in DEAF_DAYS else 0.87):
                continue
            number += 1
            chat = _chat(rng, spend.ad.shop, spend.ad, spend.day, number, days_ago, ads)
            if chat.at < until:
                yield _cut(chat, until)
    for spend_day in sorted({spend.day for spend in spends}):
        for shop in SHOPS:
            for _ in range(_poisson(rng, 4)):
                number += 1
                chat = _chat(rng, shop, None, spend_day, number, (last - spend_day).days, ads)
                if chat.at < until:
                    yield _cut(chat, until)


def _chat(
    rng: random.Random, shop: Shop, ad: Ad | None, day: date, number: int, days_ago: int, ads: Sequence[Ad]
) -> Chat:
    hour = min(23.9, max(6.0, rng.gauss(15, 4)))
    at = datetime.combine(day, time(), ZoneInfo(shop.zone)) + timedelta(hours=hour, seconds=rng.randrange(60))
    quality = ad.quality if ad else 0.8
    replied = at + timedelta(minutes=rng.lognormvariate(2.3, 1)) if rng.random() < 0.94 else None
    qualified = None
    if replied is not None and rng.random() < min(0.75, 0.3 * quality):
        qualified = replied + timedelta(hours=rng.lognormvariate(1.2, 1.1))
    sales = []
    if qualified is not None and rng.random() < min(0.7, 0.34 * quality):
        sales = _sales(rng, shop, qualified, number)
    again = None
    if ad is not None and rng.random() < 0.04:
        other = rng.choice([one for one in ads if one.shop is shop])
        again = (other, at + timedelta(days=rng.uniform(3, 25)))
    return Chat(
        shop=shop, ad=ad, phone=f"1555{number:07d}", at=at,
        has_click_id=ad is not None and not ad.in_status and rng.random() < 0.96, replied_at=replied,
        qualified_at=qualified, sales=sales, again=again, days_ago=days_ago,
    )  # fmt: skip


def _sales(rng: random.Random, shop: Shop, qualified: datetime, number: int) -> list[Sale]:
    sales = []
    at = qualified
    for place in range(1 + (rng.random() < 0.15)):
        at += timedelta(hours=rng.lognormvariate(3, 1))
        value = money(shop.sale * rng.lognormvariate(0, 0.5))
        refund = None
        if rng.random() < 0.05:
            refund = value if rng.random() < 0.5 else money(float(value) / 2)
        sales.append(
            Sale(
                order_id=f"{shop.country}-{number:06d}-{place + 1}", at=at, value=value, refund=refund,
                refunded_at=at + timedelta(days=rng.uniform(2, 12)) if refund else None,
            )
        )  # fmt: skip
    return sales


def _cut(chat: Chat, until: datetime) -> Chat:
    """The chat as far as it had come by `until`."""
    return Chat(
        shop=chat.shop, ad=chat.ad, phone=chat.phone, at=chat.at, has_click_id=chat.has_click_id,
        replied_at=_by(chat.replied_at, until), qualified_at=_by(chat.qualified_at, until),
        sales=[
            sale if _by(sale.refunded_at, until) else Sale(
                order_id=sale.order_id, at=sale.at, value=sale.value, refund=None, refunded_at=None
            )
            for sale in chat.sales
            if sale.at < until
        ],
        again=chat.again if chat.again and chat.again[1] < until else None, days_ago=chat.days_ago,
    )  # fmt: skip


def _by(moment: datetime | None, until: datetime) -> datetime | None:
    return moment if moment is not None and moment < until else None


def _poisson(rng: random.Random, mean: float) -> int:
    """A count with this mean; by a normal curve where that makes no difference."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count
