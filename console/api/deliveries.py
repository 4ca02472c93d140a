"""Deliveries: what Meta was told, and what it answered."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import fields, validate

from console.api.caller import caller
from console.api.paging import PageQuery, page, slice_of
from console.api.schemas.deliveries import DeliverySchema, TraceSchema
from console.api.schemas.parts import page_of
from console.errors import NotFoundError
from console.trace import trace
from console.web.runtime import database, runtime
from shared.db.results import DeliveryFilter, list_deliveries
from shared.domain.deliveries import State

deliveries = Blueprint("deliveries", __name__, description="What Meta was told, and what it answered.")


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    state = fields.String(validate=validate.OneOf([state.value for state in State]))
    reason = fields.String(validate=validate.Length(max=100))
    since = fields.AwareDateTime(metadata={"description": "Made not before, with its zone."})
    until = fields.AwareDateTime(metadata={"description": "Made before, with its zone."})
    test = fields.Boolean(metadata={"description": "true: test rows only; false: without them."})


@deliveries.get("/deliveries")
@deliveries.arguments(DeliveryQuery, location="query", unknown=None)
@deliveries.response(200, page_of(DeliverySchema, "DeliveryPage"))
def index(query: dict[str, Any]) -> Response | dict[str, Any]:
    """List deliveries, newest first."""
    part = slice_of(query, int)
    which = DeliveryFilter(
        workspace=caller().workspace,
        states=[query["state"]] if "state" in query else (),
        reason=query.get("reason"),
        since=query.get("since"),
        until=query.get("until"),
        test=query.get("test"),
    )
    with database() as conn:
        rows = list_deliveries(conn, which, limit=part.limit, after=part.after)
    return page(query, rows, lambda row: (row.created_at, row.id), DeliverySchema())


@deliveries.get("/deliveries/<int:delivery_id>")
@deliveries.response(200, TraceSchema)
def show(delivery_id: int) -> dict[str, Any]:
    """Tell the whole way of a delivery, with every attempt and what Meta answered."""
    which = DeliveryFilter(ids=[delivery_id], workspace=caller().workspace)
    with database() as conn:
        if delivery_id >= 2**63 or not list_deliveries(conn, which, limit=1):
            raise NotFoundError(f"There is no delivery {delivery_id}.")
        return trace(conn, runtime().ring, str(delivery_id), reveal=False, actor=caller().actor)
