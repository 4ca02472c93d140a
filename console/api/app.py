"""The Flask application of the API: a smaller one beside the pages', with errors, doors and headers of its own."""

import json
from importlib.metadata import version
from typing import Any

from flask import Flask, Response, abort, request
from flask_smorest import Api

from console.api import caller, problems
from console.api.alerts import alerts
from console.api.caller import needs
from console.api.contacts import contacts
from console.api.conversions import conversions
from console.api.deliveries import deliveries
from console.api.figures import figures
from console.api.imports import imports
from console.api.rules import rules
from console.api.setup import setup
from console.api.spend import spend
from console.api.viewer import viewer
from console.web import runtime as runtimes
from console.web.runtime import Runtime

#: Where the pages' application hands over.
MOUNT = "/api"
_MOST_BYTES = 3 * 1024 * 1024
_BLUEPRINTS = (figures, spend, conversions, contacts, deliveries, alerts, rules, imports, setup)
_ABOUT = """What became of everything that was received and reported, within the workspace of a key.

Lists go in pages: give `next_cursor` back as `cursor`. `format=csv`, or the header `Accept: text/csv`, gives the same
rows as a table. Answers carry an `ETag`: send it as `If-None-Match` when you poll. Times have zones, days are those of
the ad account's zone, and money is text with its currency beside it.
"""
_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "item": {"type": "integer"},
                    "field": {"type": "string"},
                    "problem": {"type": "string"},
                },
            },
        },
    },
}


class _Api(Api):
    """flask-smorest without its own error handlers and documents: problems.py and `_document` are ours."""

    def _register_error_handlers(self) -> None:
        return


def create_api(runtime: Runtime) -> Flask:
    """The WSGI application, to be mounted at MOUNT."""
    app = Flask("console.api", static_folder=None)
    app.config.update(
        API_TITLE="CTWA attribution: results",
        API_VERSION=version("ctwa-attribution"),
        OPENAPI_VERSION="3.1.0",
        TRUSTED_HOSTS=runtime.hosts,
        MAX_CONTENT_LENGTH=_MOST_BYTES,
    )
    runtimes.install(app, runtime)
    app.before_request(_check_text)
    caller.install(app)
    api = _Api(app, spec_kwargs={"info": {"description": _ABOUT}})
    for blueprint in _BLUEPRINTS:
        api.register_blueprint(blueprint, url_prefix="/v1")
    problems.install(app)
    document = json.dumps(_document(api))

    @app.get("/v1/openapi.json")
    @needs(None)
    def openapi() -> Response:
        return Response(document, content_type="application/json")

    app.add_url_rule("/docs", view_func=needs(None)(viewer))

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        # Kept by whoever asked, and asked for again with its ETag.
        response.headers["Cache-Control"] = "private, no-cache"
        response.vary.update(("Accept", "Authorization", "Cookie"))
        if request.method == "GET" and response.status_code == 200:
            response.add_etag()
            response.make_conditional(request)
        return response

    return app


def _check_text() -> None:
    """Postgres takes no NUL in a text. What is in a body, its fields refuse by name."""
    if any("\0" in text for texts in request.args.listvalues() for text in texts):
        abort(422, "A parameter holds a NUL character, which no text has. Leave it out.")


def _document(api: Api) -> dict[str, Any]:
    """The OpenAPI document: with the key that each operation needs, and problems as they are answered."""
    api.spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    api.spec.components.schema("Problem", _PROBLEM)
    document: dict[str, Any] = api.spec.to_dict()
    document["paths"] = {f"{MOUNT}{path}": operations for path, operations in document["paths"].items()}
    refusal = {
        "description": "A problem, and what to do about it.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            good = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
            operation["responses"] = {**good, "default": refusal}
            operation["security"] = [{"key": []}]
            if any(one.get("name") == "format" for one in operation.get("parameters", [])):
                good["200"]["content"]["text/csv"] = {"schema": {"type": "string"}}
            operation["operationId"] = f"{method}{path.replace('/', '_')}".replace("{", "").replace("}", "")
    return document
