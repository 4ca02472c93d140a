"""The whole way of one message as lines of text; `console.trace` gives the values."""

from collections.abc import Iterator, Mapping
from typing import Any

from console.cli.render import iso, money, plain

_Part = Mapping[str, Any]
_INDENT = 14


def trace_lines(found: _Part) -> list[str]:
    """What `ctwa delivery` prints: one step after the other, and why it ended where it did."""
    lines = [
        *_step("Webhook", _webhook(found["webhook"])),
        *_step("Message", _message(found["message"])),
        *_step("Touchpoint", _touchpoint(found["touchpoint"])),
        *_step("Conversion", _conversion(found["conversion"])),
    ]
    for delivery in found["deliveries"]:
        lines += [*_step(f"Delivery {delivery['id']}", _delivery(delivery)), *_reason(delivery)]
    return [*lines, *_reason(found)] if found["words"] else lines


def _step(name: str, lines: Iterator[str]) -> list[str]:
    return [f"{name if number == 0 else '':<{_INDENT}}{plain(line)}" for number, line in enumerate(lines)]


def _reason(explained: _Part) -> list[str]:
    return ["", f"  {plain(explained['words'])}", f"  What to do: {plain(explained['next_step'])}", ""]


def _webhook(webhook: _Part | None) -> Iterator[str]:
    if webhook is None:
        return
    head = f"{iso(webhook['received_at'])}  {webhook['id']}"
    if webhook["body"] == "kept":
        yield f"{head}  {webhook['state']}"
        yield f"see it with: ctwa webhook {webhook['id']} --body"
        return
    deleted = webhook["body_deleted_at"]
    on = f" on {iso(deleted)}" if deleted else ""
    why = ", since somebody in it was erased at their request" if webhook["body"] == "erased" else ""
    yield f"{head}  raw body deleted{on}{why}"


def _message(message: _Part | None) -> Iterator[str]:
    if message is None:
        return
    sent = iso(message["sent_at"] or message["received_at"])
    yield f"{sent}  {message['class']}, {plain(message['kind'])}, on channel {message['channel']}"
    yield f"id {message['message_id']}"
    names = ", ".join(
        f"{one['kind']} {one['value'] or '(not readable here)'}" for one in message["contact"]["identities"]
    )
    yield f"from contact {message['contact']['id']}: {names or 'name erased'}"


def _touchpoint(touchpoint: _Part | None) -> Iterator[str]:
    if touchpoint is None:
        return
    yield f"{touchpoint['class']}, {plain(touchpoint['source_type'])} {plain(touchpoint['ad_id'])}"
    purged = touchpoint["click_id_purged_at"]
    yield f"click id purged on {iso(purged)}" if purged else f"click id {plain(touchpoint['click_id'])}"
    for name in ("headline", "source_url", "source_app"):
        if touchpoint[name]:
            yield f"{name.replace('_', ' ')} {touchpoint[name]}"
    if touchpoint["flags"]:
        yield f"flags {', '.join(touchpoint['flags'])}"


def _conversion(conversion: _Part | None) -> Iterator[str]:
    if conversion is None:
        return
    how = f"from {conversion['source']}, attributed by {conversion['attribution']}"
    yield f"{iso(conversion['occurred_at'])}  {conversion['event_name']}, {how}"
    yield f"value {money(conversion['value'], conversion['currency'])}, id {conversion['id']}"
    if conversion["order_id"]:
        yield f"order {conversion['order_id']}"
    if conversion["rule"]:
        fired = f", fired by message {conversion['rule_message']}" if conversion["rule_message"] else ""
        yield f"rule {conversion['rule']}, version {conversion['rule_version']}{fired}"
    for one in conversion["submissions"]:
        by = f" with key {one['api_key']}" if one["api_key"] else ""
        why = f": {one['words']}" if one["words"] else ""
        yield f"reported {iso(one['received_at'])} by {one['source']}{by}, {one['state']}{why}"
    for change in conversion["changes"]:
        yield f"change {iso(change['occurred_at'])} {change['kind']} {changed(change)} by {change['source']}"
    for flag in conversion["flags"]:
        yield f"flag {flag['flag']}: {flag['words']}"
    if conversion["other_message"]:
        yield "counted for an earlier message of the same click"


def changed(change: _Part) -> str:
    """What a change of a conversion was: the new value, what was given back, or another click."""
    if change["kind"] == "attribution":
        after = change["detail"].get("after", {})
        return f"to touchpoint {plain(after.get('touchpoint'))}, {plain(after.get('attribution'))}"
    return money(change["value"], change["currency"]) if change["value"] is not None else "of everything"


def _delivery(delivery: _Part) -> Iterator[str]:
    test = "  [test]" if delivery["test"] else ""
    yield f"{delivery['event_name']} to dataset {delivery['dataset']}: {delivery['state'].upper()}{test}"
    yield f"event id {delivery['event_id']}, event time {iso(delivery['event_time'])}"
    for attempt in delivery["attempts"]:
        yield from _attempt(attempt)
    if delivery["next_attempt_at"]:
        yield f"next attempt {iso(delivery['next_attempt_at'])}"


def _attempt(attempt: _Part) -> Iterator[str]:
    parts = [f"HTTP {attempt['http_status']}" if attempt["http_status"] else "no answer"]
    if attempt["code"] is not None:
        parts.append(f"code {attempt['code']}" + (f"/{attempt['subcode']}" if attempt["subcode"] is not None else ""))
    if attempt["events_received"] is not None:
        parts.append(f"received {attempt['events_received']} of {attempt['events']}")
    if attempt["trace_id"]:
        parts.append(f"trace id {attempt['trace_id']}")
    if attempt["milliseconds"] is not None:
        parts.append(f"{attempt['milliseconds']} ms")
    outcome = attempt["outcome"] or "open"
    yield f"attempt {attempt['number']}  {iso(attempt['started_at'])}  {', '.join(parts)} -> {outcome}"
    said = " ".join(str(attempt[part]) for part in ("title", "message") if attempt[part])
    if said:
        yield f"  Meta said: {said}"
