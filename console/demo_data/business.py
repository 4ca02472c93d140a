"""Who the made-up business is: its channels, ad accounts, campaigns and ads, and how well each ad does. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class Shop:
    """One channel with the ad account that brings its people. Money is in the currency of both."""

    channel: str
    provider: str
    account: str
    country: str
    zone: str
    currency: str
    #: What a conversation costs and what a sale is worth, in the middle.
    conversation_cost: float
    sale: float
    #: Of a sale, in percent; None: nobody has said.
    margin: int | None
    daily_budget: float


SHOPS = (
    Shop(
        channel="Loja Centro", provider="whapi", account="Loja Centro", country="BR", zone="America/Sao_Paulo",
        currency="BRL", conversation_cost=6.5, sale=420, margin=38, daily_budget=520,
    ),
    Shop(
        channel="Tienda Norte", provider="meta_cloud", account="Tienda Norte", country="MX",
        zone="America/Mexico_City", currency="MXN", conversation_cost=24, sale=1650, margin=None, daily_budget=1300,
    ),
    Shop(
        channel="Shop Austin", provider="360dialog", account="Shop Austin", country="US", zone="America/Chicago",
        currency="USD", conversation_cost=3.1, sale=95, margin=45, daily_budget=90,
    ),
)  # fmt: skip

_CAMPAIGNS = ("Spring sale", "New arrivals", "Retargeting")
_AD_SETS = ("Women 25-44", "Lookalike buyers 2%", "Broad")
_CREATIVES = ("Video 15 s", "Carousel", "Customer story", "Before and after")


@dataclass(frozen=True, kw_only=True)
class Ad:
    """One ad. The factors say how it does beside the average: its share of the budget, and its people's quality."""

    shop: Shop
    ad_id: str
    name: str
    ad_set_id: str
    ad_set_name: str
    campaign_id: str
    campaign_name: str
    creative_id: str
    headline: str
    status: str
    placement: str
    weight: float
    quality: float
    #: Shown in WhatsApp Status, where no click id comes along.
    in_status: bool
    #: The first and the last day it ran, counted from the start of the story.
    first_day: int
    last_day: int


def make_ads(rng: random.Random, days: int, shops: Sequence[Shop] = SHOPS) -> list[Ad]:
    """The ads of the shops over so many days; the same from the same generator."""
    ads = []
    for place, shop in enumerate(shops, start=1):
        for campaign, campaign_name in enumerate(_CAMPAIGNS, start=1):
            for ad_set in range(1, 3):
                for number in range(1, 4):
                    path = f"{place}{campaign}{ad_set}{number}"
                    first = 0 if rng.random() < 0.6 else rng.randrange(days // 2 + 1)
                    last = days - 1 if rng.random() < 0.7 else rng.randrange(first, days)
                    creative = _CREATIVES[(number + campaign) % len(_CREATIVES)]
                    ads.append(
                        Ad(
                            shop=shop,
                            ad_id=f"12021000000000{path}",
                            name=f"{creative} {chr(64 + number)}",
                            ad_set_id=f"12021000000001{path[:3]}",
                            ad_set_name=_AD_SETS[(ad_set + campaign) % len(_AD_SETS)],
                            campaign_id=f"12021000000002{path[:2]}",
                            campaign_name=f"{campaign_name} {shop.country}",
                            creative_id=f"12021000000003{place}{(number + campaign) % len(_CREATIVES)}",
                            headline=f"{campaign_name}: {creative.lower()}",
                            status="ACTIVE" if last == days - 1 else rng.choice(["PAUSED", "DELETED"]),
                            placement=rng.choice(["facebook", "instagram", "instagram"]),
                            weight=rng.lognormvariate(0, 0.6),
                            quality=rng.lognormvariate(0, 0.35),
                            in_status=number == 3 and campaign == 3,
                            first_day=first,
                            last_day=last,
                        )
                    )
    return ads


def money(amount: float) -> Decimal:
    """To the cent."""
    return Decimal(f"{amount:.2f}")
