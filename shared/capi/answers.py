"""What Meta answered to one request, and what that means (the table of codes is in `verdicts`).

The rules without a code: `events_received` equal to what was sent is the only receipt; a 4xx, or a 5xx that
carries a Graph error object, stored nothing; anything else after bytes left us is unknown, for Meta does not
deduplicate messaging events
(https://developers.facebook.com/documentation/ads-commerce/conversions-api/business-messaging).
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from shared.capi.usage import LONGEST_WAIT_SECONDS, Usage, read_usage
from shared.capi.verdicts import (
    NOT_GRAPH_401,
    NOT_GRAPH_403,
    NOT_GRAPH_404,
    NOT_GRAPH_413,
    OTHER_4XX,
    OTHER_5XX,
    OTHER_100,
    OTHER_429,
    OTHER_TRANSIENT,
    REQUEST_LEVEL_100,
    Meaning,
    PauseReason,
    Verdict,
    meaning_of,
)

__all__ = [
    "Answer",
    "PauseReason",
    "Verdict",
    "no_answer",
    "not_sent",
    "proves_access",
    "read_answer",
    "read_content",
]

LONGEST_TEXT = 500
_LARGEST_NUMBER = 2**31 - 1
# A word of 16 characters or more with letters and digits looks like a token or click id; plain ids stay.
_SECRET_WORD = re.compile(r"(?=[A-Za-z0-9_\-]*[0-9])(?=[0-9_\-]*[A-Za-z])[A-Za-z0-9_\-]{16,}")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
# Graph's own developer message, in English always; these two are the request's fault, not an event's.
_REQUEST_LEVEL_TEXTS = (
    "param data must",
    "param data is required",
    "Missing Permission",
)
_NOT_GRAPH = {
    401: NOT_GRAPH_401,
    403: NOT_GRAPH_403,
    404: NOT_GRAPH_404,
    413: NOT_GRAPH_413,
    429: OTHER_429,
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One request's outcome. `reason` is a code of `shared.domain.reasons` (None when accepted)."""

    verdict: Verdict
    reason: str | None
    http_status: int | None = None
    code: int | None = None
    subcode: int | None = None
    title: str | None = None
    message: str | None = None
    blamed_fields: tuple[str, ...] = ()
    fbtrace_id: str | None = None
    events_received: int | None = None
    retry_after_seconds: int | None = None
    is_transient: bool | None = None
    event_level: bool = False
    pause: PauseReason | None = None
    warning: str | None = None
    usage: Usage = field(default_factory=Usage)

    @property
    def is_outage(self) -> bool:
        """True when Meta, or the way to it, looks down: no usable answer, or a 5xx.

        A 200 that can't be read counts: while a proxy breaks answers, every further request makes its events unknown.
        """
        return self.verdict is Verdict.UNKNOWN or self.http_status is None or self.http_status >= 500


def not_sent(exc_name: str) -> Answer:
    """The outcome when surely no byte of the request left: DNS, refused, connect timeout, TLS handshake."""
    return Answer(verdict=Verdict.NOT_SENT, reason="not_sent", message=exc_name)


def no_answer(exc_name: str) -> Answer:
    """The outcome when bytes may have left and no answer came: timeout, reset, protocol error."""
    return Answer(verdict=Verdict.UNKNOWN, reason="no_answer", message=exc_name)


def proves_access(answer: Answer) -> bool:
    """Whether the answer to a request with empty data shows that the token may write to the dataset.

    Meta checks token, dataset and permission first, and then finds fault with the empty list:
    "(#100) param data must be non-empty".
    """
    if answer.verdict is Verdict.ACCEPTED:
        return True
    refused_the_data = answer.code == 100 and answer.subcode in (None, 2804019)
    return refused_the_data and "Missing Permission" not in (answer.message or "")


def read_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    sent: int,
    hide: Collection[str] = (),
) -> Answer:
    """Classify an HTTP answer to a request of `sent` events. It never raises.

    `hide` are texts that must not stay in what is kept of Meta's message (the token and click ids of the
    request).
    """
    lowered = {name.lower(): text for name, text in headers.items()}
    content = _json_object(body)
    error = content.get("error")
    error = error if isinstance(error, dict) else {}
    code = _integer(error.get("code"))
    received = _integer(content.get("events_received"))
    usage = read_usage(lowered)
    facts: dict[str, Any] = {
        "http_status": status,
        "code": code,
        "subcode": _integer(error.get("error_subcode")),
        "title": _clean(error.get("error_user_title"), hide),
        "message": _message(error, hide),
        "blamed_fields": _blamed_fields(error.get("error_data"), hide),
        "fbtrace_id": _trace_id(error, content, lowered),
        "events_received": received,
        "retry_after_seconds": _longest(_retry_after(lowered), usage.regain_seconds),
        "is_transient": error["is_transient"] if isinstance(error.get("is_transient"), bool) else None,
        "warning": _clean(lowered.get("x-ad-api-version-warning"), hide),
        "usage": usage,
    }
    if 200 <= status < 300:
        verdict, reason = _receipt(received, sent)
        return Answer(verdict=verdict, reason=reason, **facts)
    if code is not None:
        return _graph_refusal(facts, _developer_text(error))
    return _refusal_without_graph(status, facts)


