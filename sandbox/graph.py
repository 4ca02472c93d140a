"""The other Graph routes: an account's dataset, the dataset itself, `debug_token`, batches of reads; unknown paths."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from sandbox import insights, judge
from sandbox.answers import Answer, as_json, new_fbtrace_id, refusal
from sandbox.errors import (
    MISSING_PERMISSION,
    SCOPE_MISSING,
    TOKEN_EXPIRED,
    TOKEN_REVOKED,
    TOKEN_UNKNOWN,
    GraphError,
    object_missing,
    parameter_error,
    unknown_path,
)
from sandbox.judge import Asked
from sandbox.reply import asked_now, respond, running
from sandbox.state import State
from sandbox.world import Token

blueprint = Blueprint("graph", __name__)

#: https://developers.facebook.com/docs/graph-api/batch-requests#limitations
MOST_IN_BATCH = 50


@blueprint.get("/<version:version>/<owner_id>/dataset")
@blueprint.post("/<version:version>/<owner_id>/dataset")
def dataset_of_owner(version: str, owner_id: str) -> Response:
    """The one dataset of a WhatsApp Business Account or Page; POST makes it if there is none."""
    state = running()
    state.slow_down()
    asked = asked_now(state, version, owner_id)
    return _reply(state, asked, _dataset_of_owner(state, asked, make=request.method == "POST"))


def _dataset_of_owner(state: State, asked: Asked, make: bool) -> dict[str, Any] | GraphError:
    caller = _caller(state, asked)
    if isinstance(caller, GraphError):
        return caller
    if "whatsapp_business_management" not in caller.scopes:
        return SCOPE_MISSING
    found = state.world.dataset_of(asked.object_id)
    if not make:
        return {"data": [{"id": found.id}] if found else []}
    owner = state.world.owner_name(asked.object_id)
    if owner is None:
        return object_missing(asked.object_id)
    name = asked.params.get("dataset_name") or f"{owner} Event Data"
    return {"id": state.dataset_for(asked.object_id, str(name), caller).id}


@blueprint.get("/<version:version>/<object_id>")
def read_object(version: str, object_id: str) -> Response:
    """A dataset's id and name; a write-only token may not read it."""
    state = running()
    state.slow_down()
    asked = asked_now(state, version, object_id)
    if object_id == "debug_token":
        return _reply(state, asked, _debug_token(state, asked))
    found = insights.report(state, asked)
    found = _dataset(state, asked) if found is None else found
    return _reply(state, asked, found)


@blueprint.post("/<version:version>/", strict_slashes=False)
def batch(version: str) -> Response:
    """Several reads in one POST, each answered as by itself: {code, body}, the body as text."""
    state = running()
    state.slow_down()
    asked = asked_now(state, version, "")
    caller = _caller(state, asked)
    calls = _calls(asked.params["batch"]) if "batch" in asked.params else unknown_path(asked.path)
    found = caller if isinstance(caller, GraphError) else calls
    if isinstance(found, GraphError):
        return _reply(state, asked, found)
    answers = [_answer_in_batch(state, asked, call) for call in found]
    members = [{"code": answer.status, "body": answer.body.decode()} for answer in answers]
    return respond(state, as_json(members), asked)


def _calls(text: object) -> list[Any] | GraphError:
    try:
        calls = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        calls = None
    if not isinstance(calls, list) or not calls:
        return parameter_error("The parameter batch must be a JSON array of requests")
    return (
        parameter_error(f"Too many requests in a batch: {MOST_IN_BATCH} at most")
        if len(calls) > MOST_IN_BATCH
        else calls
    )


def _answer_in_batch(state: State, asked: Asked, call: Any) -> Answer:
    url = urlsplit(str(call.get("relative_url", ""))) if isinstance(call, dict) else urlsplit("")
    object_id = url.path.strip("/").removeprefix(f"{asked.version}/")
    if not isinstance(call, dict) or str(call.get("method", "")).upper() != "GET" or "/" in object_id:
        return refusal(parameter_error("This sandbox takes GET of an object in a batch"), new_fbtrace_id())
    own = replace(asked, object_id=object_id, params={**asked.params, **dict(parse_qsl(url.query))})
    found = _debug_token(state, own) if object_id == "debug_token" else _dataset(state, own)
    return refusal(found, new_fbtrace_id()) if isinstance(found, GraphError) else as_json(found)


def _dataset(state: State, asked: Asked) -> dict[str, Any] | GraphError:
    caller = _caller(state, asked)
    if isinstance(caller, GraphError):
        return caller
    found = state.world.datasets.get(asked.object_id)
    if found is None or not caller.may_use(found.id):
        return object_missing(asked.object_id, "get")
    if caller.state == "write_only":
        return MISSING_PERMISSION
    return {"id": found.id, "name": found.name}


def _debug_token(state: State, asked: Asked) -> dict[str, Any] | GraphError:
    caller = _caller(state, asked)
    if isinstance(caller, GraphError):
        return caller
    secret = asked.params.get("input_token")
    if not isinstance(secret, str) or not secret:
        return parameter_error("The parameter input_token is required")
    token = state.world.token(secret)
    if token is None:
        return {"data": {"is_valid": False, "scopes": [], "error": _brief(TOKEN_UNKNOWN)}}
    scopes = ["read_ads_dataset_quality"] if token.state == "write_only" else sorted(token.scopes)
    shown: dict[str, Any] = {
        "type": "SYSTEM_USER",
        "application": "Sandbox",
        "expires_at": _epoch(token.expires_at),
        "data_access_expires_at": _epoch(token.data_access_expires_at),
        "scopes": scopes,
    }
    error = {"expired": TOKEN_EXPIRED, "revoked": TOKEN_REVOKED}.get(token.state)
    return {"data": shown | ({"is_valid": True} if error is None else {"is_valid": False, "error": _brief(error)})}


def _epoch(moment: datetime | None) -> int:
    """0 is Meta's way to say never."""
    return 0 if moment is None else int(moment.timestamp())


def _brief(error: GraphError) -> dict[str, Any]:
    return {"code": error.code, "subcode": error.subcode, "message": error.message}


def _caller(state: State, asked: Asked) -> Token | GraphError:
    served = judge.version(asked)
    return served if isinstance(served, GraphError) else judge.token(state.world, asked)


def _reply(state: State, asked: Asked, found: dict[str, Any] | GraphError) -> Response:
    answer = refusal(found, new_fbtrace_id()) if isinstance(found, GraphError) else as_json(found)
    return respond(state, answer, asked)


def no_such_route(error: HTTPException) -> Response:
    """What Flask would answer with an HTML page, as Graph answers it."""
    if isinstance(error, RequestEntityTooLarge):
        wrong = GraphError("The request is too large.", 1, status=413)
    elif request.method == "GET" and request.path.endswith("/events"):
        wrong = object_missing(request.path.split("/")[-2], "get")
    else:
        wrong = unknown_path(request.path)
    answer: Answer = refusal(wrong, new_fbtrace_id())
    return Response(answer.body, answer.status, dict(answer.headers))
