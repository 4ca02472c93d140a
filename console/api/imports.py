"""POST /api/v1/touchpoints: clicks from before this service. Kept like a webhook, and read by intake."""

from datetime import UTC, datetime
from typing import Any

from flask import Response, abort, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields

from console.api.caller import caller, needs
from console.api.problems import problem
from console.web.runtime import database, runtime
from shared.db.webhooks import NewWebhook, insert_webhooks
from shared.db.workspaces import all_workspaces
from shared.domain.api_scopes import Scope
from shared.domain.submission_forms import Malformed, UnreadableBody, parse_items
from shared.domain.submission_schemas import TouchpointSchema
from shared.ids import item_id, uuid7
from shared.queue import Work

imports = Blueprint("imports", __name__, description="Taking history over from another system.")


class PromiseSchema(Schema):
    """The id that an item will have, and where to ask what became of it."""

    id = fields.UUID()
    status_url = fields.String()


class PromisesSchema(Schema):
    """One for each item, in order."""

    data = fields.List(fields.Nested(PromiseSchema))


@imports.post("/touchpoints")
@needs(Scope.CONTACTS_WRITE)
@imports.doc(
    requestBody={
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        TouchpointSchema,
                        {"type": "object", "required": ["data"], "properties": {"data": {"type": "array"}}},
                    ]
                },
                "examples": {
                    "one": {
                        "value": {
                            "contact": {"phone": "+15550100123"},
                            "channel": "sales",
                            "occurred_at": "2026-05-02T09:30:00Z",
                            "external_id": "hubspot-4711",
                            "ad_id": "120210000000000001",
                        }
                    }
                },
            }
        },
    }
)
@imports.response(202, PromisesSchema)
def touchpoints() -> dict[str, Any] | Response:
    """Take touchpoints over from another system, one or up to 500. They are never reported to Meta."""
    if request.mimetype != "application/json":
        abort(415, "Send JSON, with Content-Type: application/json.")
    body, received_at, webhook_id = request.get_data(), datetime.now(UTC), uuid7()
    try:
        items = parse_items("touchpoints", body, received_at=received_at)
    except UnreadableBody as error:
        return problem(422, f"{error} Nothing of it was stored.")
    errors = [
        {"item": place, "field": one.field, "problem": one.problem}
        for place, item in enumerate(items)
        if isinstance(item, Malformed)
        for one in item.problems
    ]
    if errors:
        return problem(422, "Correct the fields under errors. Nothing of this request was stored.", errors=errors[:100])
    with database() as conn:
        workspace = next(one for one in all_workspaces(conn) if one.name == caller().workspace)
        insert_webhooks(
            conn,
            [
                NewWebhook(
                    id=webhook_id,
                    received_at=received_at,
                    source="import",
                    source_id=workspace.id,
                    method="POST",
                    path="touchpoints",
                    query="",
                    headers={"content-type": "application/json", "ctwa-origin": "api", "ctwa-actor": caller().actor},
                    body=runtime().ring.seal(body),
                    body_bytes=len(body),
                )
            ],
        )
    runtime().ring_for(Work.INTAKE)
    ids = [item_id(webhook_id, place) for place in range(len(items))]
    base = f"{runtime().settings.console_url}/api/v1/submissions"
    return {"data": [{"id": one, "status_url": f"{base}/{one}"} for one in ids]}
