"""The Flask application: the Graph routes, the control routes and the page, over one state."""

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from sandbox import control, events, graph, insights, page
from sandbox.state import State

MAX_BODY = 64 * 1024 * 1024


class VersionSegment(BaseConverter):
    """The first segment of a Graph path: anything but the control prefix."""

    regex = r"(?!__sandbox/)[^/]+"


def create_app(state: State) -> Flask:
    """The WSGI application over this state."""
    app = Flask(__name__, template_folder="pages", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY, MAX_FORM_MEMORY_SIZE=MAX_BODY)
    app.extensions["sandbox"] = state
    app.url_map.converters["version"] = VersionSegment
    for module in (page, control, events, insights, graph):
        app.register_blueprint(module.blueprint)
    app.register_error_handler(HTTPException, _http_error)
    return app


def _http_error(error: HTTPException) -> Response:
    if request.path.startswith(control.PREFIX):
        return control.http_error(error)
    return graph.no_such_route(error)
