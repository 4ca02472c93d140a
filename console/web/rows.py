"""The rows behind figures: conversations, leads, sales and days of spend that were counted; as a list and as a file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from console.roi.inside import LEVELS as INSIDE_LEVELS
from console.roi.inside import Inside
from console.roi.measures import measures
from console.roi.periods import Period
from console.roi.question import LEVELS
from console.roi.rows import EVENTS, PART_OF, PARTS, ROWS_OF, Behind, Found, find, read_rows, read_spend_rows
from console.team.roles import Role
from console.web.access import least
from console.web.csv_download import csv_answer
from console.web.cursors import cursor_of, split_cursor
from console.web.figure_filters import Filters, read_filters
from console.web.runtime import database
from shared.db.figure_rows import FigureRow
from shared.db.spend import Place as SpendPlace
from shared.db.spend import SpendFact
from shared.domain.roi import Ratio

rows = Blueprint("rows", __name__, url_prefix="/w/<int:workspace_id>/rows")
#: What each list is called, and the figures that its head shows.
LISTS: Mapping[str, tuple[Any, Sequence[str]]] = {
    "spend": (lazy_gettext("Spend by day"), ("spend", "impressions", "clicks", "conversations_reported")),
    "conversations": (lazy_gettext("Conversations"), ("conversations", "with_click_id", "without_click_id")),
    "leads": (lazy_gettext("Leads"), ("leads",)),
    "qualified": (lazy_gettext("Qualified leads"), ("qualified",)),
    "purchases": (lazy_gettext("Purchases"), ("purchases", "revenue", "refunds", "net_revenue")),
}
PART_WORDS: Mapping[str, Any] = {
    "with_click_id": lazy_gettext("of which with click id"),
    "without_click_id": lazy_gettext("of which without click id"),
    "without_leads": lazy_gettext("of which spend without leads"),
    "not_from_ads": lazy_gettext("Not from ads, in no total"),
}
_OWN = ("rows", "money", "part", "level", "kind", "id", "inside", "of")
_PAGE = 50
_CHUNK = 1000
_COLUMNS = (
    "moment", "happened_at", "event_name", "contact_id", "channel", "message_class", "ad_id", "touched_at", "order_id",
    "value", "refunds", "currency", "touchpoint_id", "conversion_id", "is_test",
)  # fmt: skip
_SPEND_COLUMNS = (
    "day", "account_name", "zone", "level", "object_id", "ad_name", "ad_set_name", "campaign_name", "currency", "spend",
    "impressions", "reach", "clicks", "link_clicks", "conversations_started", "source", "is_test",
)  # fmt: skip


def link_to_rows(filters: Filters, figure: str, currency: str, **more: str | None) -> str:
    """The address of the rows behind a figure. `more`: `part`; or `level`, `kind` and `id` of a row; `inside`, `of`."""
    kept = dict.fromkeys(_OWN) | {"rows": ROWS_OF[figure], "part": PART_OF.get(figure), "money": currency, **more}
    return filters.link("rows.page", **kept)


def period_links(filters: Filters, currency: str) -> Callable[[Period, str], str]:
    """What gives the address of the rows behind a figure of a trend, by its period and name."""

    def link(period: Period, figure: str) -> str:
        days = {"period": None, "since": period.span.first.isoformat(), "until": period.span.last.isoformat()}
        return link_to_rows(filters, figure, currency, **days)

    return link


def links_to_rows(
    filters: Filters, figures: Iterable[str], values: Mapping[str, Ratio], currency: str, **more: str | None
) -> dict[str, str]:
    """Figure -> the address of the rows behind it, of many figures of the same sums. A ratio's are of what it is named
    for: a cost per lead leads to the leads. Without a sale, what is lost was spent."""
    lists = {name: ROWS_OF[name] for name in figures}
    if not values["purchases"].value:
        lists |= dict.fromkeys(lists.keys() & {"roi", "profit", "net_revenue"}, "spend")
    # One address is built and the others written from it: a page has hundreds.
    base = filters.link("rows.page", **dict.fromkeys(_OWN) | {"money": currency, **more})
    links = {name: f"{base}{'&' if '?' in base else '?'}rows={name}" for name in set(lists.values())}
    return {name: links[wanted] for name, wanted in lists.items()}


@rows.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """The newest of them, with how many there are and what they add up to."""
    behind = _behind()
    with database() as conn:
        filters = read_filters(conn, more=_OWN)
        found = find(conn, filters.asked, behind)
        listed = _read(conn, filters, behind, found, request.args.get("before", ""), _PAGE + 1)
    return render_template(
        "rows.html",
        filters=filters,
        behind=behind,
        found=found,
        listed=listed[:_PAGE],
        older=_place_of(listed[_PAGE - 1]) if len(listed) > _PAGE else None,
        title=LISTS[behind.rows][0],
        heads=LISTS[behind.rows][1] if behind.part != "not_from_ads" else LISTS[behind.rows][1][:1],
        figures=measures(found.sums),
        part=PART_WORDS.get(behind.part),
    )


@rows.get("/export.csv")
@least(Role.VIEWER)
def export() -> ResponseReturnValue:
    """All of them."""
    behind = _behind()
    with database() as conn:
        filters = read_filters(conn)
        found = find(conn, filters.asked, behind)
    columns = _SPEND_COLUMNS if behind.rows == "spend" else _COLUMNS
    lines = ([getattr(row, column) for column in columns] for row in _all(filters, behind, found))
    return csv_answer(f"{behind.rows}.csv", columns, lines)


def _behind() -> Behind:
    """Behind which figure, as the address says it; what can't be understood is as if it weren't said."""
    given = {name: request.args.get(name, "")[:500].replace("\0", "") for name in _OWN}
    return Behind(
        rows=given["rows"] if given["rows"] in EVENTS else "leads",
        currency=given["money"] or None,
        part=given["part"] if given["part"] in PARTS else "total",
        level=given["level"] if given["level"] in LEVELS else "campaign",
        row=(given["kind"], given["id"]) if given["kind"] else None,
        inside=Inside(given["inside"], given["of"]) if given["inside"] in INSIDE_LEVELS else None,
    )


def _read(
    conn: Any, filters: Filters, behind: Behind, found: Found, before: str, limit: int
) -> Sequence[FigureRow | SpendFact]:
    if behind.rows == "spend":
        return read_spend_rows(conn, filters.asked, found, limit=limit, after=_spend_place(before))
    return read_rows(conn, filters.asked, behind, found, limit=limit, after=split_cursor(before))


def _all(filters: Filters, behind: Behind, found: Found) -> Iterator[Any]:
    """Every row, a chunk and a short transaction at a time, so that a long download holds nothing."""
    before = ""
    while True:
        with database() as conn:
            listed = _read(conn, filters, behind, found, before, _CHUNK)
        yield from listed
        if len(listed) < _CHUNK:
            return
        before = _place_of(listed[-1])


def _place_of(row: Any) -> str:
    if hasattr(row, "moment"):
        return cursor_of(row.moment, row.key)
    return f"{row.day.isoformat()}_{row.account_id}_{row.level.replace('_', '-')}_{row.object_id}"


def _spend_place(text: str) -> SpendPlace | None:
    day, account_id, level, object_id = [*text.replace("\0", "").split("_", 3), "", "", "", ""][:4]
    try:
        found = date.fromisoformat(day), int(account_id[:18]), level.replace("-", "_"), object_id
    except ValueError:
        return None
    return found if object_id else None
