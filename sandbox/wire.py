"""What a call to `/events` carries: parameters, token and events, in every form that Graph takes.

Sources: https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api and recorded calls
of senders (the official SDK declares `data` a list of strings, others post a form).
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Never

from sandbox.errors import GraphError, parameter_error

MAX_EVENTS = 1000

DATA_MISSING = parameter_error("param data is required")
DATA_EMPTY = parameter_error("param data must be non-empty")
DATA_NOT_A_LIST = parameter_error("param data must be an array of JSON objects")
DATA_TOO_LONG = parameter_error(f"param data must have at most {MAX_EVENTS} elements")


def json_parameters(query: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Query and JSON body merged. A body that cannot be read counts as empty, as Graph treats it."""
    document = _loads(body)
    return {**query, **(document if isinstance(document, dict) else {})}


def token(authorization: str | None, params: Mapping[str, Any]) -> str | None:
    """The access token: from the `Authorization: Bearer` header, else from the query or the body."""
    scheme, _, secret = (authorization or "").partition(" ")
    if scheme.lower() in ("bearer", "oauth") and secret.strip():
        return secret.strip()
    given = params.get("access_token")
    return given if isinstance(given, str) and given else None


def proof_is_right(app_secret: str, secret: str, proof: object) -> bool:
    """Whether `appsecret_proof` is the HMAC-SHA256 of the token under the app's secret."""
    wanted = hmac.new(app_secret.encode(), secret.encode(), hashlib.sha256).hexdigest()
    return isinstance(proof, str) and hmac.compare_digest(wanted.encode(), proof.encode("utf-8", "replace"))


def events(data: object) -> list[dict[str, Any]] | GraphError:
    """The events of `data`: a list of objects, a list of JSON strings, or one JSON string of either."""
    if data is None:
        return DATA_MISSING
    rows = _loads(data) if isinstance(data, str) else data
    if not isinstance(rows, list):
        return DATA_NOT_A_LIST
    if not rows:
        return DATA_EMPTY
    if len(rows) > MAX_EVENTS:
        return DATA_TOO_LONG
    found = [_loads(row) if isinstance(row, str) else row for row in rows]
    objects = [event for event in found if isinstance(event, dict)]
    return objects if len(objects) == len(rows) else DATA_NOT_A_LIST


def _loads(text: str | bytes) -> object:
    """The JSON document, or None where the text is not strictly JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")
