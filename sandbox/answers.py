"""An answer as bytes to be: status, headers, body; and the headers that every answer of Graph carries."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.errors import GraphError

JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """What goes over the wire. `error` is the Graph error in the body, for the record."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    error: GraphError | None = None

    def with_headers(self, headers: Mapping[str, str]) -> "Answer":
        """This answer with more headers; those it already has win."""
        return replace(self, headers={**headers, **self.headers})


def new_fbtrace_id() -> str:
    """A trace id as Graph gives one to every answer: `A` and 22 URL-safe characters."""
    return "A" + secrets.token_urlsafe(17)[:22]


def as_json(document: Mapping[str, Any] | list[dict[str, Any]], status: int = 200) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"Content-Type": JSON})


def refusal(error: GraphError, fbtrace_id: str) -> Answer:
    return replace(as_json(error.body(fbtrace_id), error.status), error=error)


def received(count: int, fbtrace_id: str) -> Answer:
    """The success of `/events`."""
    return as_json({"events_received": count, "messages": [], "fbtrace_id": fbtrace_id})


def usage_headers(dataset_id: str, percent: int, regain_minutes: int = 0) -> dict[str, str]:
    """`X-App-Usage` and `X-Business-Use-Case-Usage`: JSON in a header, percentages, minutes.

    Source: https://developers.facebook.com/docs/graph-api/overview/rate-limiting
    """
    usage = {"call_count": percent, "total_cputime": percent, "total_time": percent}
    business = {
        "type": "ads_management",
        **usage,
        "estimated_time_to_regain_access": regain_minutes,
        "ads_api_access_tier": "standard_access",
    }
    return {
        "X-App-Usage": json.dumps(usage),
        "X-Business-Use-Case-Usage": json.dumps({dataset_id: [business]}),
    }