def read_content(
    status: int, headers: Mapping[str, str], body: bytes, *, hide: Collection[str] = ()
) -> tuple[Answer, dict[str, Any] | None]:
    """Classify the answer to a question, and its JSON object if it has one. It never raises.

    A question changes nothing at Meta: what can't be read is asked again.
    """
    answer = read_answer(status, headers, body, sent=0, hide=hide)
    if not 200 <= status < 300:
        return answer, None
    content = _json_object(body)
    if not content:
        return replace(answer, verdict=Verdict.RETRY, reason="answer_unreadable"), None
    return replace(answer, verdict=Verdict.ACCEPTED, reason=None), content


def _receipt(received: int | None, sent: int) -> tuple[Verdict, str | None]:
    """What a 2xx means by the number of events it says were received."""
    if received is None:
        return Verdict.UNKNOWN, "answer_unreadable"
    if received == sent:
        return Verdict.ACCEPTED, None
    if received == 0:
        return Verdict.NOT_RECEIVED, "not_received"
    return Verdict.UNKNOWN, "partly_received"


def _graph_refusal(facts: dict[str, Any], developer_text: str) -> Answer:
    code, subcode = facts["code"], facts["subcode"]
    meaning = meaning_of(code, subcode) or _unlisted(facts, developer_text)
    reason = f"meta_{code}" if subcode is None else f"meta_{code}_{subcode}"
    return _with_meaning(meaning, reason, facts)


def _unlisted(facts: dict[str, Any], developer_text: str) -> Meaning:
    """The meaning of a code that has no row of its own."""
    status = facts["http_status"]
    if facts["is_transient"]:
        return OTHER_TRANSIENT
    if status >= 500 or status == 408:
        return OTHER_5XX
    if status == 429:
        return OTHER_429
    if facts["code"] != 100:
        return OTHER_4XX
    request_level = facts["subcode"] is None and any(text in developer_text for text in _REQUEST_LEVEL_TEXTS)
    return REQUEST_LEVEL_100 if request_level else OTHER_100


def _refusal_without_graph(status: int, facts: dict[str, Any]) -> Answer:
    """An answer that is not Graph's own (a proxy, a portal, an HTML page) or cannot be read."""
    if status >= 500 or status == 408 or status < 200:
        return Answer(verdict=Verdict.UNKNOWN, reason="server_error_unclear", **facts)
    if status in _NOT_GRAPH:
        return _with_meaning(_NOT_GRAPH[status], f"http_{status}", facts)
    # A redirect is not followed, and a 4xx took nothing. Neither says that an event is bad: none is rejected.
    reason = "redirected" if status < 400 else "not_graph"
    return Answer(verdict=Verdict.RETRY, reason=reason, **facts)


def _with_meaning(meaning: Meaning, reason: str, facts: dict[str, Any]) -> Answer:
    return Answer(
        verdict=meaning.verdict,
        reason=reason,
        pause=meaning.pause,
        event_level=meaning.event_level,
        **facts,
    )


def _json_object(body: bytes) -> dict[str, Any]:
    """The body's JSON object; empty for anything else (HTML, NaN, a cut body, absurd depth)."""
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, MemoryError):
        return {}
    return content if isinstance(content, dict) else {}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(value: object) -> int | None:
    """A whole number that fits a column of 32 bits, also when given as text or as 190.0."""
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"-?[0-9]{1,10}", value) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) <= _LARGEST_NUMBER else None


def _developer_text(error: Mapping[str, Any]) -> str:
    message = error.get("message")
    return message if isinstance(message, str) else ""


def _message(error: Mapping[str, Any], hide: Collection[str]) -> str | None:
    """Graph's message and what it would tell a user, as one text."""
    texts = [_clean(error.get(key), hide) for key in ("message", "error_user_msg")]
    return ": ".join(dict.fromkeys(text for text in texts if text))[:LONGEST_TEXT] or None


def _blamed_fields(error_data: object, hide: Collection[str]) -> tuple[str, ...]:
    """The paths of `blame_field_specs`, from an object or from JSON in a string."""
    if isinstance(error_data, str):
        error_data = _json_object(error_data.encode("utf-8", "replace"))
    specs = error_data.get("blame_field_specs") if isinstance(error_data, dict) else None
    paths = [spec for spec in specs if isinstance(spec, list)] if isinstance(specs, list) else []
    texts = [".".join(part for part in path if isinstance(part, str)) for path in paths[:10]]
    return tuple(cleaned for text in texts if (cleaned := _clean(text[:LONGEST_TEXT], hide)))


def _trace_id(error: Mapping[str, Any], content: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    for value in (
        error.get("fbtrace_id"),
        content.get("fbtrace_id"),
        headers.get("x-fb-trace-id"),
    ):
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_+/=\-]{1,64}", value):
            return value
    return None


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds of Retry-After; a date is taken relative to the answer's own Date. At most a day."""
    text = (headers.get("retry-after") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(int(text), LONGEST_WAIT_SECONDS)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0, min(int(wait.total_seconds()), LONGEST_WAIT_SECONDS))


def _longest(*waits: int | None) -> int | None:
    return max((wait for wait in waits if wait is not None), default=None)


def _clean(value: object, hide: Collection[str]) -> str | None:
    """Remote text made safe to keep: no control characters, no token or click id, at most 500 characters."""
    if not isinstance(value, str):
        return None
    text = value[: 8 * LONGEST_TEXT]
    for secret in hide:
        text = text.replace(secret, "[removed]") if secret else text
    text = _SECRET_WORD.sub("[removed]", _UNSEEN.sub(" ", text))
    return " ".join(text.split())[:LONGEST_TEXT] or None
