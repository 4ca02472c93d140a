"""What became of the demo's webhooks, read where an operator would: in the database, and at Meta's sandbox."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from console.demo.cases import Case
from console.stack.seed import DATASETS
from console.trace import explain_delivery
from shared.db.channels import Channel
from shared.db.results import WebhookFilter, WebhookRow, list_webhooks
from shared.db.traces import Trace, find_trace
from shared.domain.deliveries import State
from shared.domain.reasons import explain

_MOVING = frozenset({State.PENDING, State.SENDING, State.WAITING, State.UNKNOWN})
_WORDS = {
    "organic": "The person wrote on their own, so there is nothing to report.",
    "no message": "Receipts of what the business sent; no message in it.",
    "refused": "Refused before anything was stored.",
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a webhook was taken for and what became of it; `settled` when it will not change any more by itself."""

    taken_for: str
    state: str | None = None
    words: str = ""
    settled: bool = True


_NOT_YET = Seen(taken_for="not read yet", settled=False)


@dataclass(kw_only=True)
class Result:
    """One case with the answers it got, what it came to, the sandbox's events of its click, and what is wrong."""

    case: Case
    answers: list[int | None]
    seen: Seen
    events: list[Mapping[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def look(conn: psycopg.Connection[Any], cases: Sequence[Case], channels: Mapping[str, Channel]) -> list[Seen]:
    """What each case has come to by now, in their order."""
    webhooks = {
        name: list_webhooks(conn, WebhookFilter(channel_id=channel.id), limit=1000)
        for name, channel in channels.items()
    }
    return [_seen(conn, case, webhooks[case.channel.name]) for case in cases]


def _seen(conn: psycopg.Connection[Any], case: Case, webhooks: Sequence[WebhookRow]) -> Seen:
    if case.forged:
        return Seen(taken_for="refused", words=_WORDS["refused"])
    if case.message_id:
        found = find_trace(conn, case.message_id)
        unread = any(webhook.state in ("new", "claimed") for webhook in webhooks)
        return _NOT_YET if unread or found is None else _of_message(conn, found)
    if case.expected.taken_for == "unparsable":
        rejected = [webhook for webhook in webhooks if webhook.state == "rejected"]
        return Seen(taken_for="unparsable", words=explain(rejected[0].reason or "").words) if rejected else _NOT_YET
    empty = any(webhook.state == "done" and webhook.messages == 0 for webhook in webhooks)
    return Seen(taken_for="no message", words=_WORDS["no message"]) if empty else _NOT_YET


def _of_message(conn: psycopg.Connection[Any], found: Trace) -> Seen:
    taken_for = found.message.message_class if found.message else "unknown"
    if not found.deliveries:
        return Seen(taken_for=taken_for, words=_WORDS.get(taken_for, "No conversion was made of it."))
    delivery = found.deliveries[0]
    return Seen(
        taken_for=taken_for,
        state=delivery.state,
        words=explain_delivery(conn, delivery).words,
        settled=delivery.state not in _MOVING,
    )


def judge(results: Sequence[Result], received: Sequence[Mapping[str, Any]]) -> list[str]:
    """Gives each result its events and its problems. Returns the problems that belong to no single case."""
    for result in results:
        click_id = result.case.click_id
        result.events = [event for event in received if click_id and _click_id(event) == click_id]
        result.problems = _problems(result)
    return _strays(results, received)


def _problems(result: Result) -> list[str]:
    case, expected, seen = result.case, result.case.expected, result.seen
    problems = []
    if wrong := Counter(answer for answer in result.answers if answer != expected.answer):
        problems.append(f"answered with {dict(wrong)}, not {expected.answer}")
    if not seen.settled:
        problems.append("came to no end in time")
    if seen.taken_for != expected.taken_for:
        problems.append(f"taken for {seen.taken_for}, not {expected.taken_for}")
    if seen.state != expected.state:
        problems.append(f"its delivery is {seen.state}, not {expected.state}")
    if len(result.events) != expected.events:
        problems.append(f"Meta's sandbox has {len(result.events)} events of it, not {expected.events}")
    return problems + [problem for event in result.events for problem in _wrong_with(event, case)]


def _wrong_with(event: Mapping[str, Any], case: Case) -> list[str]:
    """What is wrong with one event that reached the sandbox."""
    dataset = case.channel.dataset
    name = "Lead" if dataset.profile == "guide" else "LeadSubmitted"
    problems = []
    if event["dataset"] != dataset.meta_id:
        problems.append(f"it went to dataset {event['dataset']}, not {dataset.meta_id}")
    if event["event_name"] != name:
        problems.append(f"the event is called {event['event_name']}, not {name}")
    if event["event"]["user_data"].get("whatsapp_business_account_id") != dataset.waba_id:
        problems.append("the event names another WhatsApp account")
    if case.token and event["event_id"] != case.token:
        problems.append("the event id is not the conversion token")
    return problems


def _strays(results: Sequence[Result], received: Sequence[Mapping[str, Any]]) -> list[str]:
    known = {result.case.click_id for result in results if result.case.expected.events}
    strays = [event for event in received if _click_id(event) not in known]
    names = {dataset.meta_id: dataset.name for dataset in DATASETS}
    return [f"{names.get(event['dataset'], event['dataset'])} got an event of no ad click" for event in strays]


def _click_id(event: Mapping[str, Any]) -> Any:
    return event["event"]["user_data"].get("ctwa_clid")
