"""The OpenAPI 3.1 document of the API's door, made of the schemas that requests are checked with."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from receiver.admission import REFUSALS
from receiver.calls import SCOPE_OF, WORDS
from shared.domain.submission_forms import MAX_ITEMS
from shared.domain.submission_schemas import SCHEMAS

_ABOUT = f"""What a business reports of its contacts: conversions, stages, tags, consent.

A body is one item, or `{{"data": [...]}}` with up to {MAX_ITEMS}. `202` means that it is stored durably, also while the
database is away; `status_url` tells what became of each item. When one item has not the form it needs, nothing of the
request is stored, and `422` names each item, field and what to do. Repeating a request does no harm as long as its
conversions have an `order_id`, an `event_id`, or a key of their own or in `Idempotency-Key`.
"""
_TITLES: Mapping[str, tuple[str, str]] = {
    "conversions": ("Report conversions", "reportConversions"),
    "contacts/stage": ("Report stages of contacts", "reportStages"),
    "contacts/tags": ("Report tags of contacts", "reportTags"),
    "contacts/consent": ("Report consent of contacts", "reportConsent"),
}
_JANE = {"phone": "+15550100123"}
_TIME = "2026-11-24T18:00:00+01:00"
_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "conversions": {
        "sale": {
            "contact": _JANE,
            "event_name": "Purchase",
            "occurred_at": _TIME,
            "value": "129.90",
            "currency": "EUR",
            "order_id": "A-1001",
            "contents": [{"id": "SKU-1", "quantity": 1, "item_price": "129.90"}],
        },
        "several": {
            "data": [
                {"contact": {"email": "jane@example.com"}, "event_name": "QualifiedLead", "occurred_at": _TIME},
                {
                    "contact": {"id": 4711},
                    "event_name": "OrderReturned",
                    "occurred_at": 1_795_539_600,
                    "value": 20,
                    "order_id": "A-1001",
                },
            ]
        },
    },
    "contacts/stage": {"qualified": {"contact": _JANE, "stage": "qualified", "occurred_at": _TIME}},
    "contacts/tags": {"vip": {"contact": _JANE, "add": ["vip"], "remove": ["cold"]}},
    "contacts/consent": {"withdrawn": {"contact": _JANE, "given": False, "origin": "e-mail to support"}},
}
_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:ctwa:problem:malformed"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do."},
        "errors": {
            "type": "array",
            "description": "What is wrong, by item (its place in the request, from 0) and field.",
            "items": {
                "type": "object",
                "required": ["item", "field", "problem"],
                "properties": {
                    "item": {"type": "integer"},
                    "field": {"type": "string", "examples": ["contents[0].quantity"]},
                    "problem": {"type": "string"},
                },
            },
        },
    },
}
_PROMISE = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "array",
            "description": "One for each item, in order.",
            "items": {
                "type": "object",
                "required": ["id", "status_url"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "status_url": {"type": "string", "description": "Where the console's API tells what became of it."},
                },
            },
        }
    },
}
#: In the words of HTTP, for answers that have several reasons.
_STATUS = {
    400: "Bad request",
    401: "The API key is missing or not accepted",
    403: "The key lacks the scope",
    408: "The body came too slowly",
    411: "No Content-Length",
    413: "The body is too large",
    415: "No JSON",
    422: "The items have not the form they need. Nothing was stored",
    429: "Too many refused requests from this address",
    431: "The headers are too large",
    500: "A fault of this service",
    503: "Nothing durable is left, or not in time. Send the same request again",
}


def _document() -> dict[str, Any]:
    spec = APISpec(
        title="CTWA attribution: reporting",
        version=version("ctwa-attribution"),
        openapi_version="3.1.0",
        info={"description": _ABOUT},
        plugins=[MarshmallowPlugin()],
    )
    spec.components.security_scheme(
        "key", {"type": "http", "scheme": "bearer", "description": "A key from `ctwa api-keys create`."}
    )
    spec.components.schema("Problem", _PROBLEM)
    spec.components.schema("Promise", _PROMISE)
    for kind in SCOPE_OF:
        spec.path(path=f"/v1/{kind}", operations={"post": _operation(spec, kind)})
    document: dict[str, Any] = spec.to_dict()
    return document


def _operation(spec: APISpec, kind: str) -> dict[str, Any]:
    title, operation_id = _TITLES[kind]
    name = SCHEMAS[kind].__name__.removesuffix("Schema")
    spec.components.schema(name, schema=SCHEMAS[kind])
    item = {"$ref": f"#/components/schemas/{name}"}
    several = {
        "type": "object",
        "required": ["data"],
        "additionalProperties": False,
        "properties": {"data": {"type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": item}},
    }
    return {
        "summary": title,
        "operationId": operation_id,
        "security": [{"key": []}],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The key of what names none of its own. Repeat a request with the same one.",
                "schema": {"type": "string", "maxLength": 196},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": [item, several]},
                    "examples": {name: {"value": value} for name, value in _EXAMPLES[kind].items()},
                }
            },
        },
        "responses": {
            "202": {
                "description": "Stored durably",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Promise"}}},
            },
            **{str(status): _refusal(status) for status in sorted(_STATUS)},
        },
    }


def _refusal(status: int) -> dict[str, Any]:
    reasons = [reason for reason in WORDS if REFUSALS[reason] == status]
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    answer: dict[str, Any] = {
        "description": _STATUS[status],
        "content": {"application/problem+json": content},
    }
    if reasons:
        content["examples"] = {
            reason: {
                "value": {
                    "type": f"urn:ctwa:problem:{reason}",
                    "title": WORDS[reason][0],
                    "status": status,
                    "detail": WORDS[reason][1],
                }
            }
            for reason in reasons
        }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
    return answer


OPENAPI = json.dumps(_document(), indent=1)
