"""The overview: what ads cost and earned, what needs attention now, and how deliveries stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from console.roi.funnel import CAPTURED, REPORTED
from console.roi.measures import measures
from console.roi.overview import Block, read_overview
from console.team.roles import Role
from console.web.access import least, membership
from console.web.attention import attention, link
from console.web.charts import TREND, TREND_COLUMNS, Trend, trend
from console.web.cursors import cursor_of
from console.web.figure_filters import Filters, read_filters
from console.web.own import own_datasets
from console.web.rows import link_to_rows, links_to_rows, period_links
from console.web.runtime import database
from shared.db.delivery_figures import DeliveryFigures, read_delivery_figures
from shared.domain.deliveries import State
from shared.domain.roi import Ratio

overview = Blueprint("overview", __name__, url_prefix="/w/<int:workspace_id>/overview")

TILES = (
    "spend",
    "conversations",
    "leads",
    "cpl",
    "qualified",
    "cpql",
    "purchases",
    "cost_per_purchase",
    "revenue",
    "roas",
)
#: (label, state, whether tried before, colour) of the delivery card.
CARD = (
    (lazy_gettext("Accepted by Meta"), State.ACCEPTED, None, "ok"),
    (lazy_gettext("To be sent"), State.PENDING, False, ""),
    (lazy_gettext("Being sent"), State.SENDING, None, ""),
    (lazy_gettext("To be tried again"), State.PENDING, True, "warning"),
    (lazy_gettext("Waits for its value"), State.WAITING, None, ""),
    (lazy_gettext("Outcome unknown"), State.UNKNOWN, None, "warning"),
    (lazy_gettext("Refused by Meta"), State.REJECTED, None, "danger"),
    (lazy_gettext("Too old for Meta"), State.EXPIRED, None, "danger"),
    (lazy_gettext("Not to be sent"), State.SKIPPED, None, ""),
)
#: What is not at its end counts however old it is.
_UNDER_WAY = (State.PENDING, State.SENDING, State.WAITING, State.UNKNOWN)
#: What the acceptance rate is of.
_ENDED = (State.ACCEPTED, State.REJECTED, State.EXPIRED)
_DELIVERIES_WITHIN = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One currency's part of the page."""

    block: Block
    now: dict[str, Ratio]
    before: dict[str, Ratio]
    trend: Trend

    @property
    def empty(self) -> bool:
        """Whether there is nothing at all to show."""
        total = self.block.total
        return not (total.spend or total.captured or total.leads or total.purchases)

    def width(self, name: str) -> float:
        """How wide a step of the funnel is, of 100: its share of the widest."""
        most = max((self.now[step.name].value or 0 for step in CAPTURED), default=0)
        return round(float(100 * (self.now[name].value or 0) / most), 2) if most else 0.0


@overview.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """The figures that the filters ask for, and the state of things now."""
    with database() as conn:
        filters = read_filters(conn, more=("unit",))
        found = read_overview(conn, filters.asked)
        since = datetime.now(UTC) - _DELIVERIES_WITHIN
        card = read_delivery_figures(conn, membership().workspace, since=since, test=filters.asked.test)
        # What needs attention doesn't depend on what figures are asked for.
        usual = filters.asked.test == filters.only_tests
        datasets = own_datasets(conn)
        needs = attention(conn, filters.channels, card if usual else None)
    return render_template(
        "overview.html",
        filters=filters,
        found=found,
        blocks=[_shown(filters, block) for block in found.blocks],
        card=card,
        card_states=[
            {
                "label": label,
                "count": card.of(state, retried=again),
                "href": link(
                    "deliveries.page",
                    state=state,
                    tried=None if again is None else str(int(again)),
                    since="all" if state in _UNDER_WAY else "7d",
                    test="1" if filters.asked.test else None,
                ),
                "kind": kind,
            }
            for label, state, again, kind in CARD
        ],
        link=link,
        card_links=_card_links(card, {one.name: one.id for one in datasets}, test="1" if filters.asked.test else None),
        rows=link_to_rows,
        links=links_to_rows,
        needs=needs,
        tiles=TILES,
        reported=REPORTED,
        captured=CAPTURED,
    )


def _card_links(card: DeliveryFigures, datasets: Mapping[str, int], test: str | None) -> dict[str, str]:
    """Where the rates, speeds and times of the card lead: by `ended`, `accepted`, `oldest` or a dataset's name."""
    accepted = {"state": State.ACCEPTED, "since": "7d", "test": test}
    oldest = card.oldest_waiting
    return {
        "ended": link("deliveries.page", state=",".join(_ENDED), since="7d", test=test),
        "accepted": link("deliveries.page", **accepted),
        # The list goes from the newest backwards, and so begins with this one.
        "oldest": link(
            "deliveries.page", state=f"{State.PENDING},{State.WAITING}", since="all", test=test,
            before=cursor_of(oldest + timedelta(microseconds=1), 0) if oldest else None,
        ),
    } | {name: link("deliveries.page", **accepted, dataset=one) for name, one in datasets.items()}  # fmt: skip


def _shown(filters: Filters, block: Block) -> Shown:
    link_to = period_links(filters, block.currency)
    return Shown(
        block=block,
        now=measures(block.total),
        before=measures(block.before),
        trend=trend(block.days, block.gaps, filters.today, TREND, TREND_COLUMNS, block.currency, link_to),
    )
