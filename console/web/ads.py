"""Ads: every figure by campaign, ad set, ad or creative; sorted here, looked into level by level, and as a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from console.roi.ads import AdsReport, Row, Table, read_ads
from console.roi.export import COLUMNS as FILE_COLUMNS
from console.roi.export import as_csv, plain_rows
from console.roi.inside import Inside
from console.roi.inside import Level as InsideLevel
from console.roi.measures import measure, measures
from console.roi.order import in_order
from console.roi.question import LEVELS
from console.roi.rows import PartName
from console.team.roles import Role
from console.web.access import least
from console.web.figure_filters import Filters, read_filters
from console.web.rows import PART_WORDS, links_to_rows
from console.web.runtime import database
from shared.domain.roi import Ratio, Sums

ads = Blueprint("ads", __name__, url_prefix="/w/<int:workspace_id>/ads")

LEVEL_WORDS: Mapping[str, Any] = {
    "campaign": lazy_gettext("Campaigns"),
    "ad_set": lazy_gettext("Ad sets"),
    "ad": lazy_gettext("Ads"),
    "creative": lazy_gettext("Creatives"),
}
_BELOW: Mapping[str, str] = {"campaign": "ad_set", "ad_set": "ad", "ad": "creative"}
COLUMNS = (
    "spend", "impressions", "ctr", "cpc", "cpm", "conversations", "capture_rate", "cost_per_conversation", "leads",
    "cpl", "qualified", "qualification_rate", "cpql", "purchases", "purchase_rate", "cost_per_purchase", "revenue",
    "aov", "roas", "roi", "profit",
)  # fmt: skip
SPEEDS: Mapping[str, Any] = {
    "reply_seconds": lazy_gettext("Median to reply"),
    "qualify_seconds": lazy_gettext("Median to qualify"),
    "purchase_seconds": lazy_gettext("Median to purchase"),
}
_OWN = ("level", "inside", "of", "sort", "rows")
#: So many rows are shown at first: more are hard to read, and slow to write.
_ROWS = 60
_USUAL_SORT = "-spend"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row as it is shown. `below` is where a look inside leads, '' where there is nothing inside."""

    row: Row
    name: str
    figures: dict[str, Ratio]
    below: str


@ads.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """One table a currency."""
    filters, report = _read()
    sort = _sort()
    return render_template(
        "ads.html",
        filters=filters,
        report=report,
        tables=[(table, _lines(filters, table, sort), measures(table.total)) for table in report.tables if table.rows],
        rows_at_first=_ROWS,
        levels=LEVEL_WORDS,
        columns=COLUMNS,
        speeds=SPEEDS,
        sort=sort,
        measures=measures,
        parts_of=parts_of,
        links=links_to_rows,
        looking={"inside": report.inside.level, "of": report.inside.id} if report.inside else {},
    )


@ads.get("/export.<any(csv, json):form>")
@least(Role.VIEWER)
def export(form: str) -> ResponseReturnValue:
    """The same rows with every figure."""
    _, report = _read()
    rows = plain_rows(report)
    response = (
        jsonify({"data": rows})
        if form == "json"
        else Response(as_csv(FILE_COLUMNS, rows), content_type="text/csv; charset=utf-8")
    )
    response.headers["Content-Disposition"] = f'attachment; filename="ads.{form}"'
    return response


def _read() -> tuple[Filters, AdsReport]:
    level = request.args.get("level", "")
    inside = request.args.get("inside", "")
    with database() as conn:
        filters = read_filters(conn, more=_OWN)
        report = read_ads(
            conn,
            filters.asked,
            level if level in LEVELS else "campaign",
            inside=Inside(cast(InsideLevel, inside), request.args.get("of", "")[:100]) if inside in _BELOW else None,
        )
    return filters, report


def _sort() -> str:
    asked = request.args.get("sort", "")
    return asked if asked.removeprefix("-") in ("name", *COLUMNS, *SPEEDS) else _USUAL_SORT


def _lines(filters: Filters, table: Table, sort: str) -> list[Line]:
    name, down = sort.removeprefix("-"), sort.startswith("-")
    rows = in_order(table.rows, lambda row: _key(row, name), down=down)
    shown = rows if filters.more.get("rows") == "all" else rows[:_ROWS]
    return [_line(filters, row) for row in shown]


def _key(row: Row, name: str) -> Decimal | float | str | None:
    if name == "name":
        return _name(row).casefold()
    if name in SPEEDS:
        return getattr(row.speeds, name) if row.speeds else None
    return measure(row.sums, name)


def _line(filters: Filters, row: Row) -> Line:
    below = _BELOW.get(row.kind)
    href = filters.link(level=below, inside=row.kind, of=row.id) if below else ""
    return Line(row=row, name=_name(row), figures=measures(row.sums), below=href)


def _name(row: Row) -> str:
    """What a row is called, also one that is no ad of ours."""
    if row.kind == "unknown":
        return str(gettext("Ads that their messages don't name"))
    if row.kind == "unconnected":
        return str(gettext("Ad %(id)s of no connected account", id=row.id))
    if row.kind == "rest":
        return str(gettext("Spend of %(name)s that is not known by ad", name=row.name or row.id.partition(":")[2]))
    return row.name or row.id


def parts_of(table: Table) -> Sequence[tuple[PartName, Any, Sums]]:
    """What stands below the total: parts of it, and what is in no total."""
    return (
        ("without_click_id", PART_WORDS["without_click_id"], table.without_click_id),
        ("without_leads", PART_WORDS["without_leads"], table.without_leads),
        ("not_from_ads", PART_WORDS["not_from_ads"], table.aside),
    )
