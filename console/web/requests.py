"""One line in the log for each request: which route, never which URL, since a URL may hold a one-time link."""

import secrets
import time

from flask import Flask, Response, g, request

from shared.logs import get_logger

log = get_logger(__name__)
_SILENT = ("static", "health.healthz", "health.readyz")


def install(app: Flask) -> None:
    """Numbers each request, so that an error page and a log line can be brought together."""

    @app.before_request
    def begin() -> None:
        g.request_id = secrets.token_hex(6)
        g.began = time.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        if request.endpoint in _SILENT or "began" not in g:
            return response
        log.info(
            "request",
            request_id=g.request_id,
            method=request.method,
            route=request.url_rule.rule if request.url_rule else None,
            status=response.status_code,
            milliseconds=round((time.monotonic() - g.began) * 1000),
            user_id=g.person.id if g.get("person") else None,
            workspace_id=g.get("workspace_id"),
        )
        return response
