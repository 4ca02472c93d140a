"""Data quality: whether tracking is whole, day by day, and what is to be mended where it isn't."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from console.contacts import Rings, names_of
from console.roi.measures import measures
from console.roi.quality import Quality, read_quality
from console.team.roles import Role
from console.web.access import least
from console.web.charts import QUALITY, QUALITY_COLUMNS, trend
from console.web.contacts import KIND_WORDS
from console.web.figure_filters import read_filters
from console.web.rows import link_to_rows, period_links
from console.web.runtime import database, runtime
from shared.db.channels import Channel

quality = Blueprint("quality", __name__, url_prefix="/w/<int:workspace_id>/quality")

Verdict = Literal["ok", "warning", "danger", ""]
#: Below the first a rate is worth a look, below the second something is broken; the alert says 70 % too.
_CAPTURE = (Decimal("0.9"), Decimal("0.7"))
#: Ads in WhatsApp Status bring no click id, so that some are always missing.
_COVERAGE = (Decimal("0.8"), Decimal("0.5"))


@quality.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """The figures that the filters ask for, each with what it means and what to do."""
    with database() as conn:
        filters = read_filters(conn, more=("unit",))
        found = read_quality(conn, filters.asked)
        rings = Rings(runtime().ring, runtime().hash_ring)
        names = names_of(conn, rings, found.phoneless.newest)
    chosen = [one for one in filters.channels if filters.asked.channel_ids in ((), (one.id,))]
    shown = [one for one in chosen if filters.asked.test or not one.is_test]
    unsigned = [one for one in shown if one.unsigned and one.enabled]
    # Rows are listed by currency: with several there is no one list.
    link = period_links(filters, "") if len(filters.currencies) < 2 else None
    return render_template(
        "quality.html",
        filters=filters,
        rows=link_to_rows,
        found=found,
        now=measures(found.total),
        before=measures(found.before),
        by_time=trend(found.days, found.gaps, filters.today, QUALITY, QUALITY_COLUMNS, link=link),
        channels=[(one, measures(found.channels[one.id])) for one in _by_conversations(filters.channels, found)],
        unsigned=unsigned,
        names=names,
        kind_words=KIND_WORDS,
        late=sum(one.count for one in found.late),
        too_late=sum(one.too_late for one in found.late),
        detected=sum(one.detected for one in found.automatic),
        verdicts=verdicts(found, unsigned),
    )


def verdicts(found: Quality, unsigned: list[Channel]) -> Mapping[str, Verdict]:
    """How each figure is to be judged; '' where there is nothing to judge, or too little. Pure."""
    now = measures(found.total)
    rates: dict[str, Verdict] = {
        name: "" if now[name].value is None or now[name].few else _rated(now[name].value or Decimal(0), limits)
        for name, limits in (("capture_rate", _CAPTURE), ("click_id_coverage", _COVERAGE))
    }
    return {
        **rates,
        "late": "danger" if any(one.too_late for one in found.late) else "warning" if found.late else "ok",
        "automatic": "warning" if any(one.sent_too for one in found.automatic) else "ok",
        "unsigned": "warning" if unsigned else "ok",
        "spend": "danger" if found.failing else "warning" if found.gaps else "ok",
    }


def _rated(rate: Decimal, limits: tuple[Decimal, Decimal]) -> Verdict:
    fine, broken = limits
    return "ok" if rate >= fine else "warning" if rate >= broken else "danger"


def _by_conversations(channels: Any, found: Quality) -> list[Channel]:
    known = {channel.id: channel for channel in channels}
    return [known[channel_id] for channel_id in found.channels if channel_id in known]
