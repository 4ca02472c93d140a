"""Sums and ratios under one roof: every figure by the name that columns of files and fields of the API have. Pure."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from shared.domain.roi import Ratio, Sums, figures

#: `money` is in the currency of the sums, `rate` is a share of 1, `times` is money for each unit of spend.
Unit = Literal["count", "money", "rate", "times"]

_SUMS: Mapping[str, Callable[[Sums], Decimal | int | None]] = {
    "spend": lambda sums: sums.spend,
    "impressions": lambda sums: sums.impressions,
    "clicks": lambda sums: sums.clicks,
    "link_clicks": lambda sums: sums.link_clicks,
    "conversations_reported": lambda sums: sums.conversations_reported,
    "conversations": lambda sums: sums.captured,
    "with_click_id": lambda sums: sums.with_click_id,
    "without_click_id": lambda sums: sums.without_click_id,
    "leads": lambda sums: sums.leads,
    "qualified": lambda sums: sums.qualified,
    "purchases": lambda sums: sums.purchases,
    "costed_purchases": lambda sums: sums.costed,
    "revenue": lambda sums: sums.gross,
    "refunds": lambda sums: sums.refunds,
    "net_revenue": lambda sums: sums.net,
    "profit": lambda sums: sums.profit,
}
#: Every figure, in the order that files have them, with its unit.
UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        "spend": "money",
        "impressions": "count",
        "clicks": "count",
        "ctr": "rate",
        "cpc": "money",
        "cpm": "money",
        "link_clicks": "count",
        "link_ctr": "rate",
        "conversation_rate": "rate",
        "conversations_reported": "count",
        "cost_per_reported_conversation": "money",
        "conversations": "count",
        "capture_rate": "rate",
        "cost_per_conversation": "money",
        "with_click_id": "count",
        "without_click_id": "count",
        "click_id_coverage": "rate",
        "leads": "count",
        "lead_rate": "rate",
        "cpl": "money",
        "qualified": "count",
        "qualification_rate": "rate",
        "cpql": "money",
        "purchases": "count",
        "costed_purchases": "count",
        "purchase_rate": "rate",
        "qualified_purchase_rate": "rate",
        "cost_per_purchase": "money",
        "revenue": "money",
        "refunds": "money",
        "refund_rate": "rate",
        "net_revenue": "money",
        "aov": "money",
        "roas": "times",
        "net_roas": "times",
        "roi": "rate",
        "profit": "money",
    }
)


def measures(sums: Sums) -> dict[str, Ratio]:
    """Every figure of these sums, in the order of UNITS. What is counted is a ratio over nothing, and never few."""
    ratios = figures(sums)
    return {name: Ratio(value=_decimal(_SUMS[name](sums))) if name in _SUMS else ratios[name] for name in UNITS}


def measure(sums: Sums, name: str) -> Decimal | None:
    """One figure of these sums; for sorting many."""
    return _decimal(_SUMS[name](sums)) if name in _SUMS else figures(sums)[name].value


def _decimal(value: Decimal | int | None) -> Decimal | None:
    return None if value is None else Decimal(value)
