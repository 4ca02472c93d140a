"""What figures are asked for, as an address of the API says it: a question for `console.roi`."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from flask import abort
from marshmallow import Schema, fields, validate

from console.api.caller import caller
from console.roi.ground import main_zone
from console.roi.question import LONGEST_DAYS, PRESETS, USUAL, Asked, span_of
from shared.db.ad_accounts import AdAccount, all_accounts
from shared.db.channels import all_channels
from shared.db.rollups import Span
from shared.domain.submission_fields import KNOWN_CURRENCIES

_PLACEMENTS = ("facebook", "instagram")


def _about(words: str, example: str | None = None) -> dict[str, Any]:
    return {"description": words} | ({"examples": [example]} if example else {})


def _names(words: str) -> fields.List[str]:
    return fields.List(fields.String(validate=validate.Length(1, 100)), metadata=_about(words))


class DaysQuery(Schema):
    """Which days, and of which ad accounts. A mixin: it says nothing of other parameters."""

    period = fields.String(
        validate=validate.OneOf(list(PRESETS)),
        metadata=_about(f"Whole days up to yesterday, in the ad account's zone; default {USUAL}. Or since and until."),
    )
    since = fields.Date(metadata=_about(f"The first day, it included; at most {LONGEST_DAYS} days.", "2026-11-01"))
    until = fields.Date(metadata=_about("The last day, it included; default today.", "2026-11-24"))
    account = _names("Only these ad accounts, by name; may be given several times.")
    currency = fields.String(
        validate=validate.OneOf(sorted(KNOWN_CURRENCIES)), metadata=_about("Only what is in this currency.", "BRL")
    )
    test = fields.Boolean(load_default=False, metadata=_about("Whether test rows count as well."))


class FigureQuery(DaysQuery):
    """Which days and accounts, of which chats, and by which clock and rule. A mixin as well."""

    basis = fields.String(
        load_default="conversion",
        validate=validate.OneOf(["conversion", "click"]),
        metadata=_about("Whether an event counts on its own day, or on that of the click it belongs to."),
    )
    click = fields.String(
        load_default="last",
        validate=validate.OneOf(["last", "first"]),
        metadata=_about("Whether it belongs to the last click before it, or to the first that brought the person."),
    )
    channel = _names("Only chats of these channels, by name. Spend is not known by channel: it is null then.")
    placement = fields.List(
        fields.String(validate=validate.OneOf(_PLACEMENTS)),
        metadata=_about("Only chats that came from there. Spend is not known by placement: it is null then."),
    )


def asked_of(conn: psycopg.Connection[Any], query: Mapping[str, Any]) -> Asked:
    """The question of a request. A name that nothing has is a problem of the request."""
    workspace = caller().workspace
    channels = {one.name: one.id for one in all_channels(conn) if one.workspace == workspace}
    return Asked(
        workspace=workspace,
        span=days_of(conn, query),
        basis=query["basis"],
        model=query["click"],
        channel_ids=_ids("channel", query.get("channel", ()), channels),
        account_ids=[one.id for one in accounts_of(conn, query.get("account", ()))],
        placements=query.get("placement", ()),
        currency=query.get("currency"),
        test=query["test"],
    )


def days_of(conn: psycopg.Connection[Any], query: Mapping[str, Any]) -> Span:
    """The days that are asked for; today is today in the workspace's main zone. Raises InvalidError."""
    since, until = query.get("since"), query.get("until")
    if "period" in query and (since or until):
        abort(422, "Give period, or since and until, not both.")
    return span_of(today_of(conn), preset=query.get("period"), since=since, until=until)


def accounts_of(conn: psycopg.Connection[Any], names: Sequence[str]) -> list[AdAccount]:
    """The ad accounts of these names in the caller's workspace."""
    known = {one.name: one for one in all_accounts(conn, workspace=caller().workspace)}
    return [known[name] for name in _known("account", names, known)]


def _ids(what: str, names: Sequence[str], known: Mapping[str, int]) -> list[int]:
    return [known[name] for name in _known(what, names, known)]


def _known(what: str, names: Sequence[str], known: Mapping[str, Any]) -> Sequence[str]:
    if any(name not in known for name in names):
        lists = {"channel": "channels", "account": "ad-accounts"}[what]
        abort(422, f"{what}: the workspace has none of this name. GET /api/v1/{lists} lists those there are.")
    return names


def today_of(conn: psycopg.Connection[Any]) -> date:
    """Today in the main zone of the caller's workspace."""
    return datetime.now(ZoneInfo(main_zone(conn, caller().workspace))).date()
