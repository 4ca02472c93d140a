"""What ads cost and earned: the sums, and every figure that is made of them.

Ratios are always made of sums, never averaged; a ratio over nothing is None, which pages show as a dash. Money of
different currencies is never added up: a `Sums` has one currency, and what was earned in others stands beside it.
Names and formulas are those of Meta's Ads Manager (https://www.facebook.com/business/help/447834205249495).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal

#: A ratio over fewer events than this is marked as too few to judge by.
FEW = 10
_THOUSAND = Decimal(1000)


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What can be added up over days, ads and channels. `currency` is that of the spend and of `gross`.

    What Meta reports is None where nothing was synced: unknown is not zero. `conversations_reported` is Meta's count of
    messaging conversations started, the others are our own. `costed` sales have a known cost.
    """

    currency: str = ""
    spend: Decimal | None = None
    impressions: int | None = None
    clicks: int | None = None
    link_clicks: int | None = None
    conversations_reported: int | None = None
    with_click_id: int = 0
    without_click_id: int = 0
    organic: int = 0
    leads: int = 0
    qualified: int = 0
    purchases: int = 0
    gross: Decimal = Decimal(0)
    refunds: Decimal = Decimal(0)
    #: Cost of what was sold, of those sales whose cost or margin is known.
    cost: Decimal = Decimal(0)
    costed: int = 0
    #: Earned, after refunds, in other currencies than `currency`.
    elsewhere: Mapping[str, Decimal] = field(default_factory=dict)

    def __add__(self, other: "Sums") -> "Sums":
        """Both together. ValueError when both have money, and in different currencies."""
        if self.currency and other.currency and self.currency != other.currency:
            raise ValueError("Money of two currencies is not added up.")
        values: dict[str, object] = {"currency": self.currency or other.currency}
        for one in fields(self):
            if one.name not in ("currency", "elsewhere"):
                values[one.name] = _plus(getattr(self, one.name), getattr(other, one.name))
        elsewhere = dict(self.elsewhere)
        for currency, amount in other.elsewhere.items():
            elsewhere[currency] = elsewhere.get(currency, Decimal(0)) + amount
        return Sums(**values, elsewhere=elsewhere)  # type: ignore[arg-type]

    @property
    def captured(self) -> int:
        """Conversations from ads that we saw, with a click id or without."""
        return self.with_click_id + self.without_click_id

    @property
    def net(self) -> Decimal:
        """Earned after refunds."""
        return self.gross - self.refunds

    @property
    def profit(self) -> Decimal | None:
        """Earned after refunds, cost of goods and spend; None unless the cost of every sale is known."""
        if self.spend is None or self.costed < self.purchases:
            return None
        return self.net - self.cost - self.spend


