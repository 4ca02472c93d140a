"""What needs attention now in a workspace: what is stopped, unknown or soon too late, and the open alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from flask import current_app, url_for
from flask_babel import gettext, ngettext

from console.alerts import described
from console.setup.datasets import explained_pause
from console.web.access import membership, person
from console.web.said import said
from shared.db.alerts import list_alerts
from shared.db.channels import Channel
from shared.db.datasets import all_datasets
from shared.db.delivery_figures import DeliveryFigures
from shared.domain.sentences import together

_ALERTS = 20
#: Alerts of what is told here from the rows themselves.
_TOLD_ALREADY = frozenset({"unknown", "dataset_paused", "expiring"})


@dataclass(frozen=True, kw_only=True)
class Need:
    """One thing. `href` is where it is looked at, '' where there is no page for it."""

    kind: Literal["error", "warning"]
    title: str
    text: str
    href: str = ""


def attention(conn: psycopg.Connection[Any], channels: Sequence[Channel], card: DeliveryFigures) -> list[Need]:
    """What needs attention, the worst first."""
    used = {channel.dataset_id for channel in channels}
    found = [
        Need(
            kind="error",
            title=gettext("Dataset %(name)s is paused", name=dataset.name),
            text=said(together(pause["words"], pause["next_step"])),
            href=link("setup.page"),
        )
        for dataset in all_datasets(conn)
        if dataset.id in used and (pause := explained_pause(dataset))
    ]
    if card.expiring:
        title = ngettext(
            "%(num)s delivery is too old for Meta within a day",
            "%(num)s deliveries are too old for Meta within a day",
            card.expiring,
        )
        text = gettext("Mend what holds them up: a pause, or a value that is missing.")
        found.append(Need(kind="error", title=title, text=text, href=link("deliveries.page", state="pending")))
    if unknown := card.of("unknown"):
        title = ngettext(
            "%(num)s delivery has an unknown outcome", "%(num)s deliveries have an unknown outcome", unknown
        )
        text = gettext("Meta may have them or not. Compare with Events Manager, then settle them.")
        found.append(Need(kind="warning", title=title, text=text, href=link("deliveries.page", state="unknown")))
    # Alerts of the installation are for those who own all of it.
    workspace = membership().workspace
    everything = person().owner_everywhere
    alerts = list_alerts(conn, states=["open"], workspaces=None if everything else [workspace], limit=_ALERTS)
    for alert in alerts:
        if alert.workspace in (None, workspace) and alert.kind not in _TOLD_ALREADY:
            told = described(alert)
            found.append(
                Need(
                    kind="warning",
                    title=said(told["title"]),
                    text=said(together(told["words"], told["next_step"])),
                    href=link("alerts.page"),
                )
            )
    return found


def link(endpoint: str, **values: Any) -> str:
    """The address of a page, or '' where it isn't built."""
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else ""
