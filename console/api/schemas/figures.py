"""Figures of cost and return: the funnel, days, and the table of ads."""

from typing import Any

from marshmallow import Schema, fields

from console.api.schemas.parts import optional_text, optional_time
from console.roi.export import RATIOS
from console.roi.measures import UNITS

_SUM = {"type": ["string", "integer", "null"]}
_UNIT_WORDS = {
    "count": "How many.",
    "money": "In the row's currency.",
    "rate": "A share of 1.",
    "times": "Money for each unit of spend.",
}


def _number(words: str, example: str = "0.25") -> fields.String:
    return fields.String(allow_none=True, metadata={"description": words, "examples": [example]})


class RatioSchema(Schema):
    """A figure made of two sums; its value is null over nothing, or where a sum is unknown."""

    value = _number("The value; a share of 1, or money in the row's currency.")
    numerator = fields.Raw(allow_none=True, metadata={**_SUM, "description": "Money is text, a count a number."})
    denominator = fields.Raw(allow_none=True, metadata=_SUM)
    few = fields.Boolean(metadata={"description": "Whether it stands on too few events (below 10) to judge by."})
    low = _number("Where few: what it may really be at least, by chance alone (95 %).", "0.06")
    high = _number("Where few: what it may really be at most.", "0.6")


def _figure(name: str) -> fields.Field[Any]:
    about: dict[str, Any] = {"description": _UNIT_WORDS[UNITS[name]]}
    if name in RATIOS:
        return fields.Nested(RatioSchema, metadata=about)
    if UNITS[name] == "count":
        return fields.Integer(allow_none=True, metadata=about)
    return fields.String(allow_none=True, metadata=about | {"examples": ["1294.50"]})


#: Every figure, as docs/figures.md has them. What Meta reports is null where it is not known, never zero.
FiguresSchema = Schema.from_dict({name: _figure(name) for name in UNITS}, name="Figures")


class PeriodSchema(Schema):
    """Whole days, both included."""

    since = fields.Date()
    until = fields.Date()


class AboutSchema(PeriodSchema):
    """The days that were asked about, whose days they are, and whether figures lag behind."""

    zones = fields.List(
        fields.String(metadata={"examples": ["America/Sao_Paulo"]}),
        metadata={"description": "Whose days these are, the main one first. Several: totals are over days of each."},
    )
    as_of = optional_time("Set where so much changed that figures are still being added up: of when they are.")


class StepSchema(Schema):
    """One step of the funnel."""

    step = fields.String(metadata={"examples": ["leads"]})
    told_by = fields.String(metadata={"enum": ["meta", "here"], "description": "Reported by Meta, or captured here."})
    count = fields.Integer(allow_none=True)
    rate_name = optional_text("Its share of the step before, by the name of the figure.", "lead_rate")
    rate = fields.Nested(RatioSchema, allow_none=True)
    cost_name = optional_text("What one costs, by the name of the figure.", "cpl")
    cost = fields.Nested(RatioSchema, allow_none=True)


class AsideSchema(Schema):
    """What did not come by ads, and is in no total."""

    organic = fields.Integer(metadata={"description": "People who wrote on their own."})
    leads = fields.Integer()
    qualified = fields.Integer()
    purchases = fields.Integer()
    revenue = fields.String(metadata={"examples": ["80.00"]})


class ComparedSchema(Schema):
    """A figure of the period before, and how much more it is now, as a share of before."""

    before = optional_text(example="101.20")
    change = optional_text("Null where one is unknown, or before was nothing.", "0.12")


class FunnelCurrencySchema(Schema):
    """The funnel of one currency; currencies are never added up."""

    currency = fields.String(metadata={"examples": ["BRL"], "description": "Empty where there is no money at all."})
    steps = fields.List(fields.Nested(StepSchema))
    figures = fields.Nested(FiguresSchema)
    compared = fields.Dict(
        keys=fields.String(), values=fields.Nested(ComparedSchema), metadata={"description": "By the name of a figure."}
    )
    elsewhere = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={
            "description": "Earned after refunds in other currencies, by currency.",
            "examples": [{"USD": "9.00"}],
        },
    )
    not_from_ads = fields.Nested(AsideSchema)
    spend_gaps = fields.List(
        fields.Date(), metadata={"description": "Days whose spend is not known of every ad account: no zeros."}
    )


class FunnelSchema(AboutSchema):
    """The totals of a period, one block a currency, the one with most spend first."""

    before = fields.Nested(PeriodSchema, metadata={"description": "What is compared with: as many days before."})
    data = fields.List(fields.Nested(FunnelCurrencySchema))


class TimeSchema(FiguresSchema):  # type: ignore[misc,valid-type]
    """One day, week or month of one currency, as far as its days were asked about."""

    currency = fields.String(metadata={"examples": ["BRL"]})
    day = fields.Date(metadata={"description": "Its first day that was asked about."})
    last_day = fields.Date(metadata={"description": "Its last day that was asked about."})
    complete = fields.Boolean(
        metadata={"description": "Whether all of its days were asked about, and are over: else it can't be compared."}
    )
    spend_known = fields.Boolean(
        metadata={"description": "Whether the spend of each day is known of every ad account; else spend is null."}
    )


class TimeseriesSchema(AboutSchema):
    """Every day, week or month of the period, oldest first, currency by currency. At most 1,100 days."""

    unit = fields.String(metadata={"enum": ["day", "week", "month"]})
    data = fields.List(fields.Nested(TimeSchema))
    next_cursor = optional_text("For the parameter cursor; null on the last page.")


class AdRowSchema(FiguresSchema):  # type: ignore[misc,valid-type]
    """One row of the table. Each currency's rows add up to its total, which is that of the funnel."""

    currency = fields.String(metadata={"examples": ["BRL"]})
    kind = fields.String(
        metadata={
            "enum": ["campaign", "ad_set", "ad", "creative", "unconnected", "unknown", "rest"],
            "description": "unconnected: an ad of no connected account. unknown: messages that named no ad. rest: spend"
            " that is known for something larger than the level.",
        }
    )
    id = fields.String(metadata={"examples": ["120210000000000001"]})
    name = optional_text("Null where Meta was never asked.")
    status = optional_text(example="ACTIVE")
    account = optional_text("The ad account's name.")
    campaign_name = optional_text()
    ad_set_name = optional_text()
    headline = optional_text()
    reply_seconds = fields.Float(allow_none=True, metadata={"description": "Median from the click to the reply."})
    qualify_seconds = fields.Float(allow_none=True)
    purchase_seconds = fields.Float(allow_none=True)


class AdTotalSchema(FiguresSchema):  # type: ignore[misc,valid-type]
    """A total of one currency, or a part of it."""

    currency = fields.String()
    part = fields.String(
        metadata={
            "enum": ["total", "without_click_id", "without_leads", "not_from_ads"],
            "description": "not_from_ads is in no total; the two before it are parts of the total.",
        }
    )


class AdsSchema(AboutSchema):
    """A page of the table of ads, currency by currency, and the totals of all of it."""

    level = fields.String(metadata={"examples": ["campaign"]})
    data = fields.List(fields.Nested(AdRowSchema))
    totals = fields.List(fields.Nested(AdTotalSchema))
    next_cursor = optional_text("For the parameter cursor; null on the last page.")