def total(sums: Iterable[Sums], *, currency: str = "") -> Sums:
    """All of them together."""
    result = Sums(currency=currency)
    for one in sums:
        result += one
    return result


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A figure made of two sums. `value` is None over nothing; `low` and `high` bound what it may really be (95 %).

    `over` is how many events it stands on. `numerator` and `denominator` are the sums: None of a figure that is one by
    itself, and where a sum is unknown.
    """

    value: Decimal | None
    numerator: Decimal | int | None = None
    denominator: Decimal | int | None = None
    over: int | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def few(self) -> bool:
        """Whether it stands on too few events to judge an ad by."""
        return self.over is not None and 0 < self.over < FEW


def figures(sums: Sums) -> dict[str, Ratio]:
    """Every ratio by name: costs in the currency of the sums, rates as fractions (0.25 is 25 %)."""
    made = {name: _cost(sums.spend, count(sums)) for name, count in _COSTS.items()}
    made |= {name: _rate(part(sums), whole(sums)) for name, (part, whole) in _RATES.items()}
    made["cpm"] = _ratio(_times(sums.spend, _THOUSAND), sums.impressions)
    made["cpc"] = _ratio(sums.spend, sums.clicks)
    made["aov"] = _ratio(sums.gross, sums.purchases, over=sums.purchases)
    made["roas"] = _ratio(sums.gross, sums.spend, over=sums.purchases)
    made["net_roas"] = _ratio(sums.net, sums.spend, over=sums.purchases)
    made["roi"] = _ratio(_roi_gain(sums), sums.spend, over=sums.purchases)
    return made


def change(now: Decimal | None, before: Decimal | None) -> Decimal | None:
    """How much more it is than before, as a fraction of before; None where one is unknown or before was nothing."""
    if now is None or not before:
        return None
    return (now - before) / abs(before)


def _roi_gain(sums: Sums) -> Decimal | None:
    """What is left of the revenue after refunds, known costs and the spend."""
    return None if sums.spend is None else sums.net - sums.cost - sums.spend


_COSTS: Mapping[str, Callable[[Sums], int | None]] = {
    "cost_per_conversation": lambda sums: sums.captured,
    "cost_per_reported_conversation": lambda sums: sums.conversations_reported,
    "cpl": lambda sums: sums.leads,
    "cpql": lambda sums: sums.qualified,
    "cost_per_purchase": lambda sums: sums.purchases,
}
_Part = Callable[[Sums], int | Decimal | None]
_RATES: Mapping[str, tuple[_Part, _Part]] = {
    "ctr": (lambda sums: sums.clicks, lambda sums: sums.impressions),
    "link_ctr": (lambda sums: sums.link_clicks, lambda sums: sums.impressions),
    "conversation_rate": (lambda sums: sums.captured, lambda sums: sums.link_clicks),
    "capture_rate": (lambda sums: sums.captured, lambda sums: sums.conversations_reported),
    "click_id_coverage": (lambda sums: sums.with_click_id, lambda sums: sums.captured),
    "lead_rate": (lambda sums: sums.leads, lambda sums: sums.captured),
    "qualification_rate": (lambda sums: sums.qualified, lambda sums: sums.leads),
    "purchase_rate": (lambda sums: sums.purchases, lambda sums: sums.leads),
    "qualified_purchase_rate": (lambda sums: sums.purchases, lambda sums: sums.qualified),
    "refund_rate": (lambda sums: sums.refunds, lambda sums: sums.gross),
}


def _ratio(part: int | Decimal | None, whole: int | Decimal | None, *, over: int | None = None) -> Ratio:
    return Ratio(value=_divide(part, whole), numerator=part, denominator=whole, over=over)


def _cost(spend: Decimal | None, count: int | None) -> Ratio:
    """Spend for each event, and the bounds that chance puts on it (a Poisson interval of the count)."""
    made = _ratio(spend, count, over=count)
    if not count or spend is None:
        return made
    low, high = poisson_bounds(count)
    return replace(made, low=_divide(spend, high), high=_divide(spend, low))


def _rate(part: int | Decimal | None, whole: int | Decimal | None) -> Ratio:
    made = _ratio(part, whole, over=whole if isinstance(whole, int) else None)
    if made.value is None or not isinstance(part, int) or not isinstance(whole, int) or part > whole:
        return made
    low, high = wilson_bounds(part, whole)
    return replace(made, low=low, high=high)


def wilson_bounds(part: int, whole: int) -> tuple[Decimal, Decimal]:
    """Wilson's 95 % interval of a share (https://doi.org/10.1080/01621459.1927.10502953). `whole` is positive."""
    z = 1.959964
    share = part / whole
    middle = share + z * z / (2 * whole)
    reach = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    scale = 1 + z * z / whole
    return _bounded((middle - reach) / scale), _bounded((middle + reach) / scale)


def poisson_bounds(count: int) -> tuple[Decimal, Decimal]:
    """Byar's approximation of the 95 % interval of a count (https://doi.org/10.2307/2531405). `count` is positive."""
    z = 1.959964
    low = count * (1 - 1 / (9 * count) - z / (3 * math.sqrt(count))) ** 3
    above = count + 1
    high = above * (1 - 1 / (9 * above) + z / (3 * math.sqrt(above))) ** 3
    return _decimal(max(low, 0.0)), _decimal(high)


def _bounded(value: float) -> Decimal:
    return _decimal(min(1.0, max(0.0, value)))


def _decimal(value: float) -> Decimal:
    return Decimal(repr(round(value, 6)))


def _plus(one: int | Decimal | None, other: int | Decimal | None) -> int | Decimal | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other


def _times(one: Decimal | None, other: Decimal) -> Decimal | None:
    return None if one is None else one * other


def _divide(part: int | Decimal | None, whole: int | Decimal | None) -> Decimal | None:
    if part is None or not whole:
        return None
    return Decimal(part) / Decimal(whole)
