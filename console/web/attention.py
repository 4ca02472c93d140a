"""What needs attention now in a workspace: what is stopped, unknown or soon too late, and the alerts that hold.

Overview and Alerts both list this, so that they can't contradict each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import psycopg
from flask import current_app, url_for
from flask_babel import gettext, ngettext

from console.alerts import described
from console.setup.datasets import explained_pause
from console.web.access import membership, person
from console.web.own import only_tests
from console.web.said import said
from shared.db.alerts import Alert, list_alerts
from shared.db.channels import Channel
from shared.db.datasets import Dataset, all_datasets
from shared.db.delivery_figures import DeliveryFigures, read_delivery_figures
from shared.domain.sentences import together

_ALERTS = 200


@dataclass(frozen=True, kw_only=True)
class Need:
    """One thing. `href` is where it is looked at, '' where there is no page for it; `taken`: somebody looks after it.

    `alert` is the kind of alert that says the same, and its subject ('': of whichever).
    """

    kind: Literal["error", "warning"]
    title: str
    text: str
    href: str = ""
    taken: bool = False
    alert: tuple[str, str]

    def is_told_by(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Those of these alerts that say the same."""
        kind, subject = self.alert
        return [one for one in alerts if one.kind == kind and subject in ("", one.subject)]


def attention(
    conn: psycopg.Connection[Any], channels: Sequence[Channel], card: DeliveryFigures | None = None
) -> list[Need]:
    """Everything, the worst first. `card` is how the deliveries stand, where that was read already."""
    workspace = membership().workspace
    # Alerts of the installation are for those who own all of it.
    seen_by = None if person().owner_everywhere else [workspace]
    alerts = [one for one in list_alerts(conn, workspaces=seen_by, limit=_ALERTS) if one.workspace in (None, workspace)]
    needs = needs_of_rows(conn, channels, card)
    told = {one.id for need in needs for one in need.is_told_by(alerts)}
    found = [replace(need, taken=_taken(need.is_told_by(alerts))) for need in needs]
    return sorted(found + [_of_alert(one) for one in alerts if one.id not in told], key=lambda need: need.taken)


def needs_of_rows(
    conn: psycopg.Connection[Any], channels: Sequence[Channel], card: DeliveryFigures | None = None
) -> list[Need]:
    """What the rows themselves say, at once and whatever alerts are switched on."""
    if card is None:
        test = only_tests(conn, channels)
        card = read_delivery_figures(conn, membership().workspace, since=datetime.now(UTC), test=test)
    used = {one.dataset_id for one in channels}
    real = {one.dataset_id for one in channels if not one.is_test}
    paused = [
        _of_pause(one, test=one.is_test or (bool(real) and one.id not in real))
        for one in all_datasets(conn)
        if one.id in used and one.pause_reason
    ]
    found = [need for need in paused if need.kind == "error"]
    if card.expiring:
        title = ngettext(
            "%(num)s delivery is too old for Meta within a day",
            "%(num)s deliveries are too old for Meta within a day",
            card.expiring,
        )
        text = gettext("Mend what holds them up: a pause, or a value that is missing.")
        href = link("deliveries.page", state="pending", since="all")
        found.append(Need(kind="error", title=title, text=text, href=href, alert=("expiring", "")))
    if unknown := card.of("unknown"):
        title = ngettext(
            "%(num)s delivery has an unknown outcome", "%(num)s deliveries have an unknown outcome", unknown
        )
        text = gettext("Meta may have them or not. Compare with Events Manager, then settle them.")
        href = link("deliveries.page", state="unknown", since="all")
        found.append(Need(kind="warning", title=title, text=text, href=href, alert=("unknown", "")))
    return found + [need for need in paused if need.kind != "error"]


def _of_pause(dataset: Dataset, *, test: bool) -> Need:
    pause = explained_pause(dataset)
    assert pause is not None
    title = (
        gettext("Test dataset %(name)s is paused", name=dataset.name)
        if test
        else gettext("Dataset %(name)s is paused", name=dataset.name)
    )
    return Need(
        kind="warning" if test else "error",
        title=title,
        text=said(together(pause["words"], pause["next_step"])),
        href=link("datasets.page"),
        alert=("dataset_paused", f"dataset:{dataset.name}"),
    )


def _of_alert(alert: Alert) -> Need:
    told = described(alert)
    return Need(
        kind="warning",
        title=said(told["title"]),
        text=said(together(told["words"], told["next_step"])),
        href=link("alerts.page"),
        taken=_taken([alert]),
        alert=(alert.kind, alert.subject),
    )


def _taken(alerts: Sequence[Alert]) -> bool:
    return bool(alerts) and all(one.state == "acknowledged" for one in alerts)


def link(endpoint: str, **values: Any) -> str:
    """The address of a page, or '' where it isn't built."""
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else ""
