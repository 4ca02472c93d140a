"""What ads cost and earned, by the same queries as the pages: the funnel, days, and the table of ads."""

from collections.abc import Mapping
from typing import Any

from flask import Response, abort
from flask_smorest import Blueprint
from marshmallow import fields, validate

from console.api.figure_query import FigureQuery, asked_of, today_of
from console.api.paging import FormQuery, PageQuery, csv_page, part_of, wants_csv
from console.api.schemas.figures import AdsSchema, FunnelSchema, TimeseriesSchema
from console.roi.ads import AdsReport, Row, Table, read_ads
from console.roi.export import (
    COLUMNS,
    RATIOS,
    SPEEDS,
    as_csv,
    plain_decimal,
    plain_figures,
    plain_number,
    plain_row,
    speeds_of,
    told_figures,
    told_ratio,
    what_of,
)
from console.roi.funnel import STEPS
from console.roi.inside import LEVELS as INSIDE
from console.roi.inside import Inside
from console.roi.measures import UNITS, measures
from console.roi.order import in_order
from console.roi.overview import Block, Overview, read_overview
from console.roi.periods import UNITS as PERIOD_UNITS
from console.roi.periods import Bucket, by_period
from console.roi.question import LEVELS, Asked
from console.web.runtime import database
from shared.domain.roi import change

figures = Blueprint("figures", __name__, description="What ads cost and earned, as docs/figures.md defines it.")
_SORTS = ("name", *UNITS, *SPEEDS)


class FunnelQuery(FigureQuery, FormQuery):
    """Which figures."""


class TimeQuery(FigureQuery, PageQuery):
    """Which figures, by day, week or month, and which page of these."""

    unit = fields.String(
        load_default="day",
        validate=validate.OneOf(PERIOD_UNITS),
        metadata={"description": "What a row is; a week begins on Monday."},
    )


class AdsQuery(FigureQuery, PageQuery):
    """Which figures, of what, and in which order."""

    level = fields.String(
        load_default="campaign", validate=validate.OneOf(LEVELS), metadata={"description": "What a row is."}
    )
    campaign_id = fields.String(
        validate=validate.Length(1, 500), metadata={"description": "Only what is inside this campaign."}
    )
    ad_set_id = fields.String(
        validate=validate.Length(1, 500), metadata={"description": "Only what is inside this ad set."}
    )
    ad_id = fields.String(validate=validate.Length(1, 500), metadata={"description": "Only this ad."})
    sort = fields.String(
        load_default="-spend",
        validate=validate.OneOf([sign + name for name in _SORTS for sign in ("-", "")]),
        metadata={"description": "A figure or name; -spend: the largest first. Currencies stay apart, null is last."},
    )


_FUNNEL_EXAMPLE = {
    "since": "2026-11-01",
    "until": "2026-11-24",
    "before": {"since": "2026-10-08", "until": "2026-10-31"},
    "zones": ["America/Sao_Paulo"],
    "as_of": None,
    "data": [
        {
            "currency": "BRL",
            "steps": [
                {
                    "step": "leads",
                    "told_by": "here",
                    "count": 40,
                    "rate_name": "lead_rate",
                    "rate": {
                        "value": "0.8",
                        "numerator": 40,
                        "denominator": 50,
                        "few": False,
                        "low": None,
                        "high": None,
                    },
                    "cost_name": "cpl",
                    "cost": {"value": "2.50", "numerator": "100.00", "denominator": 40, "few": False},
                }
            ],
            "figures": {"spend": "100.00", "leads": 40, "revenue": "890.00"},
            "compared": {"leads": {"before": "32", "change": "0.25"}},
            "elsewhere": {},
            "not_from_ads": {"organic": 12, "leads": 0, "qualified": 0, "purchases": 1, "revenue": "80.00"},
            "spend_gaps": ["2026-11-03"],
        }
    ],
}
_DAY_EXAMPLE = {
    "since": "2026-11-24",
    "until": "2026-11-24",
    "zones": ["America/Sao_Paulo"],
    "as_of": None,
    "unit": "day",
    "data": [
        {
            "currency": "BRL",
            "day": "2026-11-24",
            "last_day": "2026-11-24",
            "complete": False,
            "spend_known": True,
            "spend": "12.30",
            "leads": 3,
        }
    ],
    "next_cursor": None,
}
_ADS_EXAMPLE = {
    **{name: value for name, value in _DAY_EXAMPLE.items() if name not in ("unit", "data")},
    "level": "campaign",
    "data": [
        {
            "currency": "BRL",
            "kind": "campaign",
            "id": "120210000000000001",
            "name": "Winter",
            "spend": "12.30",
            "leads": 3,
        }
    ],
    "totals": [{"currency": "BRL", "part": "total", "spend": "12.30", "leads": 3}],
}


@figures.get("/funnel")
@figures.arguments(FunnelQuery, location="query", unknown=None)
@figures.response(200, FunnelSchema, example=_FUNNEL_EXAMPLE)
def funnel(query: dict[str, Any]) -> Response | dict[str, Any]:
    """Tell the totals of a period, step by step, and of the one before. CSV has a line for each figure."""
    with database() as conn:
        asked = asked_of(conn, query)
        found = read_overview(conn, asked)
    if wants_csv(query):
        lines = [line for block in found.blocks for line in _figure_lines(block)]
        return csv_page(as_csv(_FIGURE_COLUMNS, lines), None)
    before = {"since": asked.before.first, "until": asked.before.last}
    return {**_about(asked, found), "before": before, "data": [_funnel(block) for block in found.blocks]}


