"""The control routes, all under /__sandbox: what was received, faults, clock, latency, config, reset."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import HTTPException

from sandbox.config import ConfigError
from sandbox.faults import FAULTS, REDIRECT_TARGET
from sandbox.reply import running
from sandbox.state import State
from sandbox.world import World, digest

PREFIX = "/__sandbox"
MAX_PAGE = 10_000
TEN_YEARS = 10 * 365 * 24 * 3600

blueprint = Blueprint("control", __name__, url_prefix=PREFIX)


class PageSchema(Schema):
    dataset = fields.String()
    limit = fields.Integer(load_default=1000, validate=validate.Range(0, MAX_PAGE))
    offset = fields.Integer(load_default=0, validate=validate.Range(min=0))


class ReceivedSchema(PageSchema):
    event_name = fields.String()
    event_id = fields.String()
    duplicate = fields.Boolean()
    deduplicated = fields.Boolean()


class RequestsSchema(PageSchema):
    outcome = fields.String()
    fault = fields.String()


class ClockSchema(Schema):
    offset = fields.Float(required=True, validate=validate.Range(-TEN_YEARS, TEN_YEARS))


class LatencySchema(Schema):
    seconds = fields.Float(required=True, validate=validate.Range(0, 3600))


@blueprint.get("/health")
def health() -> Response:
    """Answers once the server serves and the record can be read."""
    running().store.totals()
    return jsonify(status="ok")


@blueprint.get("/received")
def received() -> Response:
    """The kept events that match, newest last, with the lifetime totals."""
    state, filters, limit, offset = _page_asked(ReceivedSchema())
    matching, events = state.store.received(filters, limit, offset)
    events = [{**row, "ad_id": _ad_id(state.world, row["event"])} for row in events]
    return jsonify(matching=matching, offset=offset, events=events, totals=state.store.totals())


@blueprint.get("/requests")
def requests() -> Response:
    """The kept calls to /events that match, newest last, with the lifetime totals."""
    state, filters, limit, offset = _page_asked(RequestsSchema())
    matching, calls = state.store.requests(filters, limit, offset)
    return jsonify(matching=matching, offset=offset, requests=calls, totals=state.store.totals())


@blueprint.get("/faults")
def faults() -> Response:
    """The active faults, and every kind there is."""
    kinds = {kind: fault.means for kind, fault in FAULTS.items()}
    return jsonify(faults=running().board.shown(), kinds=kinds)


@blueprint.post("/faults")
def add_fault() -> tuple[Response, int]:
    return jsonify(running().board.add(_document())), 201


@blueprint.delete("/faults")
@blueprint.delete("/faults/<int:fault_id>")
def delete_faults(fault_id: int | None = None) -> Response:
    """Delete the faults and release every call that they keep waiting."""
    return jsonify(deleted=running().board.delete(fault_id))


@blueprint.get("/clock")
def clock() -> Response:
    return _clock(running())


@blueprint.post("/clock")
def set_clock() -> Response:
    """Move the sandbox's time by `offset` seconds from the machine's."""
    state = running()
    state.clock_offset = timedelta(seconds=_load(ClockSchema(), _document())["offset"])
    return _clock(state)


@blueprint.post("/latency")
def set_latency() -> Response:
    """Wait `seconds` before every answer of Graph."""
    state = running()
    state.latency = _load(LatencySchema(), _document())["seconds"]
    return jsonify(seconds=state.latency)


@blueprint.get("/config")
def config() -> Response:
    return jsonify(_shown(running().world))


@blueprint.post("/config")
def set_config() -> Response:
    """Lay a configuration document over what is there."""
    state = running()
    state.configure(_document())
    return jsonify(_shown(state.world))


@blueprint.post("/reset")
def reset() -> Response:
    running().reset()
    return jsonify(status="ok")


@blueprint.get(REDIRECT_TARGET.removeprefix(PREFIX))
def redirected() -> Response:
    """Where the fault `redirect` leads: a page that is not Graph's, for a sender that follows it."""
    return Response("<!DOCTYPE html><title>Log in</title><p>Log in to continue.</p>", mimetype="text/html")


@blueprint.errorhandler(ConfigError)
def config_error(error: ConfigError) -> tuple[Response, int]:
    return jsonify(error=str(error), problems=error.problems), 400


def http_error(error: HTTPException) -> Response:
    """An unknown control path or a wrong method, in JSON."""
    answer = jsonify(error=error.description or error.name)
    answer.status_code = error.code or 500
    return answer


def _document() -> Any:
    document = request.get_json(force=True, silent=True)
    if document is None:
        raise ConfigError({"_schema": ["Send a JSON object as the body."]})
    return document


def _load(schema: Schema, values: Any) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(values)
    except ValidationError as error:
        raise ConfigError(error.messages) from None
    return loaded


def _page_asked(schema: PageSchema) -> tuple[State, dict[str, Any], int, int]:
    filters = _load(schema, request.args.to_dict())
    limit, offset = filters.pop("limit"), filters.pop("offset")
    return running(), filters, limit, offset


def _ad_id(world: World, event: Mapping[str, Any]) -> str | None:
    """The ad of the event's click, where that click is registered."""
    value = event["user_data"].get("ctwa_clid")
    click = world.clicks.registered.get(digest(value)) if isinstance(value, str) else None
    return None if click is None else click.ad_id


def _clock(state: State) -> Response:
    return jsonify(offset=state.clock_offset.total_seconds(), now=state.now().isoformat())


def _shown(world: World) -> dict[str, Any]:
    """The world without its secrets: tokens by a piece of their digest, click ids counted."""
    return {
        "datasets": [vars(dataset) for dataset in world.datasets.values()],
        "tokens": [
            {
                "sha256_prefix": token.digest[:12],
                "state": token.state,
                "scopes": sorted(token.scopes),
                "datasets": None if token.datasets is None else sorted(token.datasets),
            }
            for token in world.tokens.values()
        ],
        "wabas": [{"id": waba_id, "name": name} for waba_id, name in world.wabas.items()],
        "click_ids": {
            "strict": world.clicks.strict,
            "bad": len(world.clicks.bad),
            "registered": len(world.clicks.registered),
        },
        "usage_percent": world.usage_percent,
    }
