"""The Flask application of the public ingress."""

import traceback

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from receiver import metrics
from receiver.api import CallDoor, calls
from receiver.health import Readiness
from receiver.webhooks import Door, webhooks
from shared.logs import get_logger

log = get_logger(__name__)

_ABOUT = """This address takes the webhooks of WhatsApp providers, at /webhooks/<channel key>.
`ctwa channels list` shows the keys. What a business reports is posted to /v1/conversions and its like, with a key
from `ctwa api-keys create`; /v1/openapi.json describes it. Health: /healthz, /readyz.
"""


def create_app(door: Door, call_door: CallDoor, readiness: Readiness) -> Flask:
    """The WSGI application; it answers 200 to a webhook only after its commit, under any server."""
    app = Flask("receiver", static_folder=None)
    # A provider that is redirected doesn't follow.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.register_blueprint(webhooks(door))
    app.register_blueprint(calls(call_door))

    @app.get("/")
    def about() -> Response:
        return Response(_ABOUT, content_type="text/plain; charset=utf-8")

    @app.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", content_type="text/plain; charset=utf-8")

    @app.get("/readyz")
    def readyz() -> Response:
        state = readiness.state()
        return Response(state.as_json(), status=200 if state.ready else 503, content_type="application/json")

    @app.errorhandler(HTTPException)
    def plain(error: HTTPException) -> Response:
        response = Response(status=error.code or 500, content_type="text/plain; charset=utf-8")
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        # An exception's text may hold what came in; where it happened says enough.
        place = traceback.extract_tb(error.__traceback__)[-1]
        metrics.REFUSED.labels("error").inc()
        log.error("request failed", error=type(error).__name__, at=f"{place.filename}:{place.lineno}")
        return Response(status=500)

    return app
