"""What a notice says, by mail, to Slack and to a webhook. Pure; names and numbers only, nothing secret or personal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.domain.alerts import KINDS, in_words, next_step


@dataclass(frozen=True, kw_only=True)
class Told:
    """One alert as a notice tells of it. `what`: opened, resolved or reminded."""

    what: str
    id: int
    workspace: str | None
    kind: str
    subject: str
    state: str
    detail: Mapping[str, Any]
    opened_at: datetime
    resolved_at: datetime | None


_HEADINGS = {"opened": "New", "reminded": "Still open", "resolved": "Over"}


def headline(told: Sequence[Told]) -> str:
    """One line: the subject of a mail."""
    if not told:
        return "Test of this route for alerts"
    if len(told) == 1:
        title = KINDS[told[0].kind].title if told[0].kind in KINDS else told[0].kind
        return f"{_HEADINGS[told[0].what]}: {title} ({told[0].subject.partition(':')[2]})"
    counts = {what: sum(one.what == what for one in told) for what in _HEADINGS}
    return "Alerts: " + ", ".join(f"{count} {_HEADINGS[what].lower()}" for what, count in counts.items() if count)


def as_text(told: Sequence[Told]) -> str:
    """The whole message, for people."""
    if not told:
        return "This is a test: alerts of this installation arrive here.\n"
    lines = []
    for one in told:
        when = one.resolved_at if one.what == "resolved" and one.resolved_at else one.opened_at
        lines.append(f"{_HEADINGS[one.what]}: {in_words(one.kind, one.subject, one.detail)}")
        if one.what != "resolved":
            lines.append(f"  What to do: {next_step(one.kind, one.detail)}")
        lines.append(f"  {'Over' if one.what == 'resolved' else 'Open'} since {_time(when)} (alert {one.id})\n")
    return "\n".join(lines)


def as_slack(told: Sequence[Told]) -> bytes:
    """The body of a post to Slack, or to what takes the same (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).

    Slack wants these three characters escaped: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    text = f"{headline(told)}\n\n{as_text(told)}"
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, escaped)
    return json.dumps({"text": text}).encode()


def as_event(told: Sequence[Told], at: datetime) -> bytes:
    """The body of a webhook: {type, timestamp, data}, as Standard Webhooks advises.

    `type` is alerts.changed, or alerts.test; data.alerts says of each what happened and what it means.
    """
    alerts = [
        {
            "happened": one.what,
            "id": one.id,
            "workspace": one.workspace,
            "kind": one.kind,
            "subject": one.subject,
            "state": one.state,
            "detail": dict(one.detail),
            "words": in_words(one.kind, one.subject, one.detail),
            "next_step": next_step(one.kind, one.detail),
            "opened_at": _time(one.opened_at),
            "resolved_at": _time(one.resolved_at) if one.resolved_at else None,
        }
        for one in told
    ]
    event = {"type": "alerts.changed" if told else "alerts.test", "timestamp": _time(at), "data": {"alerts": alerts}}
    return json.dumps(event, ensure_ascii=False).encode()


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
