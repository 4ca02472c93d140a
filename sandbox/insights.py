"""The Graph routes of ad accounts: the account, its ads, insights at once and as a report, the report's state.

https://developers.facebook.com/docs/marketing-api/insights and …/insights/best-practices (reports). A fault strikes
here only when it names the account (`"dataset": "act_<id>"`): one for every dataset leaves spend alone.
"""

import base64
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, current_app, request

from sandbox import ads, judge
from sandbox.answers import Answer, as_json, new_fbtrace_id, refusal
from sandbox.board import Active, hang
from sandbox.delivery import DELIVERY, caller_is_gone, deliver
from sandbox.errors import GraphError, object_missing, parameter_error
from sandbox.faults import Case, answer_of
from sandbox.judge import Asked
from sandbox.reply import asked_now, respond, running
from sandbox.state import State
from sandbox.world import Token

blueprint = Blueprint("insights", __name__)

LARGEST_PAGE = 500
_SCOPES = frozenset({"ads_read", "ads_management"})
#: A report is ready at the second look at it.
_READY_AT = 2

NO_ADS_READ = GraphError(
    "(#200) Ad account owner has NOT granted ads_management or ads_read permission", 200, status=403
)
TOO_MUCH = GraphError(
    "Please reduce the amount of data you're asking for, then retry your request", 100, 1487534, is_transient=False
)
REPORT_UNFINISHED = GraphError("Unsupported get request. The report run is not complete.", 100, 33)


@dataclass
class Reports:
    """The reports that were asked for, by id. Thread-safe; gone with the process, as no test needs more."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def start(self, account: ads.AdAccount, since: date, until: date) -> str:
        with self.lock:
            run_id = str(6_000_000_000_000_000 + len(self.known) + 1)
            self.known[run_id] = {"account": account.id, "since": since, "until": until, "looks": 0}
            return run_id

    def look(self, run_id: str, *, count: bool) -> dict[str, Any] | None:
        with self.lock:
            report = self.known.get(run_id)
            if report is not None and count:
                report["looks"] += 1
            return report


@blueprint.get("/<version:version>/act_<account_id>")
def account(version: str, account_id: str) -> Response:
    """The account's name, currency and zone."""

    def found(state: State, asked: Asked, known: ads.AdAccount) -> dict[str, Any]:
        zone = ZoneInfo(known.zone)
        offset = state.now().astimezone(zone).utcoffset()
        return {
            "id": f"act_{known.id}",
            "account_id": known.id,
            "name": known.name,
            "currency": known.currency,
            "timezone_name": known.zone,
            "timezone_offset_hours_utc": 0 if offset is None else offset.total_seconds() / 3600,
            "account_status": 1,
        }

    return _serve(version, f"act_{account_id}", found)


@blueprint.get("/<version:version>/act_<account_id>/ads")
def ads_of_account(version: str, account_id: str) -> Response:
    """The account's ads, all or those that `filtering` names."""

    def found(_: State, asked: Asked, known: ads.AdAccount) -> dict[str, Any] | GraphError:
        wanted = _wanted_ids(asked.params.get("filtering"))
        listed = [ads.shown(ad) for ad in known.ads if wanted is None or ad.id in wanted]
        return _page(asked, listed)

    return _serve(version, f"act_{account_id}", found)


@blueprint.get("/<version:version>/act_<account_id>/insights")
@blueprint.post("/<version:version>/act_<account_id>/insights")
def insights(version: str, account_id: str) -> Response:
    """Rows at once, or with POST the id of a report."""

    def found(_: State, asked: Asked, known: ads.AdAccount) -> dict[str, Any] | GraphError:
        days = _days(asked)
        if isinstance(days, GraphError):
            return days
        if request.method == "POST":
            return {"report_run_id": _reports().start(known, *days)}
        if (days[1] - days[0]).days >= known.longest_days:
            return TOO_MUCH
        return _page(asked, list(ads.rows(known, *days)))

    return _serve(version, f"act_{account_id}", found)


def report(state: State, asked: Asked) -> dict[str, Any] | GraphError | None:
    """How far a report is, for `GET /{report_run_id}`; None where there is none of that id."""
    known = _reports().look(asked.object_id, count=True)
    if known is None:
        return None
    refused = _caller(state, asked)
    if isinstance(refused, GraphError):
        return refused
    is_ready = known["looks"] >= _READY_AT
    return {
        "id": asked.object_id,
        "account_id": known["account"],
        "async_status": "Job Completed" if is_ready else "Job Running",
        "async_percent_completion": 100 if is_ready else 50,
    }


