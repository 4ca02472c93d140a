"""Spend by day and ad, for programs: read, and brought in as `ctwa spend import` does; and the ad accounts it is of."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Response, abort
from flask_smorest import Blueprint
from marshmallow import fields, validate

from console.api.caller import caller, needs
from console.api.figure_query import DaysQuery, accounts_of, days_of
from console.api.paging import PageQuery, StrictQuery, page_after
from console.api.schemas.parts import page_of
from console.api.schemas.spend import (
    AccountSchema,
    NewAccountSchema,
    SpendBodySchema,
    SpendSchema,
    SpendVerdictsSchema,
)
from console.setup.ad_accounts import add_account
from console.spend.cells import CellError
from console.spend.file import FileRow, Line, what_is_named
from console.spend.importing import Judged, judge_lines, store
from console.web.runtime import database
from shared.db.ad_accounts import account_by_id, all_accounts
from shared.db.spend import Place, SpendFilter, list_spend
from shared.domain.api_scopes import Scope

spend = Blueprint("spend", __name__, description="What ads cost, by day of the ad account's zone; and ad accounts.")
_COUNTS = {"impressions": "impressions", "reach": "reach", "clicks": "clicks", "link_clicks": "link_clicks",
           "conversations": "conversations_started"}  # fmt: skip
_EXAMPLE = {
    "account": "conta",
    "data": [{"date": "2026-11-23", "ad_id": "120210000000000001", "spend": "12.50", "currency": "BRL"}],
}
_VERDICTS = {
    "account": "conta",
    "stored": 1,
    "dry_run": False,
    "verdicts": {"new": 1},
    "data": [{"item": 0, "verdict": "new", "refused": False, "words": None, "next_step": None}],
}
_ACCOUNT = {"name": "conta", "zone": "America/Sao_Paulo", "currency": "BRL"}


class SpendQuery(DaysQuery, PageQuery):
    """Which rows of spend."""

    level = fields.String(
        validate=validate.OneOf(["ad", "ad_set", "campaign", "account"]),
        metadata={"description": "Only what is known for an ad, an ad set, a campaign, or the whole account."},
    )
    ad_id = fields.String(validate=validate.Length(1, 500))
    sort = fields.String(
        load_default="-date",
        validate=validate.OneOf(["-date", "date"]),
        metadata={"description": "-date: the newest day first."},
    )


@spend.get("/spend")
@spend.arguments(SpendQuery, location="query", unknown=None)
@spend.response(200, page_of(SpendSchema, "SpendPage"))
def index(query: dict[str, Any]) -> Response | dict[str, Any]:
    """List what was spent by day and ad, each row in its own currency, with what Meta reports of it."""
    with database() as conn:
        span = days_of(conn, query)
        which = SpendFilter(
            workspace=caller().workspace,
            since=span.first,
            until=span.last,
            account_ids=[one.id for one in accounts_of(conn, query.get("account", ()))],
            currency=query.get("currency"),
            level=query.get("level"),
            ad_id=query.get("ad_id"),
            test=query["test"],
        )

        def read(after: Place | None, limit: int) -> list[Any]:
            return list_spend(conn, which, limit=limit, after=after, newest_first=query["sort"] == "-date")

        return page_after(query, read, _place, _values, SpendSchema())


def _values(row: Any) -> tuple[str, int, str, str]:
    return row.day.isoformat(), row.account_id, row.level, row.object_id


def _place(values: Any) -> Place:
    day, account_id, level, object_id = values
    if not isinstance(account_id, int) or not isinstance(level, str) or not isinstance(object_id, str):
        raise TypeError
    if not 0 <= account_id < 2**63 or "\0" in level + object_id:
        raise ValueError
    return date.fromisoformat(day), account_id, level, object_id


@spend.post("/spend")
@needs(Scope.SPEND_WRITE)
@spend.arguments(SpendBodySchema, examples={"one": {"value": _EXAMPLE}})
@spend.response(200, SpendVerdictsSchema, example=_VERDICTS)
def bring(body: dict[str, Any]) -> dict[str, Any]:
    """Bring spend in: up to 500 rows of one account. Sent again, the same rows change nothing.

    A row says `new`, `changed` or `same`, or why it is not taken; the others are stored all the same. Days that Meta
    itself gave stay as they are.
    """
    with database() as conn:
        (account,) = accounts_of(conn, [body["account"]])
        if caller().only_tests and not account.is_test:
            abort(403, "The key is for tests, the ad account isn't. Name an account that was added with test: true.")
        lines = [_line(place, item) for place, item in enumerate(body["data"])]
        judged = judge_lines(conn, account, lines, source="api")
        stored = 0 if body["dry_run"] else store(conn, account, judged, actor=caller().actor, source="api")
    return {
        "account": account.name,
        "stored": stored,
        "dry_run": body["dry_run"],
        "verdicts": Counter(one.verdict for one in judged),
        "data": [_verdict(one) for one in judged],
    }


@spend.get("/ad-accounts")
@spend.arguments(StrictQuery, location="query", unknown=None)
@spend.response(200, page_of(AccountSchema, "AdAccountPage"))
def accounts(_query: dict[str, Any]) -> dict[str, Any]:
    """List the ad accounts of the workspace, with how fresh their spend is."""
    with database() as conn:
        return {"data": all_accounts(conn, workspace=caller().workspace), "next_cursor": None}


@spend.post("/ad-accounts")
@needs(Scope.SPEND_WRITE)
@spend.arguments(NewAccountSchema, examples={"one": {"value": _ACCOUNT}})
@spend.response(201, AccountSchema)
def add(said: Mapping[str, Any]) -> Any:
    """Add an ad account whose spend is brought in by the API or from files. By a key for tests, it is one for tests."""
    given = {("test" if name == "is_test" else name): value for name, value in said.items()}
    if caller().only_tests:
        given["test"] = True
    with database() as conn:
        account_id = add_account(conn, {**given, "workspace": caller().workspace}, actor=caller().actor)
        return account_by_id(conn, account_id)


def _line(place: int, item: Mapping[str, Any]) -> Line:
    """An item as a line of a file, so that it is judged as one."""
    names = {name: value for name, value in item.items() if name.endswith(("_id", "_name"))}
    try:
        level, object_id = what_is_named(names)
    except CellError as error:
        return Line(number=place, cells=(), problem=str(error))
    row = FileRow(
        day=item["date"],
        level=level,
        object_id=object_id,
        currency=item.get("currency"),
        spend=item["spend"],
        names=names,
        counts={column: item.get(name) for name, column in _COUNTS.items()},
    )
    return Line(number=place, cells=(), row=row)


def _verdict(one: Judged) -> dict[str, Any]:
    return {
        "item": one.line.number,
        "verdict": one.verdict,
        "refused": one.is_refused,
        "reason": one.verdict if one.is_refused else None,
    }
