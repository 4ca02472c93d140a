"""What Meta's `debug_token` says of a token: when it ends, and what it may do. Pure.

`GET /debug_token?input_token=…` would put the token into a URL, and so into logs on the way. Graph's batch request
asks the same in the body of a POST, a form with `batch` and `access_token`:
https://developers.facebook.com/docs/graph-api/batch-requests. What is answered:
https://developers.facebook.com/docs/graph-api/reference/debug_token.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

FORM = "application/x-www-form-urlencoded"
_INVALID_TOKEN = 190


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """`result` is `ok`, `invalid`, or a reason code why nothing was learned; the rest is known only with `ok`.

    A time that is None means that it does not end. Tokens from Events Manager show other scopes than they work with.
    """

    result: str
    expires_at: datetime | None = None
    data_access_expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()


def inspection_body(token: str) -> bytes:
    """The form that asks about a token, by that token itself."""
    call = {"method": "GET", "relative_url": f"debug_token?input_token={quote(token, safe='')}"}
    form = {"access_token": token, "include_headers": "false", "batch": json.dumps([call])}
    return urlencode(form).encode("ascii")


def read_inspection(body: bytes) -> Inspection:
    """What an answer to `inspection_body` says, whatever it is."""
    answer = _parsed(body)
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer = _parsed(str(answer[0].get("body") or "").encode("utf-8", "replace"))
    if not isinstance(answer, dict):
        return Inspection(result="answer_unreadable")
    if isinstance(error := answer.get("error"), dict):
        return Inspection(result=_refusal(error))
    data = answer.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("is_valid"), bool):
        return Inspection(result="answer_unreadable")
    if not data["is_valid"]:
        return Inspection(result="invalid")
    scopes = data.get("scopes")
    return Inspection(
        result="ok",
        expires_at=_time(data.get("expires_at")),
        data_access_expires_at=_time(data.get("data_access_expires_at")),
        scopes=tuple(sorted({str(scope)[:100] for scope in scopes})) if isinstance(scopes, list) else (),
    )


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _refusal(error: Mapping[str, Any]) -> str:
    code, subcode = error.get("code"), error.get("error_subcode")
    if not isinstance(code, int) or isinstance(code, bool) or abs(code) >= 10**10:
        return "answer_unreadable"
    if code == _INVALID_TOKEN:
        return "invalid"
    known = isinstance(subcode, int) and not isinstance(subcode, bool) and 0 < subcode < 10**10
    return f"meta_{code}_{subcode}" if known else f"meta_{code}"


def _time(value: object) -> datetime | None:
    """Seconds since 1970; 0 and what is no time of this century mean that it does not end."""
    if not isinstance(value, int) or isinstance(value, bool) or not 10**9 < value < 4 * 10**9:
        return None
    return datetime.fromtimestamp(value, UTC)
