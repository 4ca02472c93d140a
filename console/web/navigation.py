"""The pages of a workspace, in the order a person meets them. What isn't built yet isn't shown."""

from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, request, url_for
from flask_babel import lazy_gettext

from console.team.roles import Role
from console.web.access import Access, access_of, may


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One link. `current` is set while the page, or another of its blueprint, is open."""

    endpoint: str
    label: Any
    icon: str
    #: Blueprints whose pages belong to this entry, its own included.
    blueprints: tuple[str, ...]

    @property
    def url(self) -> str:
        return url_for(self.endpoint)

    @property
    def current(self) -> bool:
        return request.blueprint in self.blueprints


def _entry(endpoint: str, label: Any, icon: str, *also: str) -> Entry:
    return Entry(endpoint=endpoint, label=label, icon=icon, blueprints=(endpoint.partition(".")[0], *also))


PAGES = (
    _entry("overview.page", lazy_gettext("Overview"), "overview"),
    _entry("ads.page", lazy_gettext("Ads"), "ads", "rows"),
    _entry("deliveries.page", lazy_gettext("Deliveries"), "deliveries", "repairs", "webhooks"),
    _entry("contacts.page", lazy_gettext("Contacts"), "contacts"),
    _entry("setup.page", lazy_gettext("Set-up"), "setup", "datasets", "rules", "accounts", "spend", "samples"),
    _entry("quality.page", lazy_gettext("Data quality"), "quality"),
    _entry("alerts.page", lazy_gettext("Alerts"), "alerts"),
    _entry("team.page", lazy_gettext("Team"), "team", "keys", "audit", "workspaces"),
)
#: Parts of Team.
TEAM = (
    _entry("team.page", lazy_gettext("People"), ""),
    _entry("keys.page", lazy_gettext("API keys"), ""),
    _entry("audit.page", lazy_gettext("Audit log"), ""),
    _entry("workspaces.page", lazy_gettext("Workspaces"), ""),
)
#: Parts of Deliveries.
DELIVERIES = (
    _entry("deliveries.page", lazy_gettext("Events to Meta"), ""),
    _entry("webhooks.page", lazy_gettext("Webhooks"), ""),
)
#: Parts of Set-up.
SETUP = (
    _entry("setup.page", lazy_gettext("Channels"), ""),
    _entry("datasets.page", lazy_gettext("Datasets and tokens"), ""),
    _entry("rules.page", lazy_gettext("Rules"), ""),
    _entry("accounts.page", lazy_gettext("Ad accounts"), "", "spend"),
)
#: Parts of Alerts.
ALERTS = (
    _entry("alerts.page", lazy_gettext("Alerts"), ""),
    _entry("alerts.thresholds", lazy_gettext("Thresholds"), ""),
    _entry("alerts.routes", lazy_gettext("Who is told"), ""),
)


def install(app: Flask) -> None:
    """Lets templates list the pages."""
    app.jinja_env.globals.update(
        navigation=lambda: visible(PAGES),
        team_navigation=lambda: visible(TEAM),
        delivery_navigation=lambda: visible(DELIVERIES),
        setup_navigation=lambda: visible(SETUP),
        alert_navigation=lambda: visible(ALERTS),
    )


def visible(entries: tuple[Entry, ...]) -> list[Entry]:
    """Those that are built and that the person may open in this workspace."""
    return [entry for entry in entries if _is_open(access_of_entry(entry))]


def access_of_entry(entry: Entry) -> Access | None:
    """The least that a page asks for; None when it isn't built."""
    known = entry.endpoint in current_app.view_functions
    return access_of(current_app._get_current_object(), entry.endpoint) if known else None  # type: ignore[attr-defined]  # noqa: SLF001


def _is_open(access: Access | None) -> bool:
    return isinstance(access, Role) and may(access)
