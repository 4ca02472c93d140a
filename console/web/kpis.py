"""How figures are called, written and judged on pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

from babel.dates import format_timedelta
from flask import Flask
from flask_babel import get_locale, gettext, lazy_gettext

from console.roi.measures import UNITS
from console.web.formats import NOTHING, money, number, percent
from shared.domain.roi import Ratio, change

_LARGE = 1000


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """`better` says whether more of it is better, or less; None: neither."""

    label: Any
    better: Literal["more", "less"] | None = None


def _kpi(label: Any, better: Literal["more", "less"] | None = None) -> Kpi:
    return Kpi(label=label, better=better)


KPIS: Mapping[str, Kpi] = {
    "spend": _kpi(lazy_gettext("Spend")),
    "impressions": _kpi(lazy_gettext("Impressions")),
    "clicks": _kpi(lazy_gettext("Clicks (all)")),
    "ctr": _kpi(lazy_gettext("CTR"), "more"),
    "cpc": _kpi(lazy_gettext("CPC"), "less"),
    "cpm": _kpi(lazy_gettext("CPM"), "less"),
    "link_clicks": _kpi(lazy_gettext("Link clicks")),
    "link_ctr": _kpi(lazy_gettext("Link CTR"), "more"),
    "conversation_rate": _kpi(lazy_gettext("Click to conversation"), "more"),
    "conversations_reported": _kpi(lazy_gettext("Conversations reported by Meta")),
    "cost_per_reported_conversation": _kpi(lazy_gettext("Cost per reported conversation"), "less"),
    "conversations": _kpi(lazy_gettext("Conversations"), "more"),
    "capture_rate": _kpi(lazy_gettext("Capture rate"), "more"),
    "cost_per_conversation": _kpi(lazy_gettext("Cost per conversation"), "less"),
    "with_click_id": _kpi(lazy_gettext("With click id"), "more"),
    "without_click_id": _kpi(lazy_gettext("Without click id"), "less"),
    "click_id_coverage": _kpi(lazy_gettext("Click id coverage"), "more"),
    "leads": _kpi(lazy_gettext("Leads"), "more"),
    "lead_rate": _kpi(lazy_gettext("Conversation to lead"), "more"),
    "cpl": _kpi(lazy_gettext("Cost per lead"), "less"),
    "qualified": _kpi(lazy_gettext("Qualified leads"), "more"),
    "qualification_rate": _kpi(lazy_gettext("Qualification rate"), "more"),
    "cpql": _kpi(lazy_gettext("Cost per qualified lead"), "less"),
    "purchases": _kpi(lazy_gettext("Purchases"), "more"),
    "costed_purchases": _kpi(lazy_gettext("Purchases with known cost"), "more"),
    "purchase_rate": _kpi(lazy_gettext("Lead to purchase"), "more"),
    "qualified_purchase_rate": _kpi(lazy_gettext("Qualified to purchase"), "more"),
    "cost_per_purchase": _kpi(lazy_gettext("Cost per purchase"), "less"),
    "revenue": _kpi(lazy_gettext("Revenue"), "more"),
    "refunds": _kpi(lazy_gettext("Refunds"), "less"),
    "refund_rate": _kpi(lazy_gettext("Refund rate"), "less"),
    "net_revenue": _kpi(lazy_gettext("Net revenue"), "more"),
    "aov": _kpi(lazy_gettext("Average order"), "more"),
    "roas": _kpi(lazy_gettext("ROAS"), "more"),
    "net_roas": _kpi(lazy_gettext("Net ROAS"), "more"),
    "roi": _kpi(lazy_gettext("ROI"), "more"),
    "profit": _kpi(lazy_gettext("Profit"), "more"),
}


def install(app: Flask) -> None:
    """What templates call these by."""
    app.jinja_env.globals.update(
        kpis=KPIS, figure=figure, interval=interval, change_of=change_of, costs_known=costs_known
    )
    app.jinja_env.filters["seconds"] = seconds


def figure(name: str, value: Decimal | int | None, currency: str, *, plain: bool = False) -> str:
    """A figure as text. `plain` leaves the currency out, where a heading says it; large money has no cents."""
    if value is None:
        return NOTHING
    amount, unit = Decimal(value), UNITS[name]
    if unit == "count":
        return number(amount)
    if unit == "rate":
        return percent(amount, 2 if name in ("ctr", "link_ctr") else 1)
    if unit == "times":
        return f"{number(amount, 2)}×"
    large = abs(amount) >= _LARGE
    if not currency:
        return number(amount, 0 if large else 2)
    return money(Decimal(round(amount)) if large else amount, currency, whole=large, bare=plain)


def interval(name: str, ratio: Ratio, currency: str) -> str:
    """Why a ratio is not to be judged by, in words: over how many events, and what it may really be."""
    if ratio.low is None or ratio.high is None:
        return str(gettext("Too few to judge by: over %(count)s.", count=number(ratio.over)))
    words = gettext(
        "Too few to judge by: over %(count)s, so between %(low)s and %(high)s by chance alone (95%%).",
        count=number(ratio.over),
        low=figure(name, ratio.low, currency),
        high=figure(name, ratio.high, currency),
    )
    return str(words)


def costs_known(values: Mapping[str, Ratio]) -> str:
    """Of how many sales the cost is known, in words; '' where it is of all, or nothing was sold.

    ROI takes off the costs that are known, and profit waits for all of them.
    """
    known, everything = values["costed_purchases"].value, values["purchases"].value
    if not everything or known == everything:
        return ""
    return str(gettext("costs known for %(known)s of %(all)s", known=number(known), all=number(everything)))


def change_of(name: str, now: Decimal | None, before: Decimal | None) -> dict[str, str] | None:
    """{text, kind} of how a figure moved against the period before; None where one is unknown.

    An arrow and a word say what the colour says.
    """
    moved = change(now, before)
    if moved is None:
        return None
    text = percent(abs(moved), 0 if abs(moved) >= 1 else 1)
    if not round(moved, 3):
        return {"text": gettext("= as before"), "kind": ""}
    arrow = "↑" if moved > 0 else "↓"
    better = KPIS[name].better
    if better is None:
        word = gettext("more") if moved > 0 else gettext("less")
        return {"text": f"{arrow} {text} {word}", "kind": ""}
    good = (moved > 0) is (better == "more")
    word = gettext("better") if good else gettext("worse")
    return {"text": f"{arrow} {text} {word}", "kind": "better" if good else "worse"}


def seconds(value: float | None) -> str:
    """A length of time in its largest fitting unit: 3 min."""
    if value is None:
        return NOTHING
    return format_timedelta(timedelta(seconds=value), format="short", threshold=1.5, locale=get_locale())
