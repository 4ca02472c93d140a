"""What the pages of figures are asked for, as their address says it: a question for `console.roi`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from flask import Flask, current_app, request, url_for
from flask_babel import lazy_gettext

from console.errors import InvalidError
from console.roi.ground import main_zone
from console.roi.question import PRESETS, USUAL, Asked, span_of
from console.web.access import membership
from console.web.own import only_tests
from shared.db.ad_accounts import AdAccount, all_accounts
from shared.db.channels import Channel, all_channels
from shared.db.rollups import Span

PRESET_WORDS: Mapping[str, Any] = {
    "today": lazy_gettext("Today"),
    "yesterday": lazy_gettext("Yesterday"),
    "7d": lazy_gettext("7 days"),
    "14d": lazy_gettext("14 days"),
    "28d": lazy_gettext("28 days"),
    "30d": lazy_gettext("30 days"),
    "90d": lazy_gettext("90 days"),
    "this_month": lazy_gettext("This month"),
    "last_month": lazy_gettext("Last month"),
}
#: How the parameters of an address are called; each stays in every link of the page.
NAMES = ("period", "since", "until", "basis", "click", "channel", "account", "placement", "currency", "test")
#: Where ads of this kind are shown, as their messages say it.
PLACEMENTS = ("facebook", "instagram")


def install(app: Flask) -> None:
    """What templates call these by."""
    app.jinja_env.globals["preset_words"] = PRESET_WORDS


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The question, what can be chosen, and what was: `said` is as the address has it, without what is usual.

    `only_tests`: nothing but tests comes of the workspace's channels, so that test rows are shown unless somebody says
    no.
    `problem` says in words why the period could not be taken as it was said.
    """

    asked: Asked
    zone: str
    today: date
    #: None: two dates of the person's own.
    preset: str | None
    said: Mapping[str, str]
    channels: Sequence[Channel]
    accounts: Sequence[AdAccount]
    #: Code -> code, as a list of choices has it.
    currencies: Mapping[str, str]
    only_tests: bool
    problem: InvalidError | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    def link(self, endpoint: str | None = None, **changes: str | None) -> str:
        """The address of this page, or of another of figures, with something changed; '' where that isn't built."""
        if endpoint and endpoint not in current_app.view_functions:
            return ""
        values: dict[str, Any] = {**self.said, **(self.more if endpoint is None else {}), **changes}
        kept = {name: value for name, value in values.items() if value not in (None, "")}
        return url_for(endpoint or str(request.endpoint), **kept)

    def with_preset(self, preset: str) -> str:
        """The address of the same question over the days of a preset."""
        return self.link(period=preset, since=None, until=None)

    @property
    def narrowed(self) -> int:
        """How many of the choices behind "more" are not as usual."""
        return sum(bool(self.said.get(name)) for name in ("channel", "account", "placement", "currency", "test"))


def read_filters(conn: psycopg.Connection[Any], *, more: Sequence[str] = ()) -> Filters:
    """The filters of this request. What can't be understood is as if it weren't said; `more` names a page's own."""
    workspace = membership().workspace
    given = {name: request.args.get(name, "").strip()[:100] for name in NAMES}
    channels = [one for one in all_channels(conn) if one.workspace == workspace]
    tests_alone = only_tests(conn, channels)
    test = given["test"] == "1" if given["test"] in ("0", "1") else tests_alone
    accounts = [one for one in all_accounts(conn, workspace=workspace) if test or not one.is_test]
    zone = main_zone(conn, workspace)
    today = datetime.now(ZoneInfo(zone)).date()
    span, preset, problem = _days(given, today)
    channel = next((one for one in channels if str(one.id) == given["channel"]), None)
    account = next((one for one in accounts if str(one.id) == given["account"]), None)
    currencies = {code: code for code in sorted({one.currency for one in accounts if one.currency})}
    currency = given["currency"] if given["currency"] in currencies else None
    placement = given["placement"] if given["placement"] in PLACEMENTS else ""
    asked = Asked(
        workspace=workspace,
        span=span,
        basis="click" if given["basis"] == "click" else "conversion",
        model="first" if given["click"] == "first" else "last",
        channel_ids=(channel.id,) if channel else (),
        account_ids=(account.id,) if account else (),
        placements=(placement,) if placement else (),
        currency=currency,
        test=test,
    )
    said = {
        "period": "" if preset in (None, USUAL) else str(preset),
        "since": "" if preset else span.first.isoformat(),
        "until": "" if preset else span.last.isoformat(),
        "basis": "click" if asked.basis == "click" else "",
        "click": "first" if asked.model == "first" else "",
        "channel": str(channel.id) if channel else "",
        "account": str(account.id) if account else "",
        "placement": placement,
        "currency": currency or "",
        "test": "" if test == tests_alone else str(int(test)),
    }
    return Filters(
        asked=asked,
        zone=zone,
        today=today,
        preset=preset,
        said={name: value for name, value in said.items() if value},
        channels=channels,
        accounts=accounts,
        currencies=currencies,
        only_tests=tests_alone,
        problem=problem,
        more={name: request.args[name][:200] for name in more if request.args.get(name)},
    )


def _days(given: Mapping[str, str], today: date) -> tuple[Span, str | None, InvalidError | None]:
    """The days, the preset they are of, and what is wrong with those that were said.

    The form sends both: a preset, and the dates that it filled in. Dates that are not those of the preset are newer.
    """
    preset = given["period"] if given["period"] in PRESETS else USUAL
    usual = span_of(today, preset=preset)
    try:
        since, until = _date(given["since"]), _date(given["until"])
        chosen = span_of(today, since=since, until=until) if since or until else usual
    except InvalidError as problem:
        return usual, preset, problem
    return chosen, preset if chosen == usual else None, None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