@figures.get("/timeseries")
@figures.arguments(TimeQuery, location="query", unknown=None)
@figures.response(200, TimeseriesSchema, example=_DAY_EXAMPLE)
def timeseries(query: dict[str, Any]) -> Response | dict[str, Any]:
    """List the figures of every day, week or month; where spend was never synced it is null, not zero."""
    with database() as conn:
        asked = asked_of(conn, query)
        found = read_overview(conn, asked)
        today = today_of(conn)
    buckets = [
        (block.currency, bucket)
        for block in found.blocks
        for bucket in by_period(block.days, block.gaps, query["unit"], today)
    ]
    shown, more = part_of(query, buckets)
    heads = [_head(currency, bucket) for currency, bucket in shown]
    if wants_csv(query):
        lines = [head | plain_figures(bucket.sums) for head, (_, bucket) in zip(heads, shown, strict=True)]
        return csv_page(as_csv((*_HEAD, *UNITS), lines), more)
    data = [head | told_figures(bucket.sums) for head, (_, bucket) in zip(heads, shown, strict=True)]
    return {**_about(asked, found), "unit": query["unit"], "data": data, "next_cursor": more}


_HEAD = ("currency", "day", "last_day", "complete", "spend_known")


def _head(currency: str, bucket: Bucket) -> dict[str, Any]:
    span, complete = bucket.period.span, bucket.period.complete
    values = (currency, span.first, span.last, complete, bucket.spend_known)
    return dict(zip(_HEAD, values, strict=True))


@figures.get("/ads")
@figures.arguments(AdsQuery, location="query", unknown=None)
@figures.response(200, AdsSchema, example=_ADS_EXAMPLE)
def ads(query: dict[str, Any]) -> Response | dict[str, Any]:
    """List what each campaign, ad set, ad or creative cost and earned, with rows that make its totals whole."""
    with database() as conn:
        asked = asked_of(conn, query)
        report = read_ads(conn, asked, query["level"], inside=_inside(query))
    rows = [(table.currency, row) for table in report.tables for row in _sorted(table, query["sort"])]
    shown, more = part_of(query, rows)
    if wants_csv(query):
        return csv_page(as_csv(COLUMNS, [plain_row(row, currency) for currency, row in shown]), more)
    return {
        **_about(asked, report),
        "level": query["level"],
        "data": [what_of(row, currency) | told_figures(row.sums) | speeds_of(row) for currency, row in shown],
        "totals": [total for table in report.tables for total in _totals(table)],
        "next_cursor": more,
    }


def _about(asked: Asked, found: Overview | AdsReport) -> dict[str, Any]:
    return {"since": asked.span.first, "until": asked.span.last, "zones": found.zones, "as_of": found.as_of}


def _funnel(block: Block) -> dict[str, Any]:
    now, before = measures(block.total), measures(block.before)
    return {
        "currency": block.currency,
        "steps": [
            {
                "step": step.name,
                "told_by": step.told_by,
                "count": plain_number(step.name, now[step.name].value),
                "rate_name": step.rate,
                "rate": told_ratio(step.rate, now[step.rate]) if step.rate else None,
                "cost_name": step.cost,
                "cost": told_ratio(step.cost, now[step.cost]) if step.cost else None,
            }
            for step in STEPS
        ],
        "figures": told_figures(block.total),
        "compared": {
            name: {
                "before": plain_number(name, before[name].value),
                "change": _change(now[name].value, before[name].value),
            }
            for name in UNITS
        },
        "elsewhere": {currency: plain_decimal(amount) for currency, amount in block.total.elsewhere.items()},
        "not_from_ads": {
            **{name: getattr(block.aside, name) for name in ("organic", "leads", "qualified", "purchases")},
            "revenue": plain_decimal(block.aside.gross),
        },
        "spend_gaps": block.gaps,
    }


def _change(now: Any, before: Any) -> str | None:
    moved = change(now, before)
    return None if moved is None else plain_decimal(moved, least=0)


_FIGURE_COLUMNS = ("currency", "figure", "unit", "value", "numerator", "denominator", "before", "change")


def _figure_lines(block: Block) -> list[Mapping[str, Any]]:
    now, before = told_figures(block.total), measures(block.before)
    made = measures(block.total)
    return [
        {
            "currency": block.currency,
            "figure": name,
            "unit": UNITS[name],
            "value": now[name]["value"] if name in RATIOS else now[name],
            "numerator": now[name]["numerator"] if name in RATIOS else None,
            "denominator": now[name]["denominator"] if name in RATIOS else None,
            "before": plain_number(name, before[name].value),
            "change": _change(made[name].value, before[name].value),
        }
        for name in UNITS
    ]


def _inside(query: Mapping[str, Any]) -> Inside | None:
    chosen = [Inside(level, query[f"{level}_id"]) for level in INSIDE if f"{level}_id" in query]
    if len(chosen) > 1:
        abort(422, "Give one of campaign_id, ad_set_id and ad_id.")
    return chosen[0] if chosen else None


def _sorted(table: Table, sort: str) -> list[Row]:
    name = sort.removeprefix("-")

    def key(row: Row) -> Any:
        if name == "name":
            return (row.name or row.id).casefold()
        return speeds_of(row)[name] if name in SPEEDS else measures(row.sums)[name].value

    return in_order(table.rows, key, down=sort.startswith("-"))


def _totals(table: Table) -> list[dict[str, Any]]:
    parts = {
        "total": table.total,
        "without_click_id": table.without_click_id,
        "without_leads": table.without_leads,
        "not_from_ads": table.aside,
    }
    return [{"currency": table.currency, "part": part, **told_figures(sums)} for part, sums in parts.items()]