@blueprint.get("/<version:version>/<run_id>/insights")
def report_rows(version: str, run_id: str) -> Response:
    """The rows of a report that is ready."""
    known = _reports().look(run_id, count=False)
    object_id = run_id if known is None else f"act_{known['account']}"

    def found(_: State, asked: Asked, account: ads.AdAccount) -> dict[str, Any] | GraphError:
        if known is None or known["looks"] < _READY_AT:
            return REPORT_UNFINISHED
        return _page(asked, list(ads.rows(account, known["since"], known["until"])))

    return _serve(version, object_id, found)


def _serve(version: str, object_id: str, found: Any) -> Response:
    state = running()
    state.slow_down()
    asked = asked_now(state, version, object_id)
    answer = _answer(_judged(state, asked, found))
    active = state.board.meet(object_id, named_only=True)
    if active is None:
        return respond(state, answer, asked)
    case = Case(object_id, new_fbtrace_id(), 0, 0, answer, active.options)
    request.environ[DELIVERY] = lambda sock, head, body: _broken(state, active, sock, head, body)
    return respond(state, answer_of(active.fault, case), asked)


def _broken(state: State, active: Active, sock: Any, head: bytes, body: bytes) -> bool:
    try:
        hang(active, gone=lambda: caller_is_gone(sock))
        return deliver(active.fault.delivery, sock, head, body, active.trickle, active.released)
    finally:
        state.board.leave(active)


def _judged(state: State, asked: Asked, found: Any) -> dict[str, Any] | GraphError:
    caller = _caller(state, asked)
    if isinstance(caller, GraphError):
        return caller
    known = state.world.ad_accounts.get(asked.object_id.removeprefix("act_"))
    if known is None or not (caller.ad_accounts is None or known.id in caller.ad_accounts):
        return object_missing(asked.object_id, "get")
    shown: dict[str, Any] | GraphError = found(state, asked, known)
    return shown


def _caller(state: State, asked: Asked) -> Token | GraphError:
    served = judge.version(asked)
    if isinstance(served, GraphError):
        return served
    caller = judge.token(state.world, asked)
    if isinstance(caller, GraphError):
        return caller
    return caller if caller.scopes & _SCOPES and caller.state != "write_only" else NO_ADS_READ


def _answer(found: dict[str, Any] | GraphError) -> Answer:
    return refusal(found, new_fbtrace_id()) if isinstance(found, GraphError) else as_json(found)


def _days(asked: Asked) -> tuple[date, date] | GraphError:
    if asked.params.get("level") != "ad" or str(asked.params.get("time_increment")) != "1":
        return parameter_error("This sandbox serves level=ad with time_increment=1 only")
    try:
        given = json.loads(str(asked.params.get("time_range")))
        since, until = date.fromisoformat(given["since"]), date.fromisoformat(given["until"])
    except (ValueError, TypeError, KeyError):
        return parameter_error("param time_range must be an object with since and until")
    if since > until:
        return parameter_error("time range cannot end before it starts")
    return since, until


def _page(asked: Asked, rows: Sequence[dict[str, Any]]) -> dict[str, Any] | GraphError:
    """A page with its cursors. `next` holds the token, as at Meta, so that a test sees whether anybody follows it."""
    limit, after = asked.params.get("limit", "25"), asked.params.get("after")
    try:
        size = min(int(str(limit)), LARGEST_PAGE)
        start = int(base64.urlsafe_b64decode(str(after))) if after else 0
    except ValueError:
        return parameter_error("param limit must be a number, param after a cursor")
    page = rows[start : start + size]
    if not page:
        return {"data": []}
    ends = [base64.urlsafe_b64encode(str(number).encode()).decode() for number in (start, start + len(page))]
    paging: dict[str, Any] = {"cursors": {"before": ends[0], "after": ends[1]}}
    if start + len(page) < len(rows):
        paging["next"] = (
            f"{request.host_url}{asked.path.lstrip('/')}/insights?access_token={asked.secret}&after={ends[1]}"
        )
    return {"data": list(page), "paging": paging}


def _wanted_ids(filtering: object) -> set[str] | None:
    try:
        listed = json.loads(str(filtering)) if filtering else []
        return next((set(one["value"]) for one in listed if one.get("field") == "ad.id"), None)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _reports() -> Reports:
    kept: Reports = current_app.extensions.setdefault("sandbox_reports", Reports())
    return kept
