"""Errors as problem details (RFC 9457): what is wrong, in which field, and what to do."""

import json
import traceback
from collections.abc import Sequence
from typing import Any

import psycopg
from flask import Flask, Response
from psycopg_pool import PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed, UnprocessableEntity

from console.errors import ConflictError, ConsoleError, NotFoundError, UnavailableError, flatten
from shared.logs import get_logger

log = get_logger(__name__)
_STATUS = ((NotFoundError, 404), (ConflictError, 409), (UnavailableError, 503))
#: Seconds after which the same call has a chance.
_WAIT = {429: "30", 503: "5"}
_AWAY = "The database can't be reached. Webhooks and reports are still taken in; send the same request again."


def problem(status: int, detail: str, *, errors: Sequence[dict[str, Any]] = ()) -> Response:
    """One problem as an answer."""
    title = Response(status=status).status.partition(" ")[2].capitalize()
    content: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors:
        content["errors"] = list(errors)
    response = Response(json.dumps(content), status=status, content_type="application/problem+json")
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if wait := _WAIT.get(status):
        response.headers["Retry-After"] = wait
    return response


def install(app: Flask) -> None:
    """Answers every error with a problem. To be called after flask-smorest has set its own handlers."""

    @app.errorhandler(HTTPException)
    def known(error: HTTPException) -> Response:
        if isinstance(error, UnprocessableEntity) and (messages := getattr(error, "data", {}).get("messages")):
            errors = [
                {"field": line.partition(": ")[0], "problem": line.partition(": ")[2]} for line in _lines(messages)
            ]
            return problem(422, "Correct the fields under errors.", errors=errors)
        response = problem(error.code or 500, error.description or "")
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    @app.errorhandler(RecursionError)
    def too_deep(_error: RecursionError) -> Response:
        # What is read of a request is flat; only a body that was made for it nests as deep as Python's stack.
        return problem(400, "The body is nested too deeply to be read.")

    @app.errorhandler(ValueError)
    def no_number(error: ValueError) -> Response:
        # Python reads no integer of more than 4,300 digits, and its reader of JSON says so as it comes.
        if traceback.extract_tb(error.__traceback__)[-1].filename != json.decoder.__file__:
            return unexpected(error)
        return problem(400, "A number in the body has too many digits to be read.")

    @app.errorhandler(ConsoleError)
    def refused(error: ConsoleError) -> Response:
        return problem(next((status for kind, status in _STATUS if isinstance(error, kind)), 422), str(error))

    @app.errorhandler(PoolTimeout)
    @app.errorhandler(psycopg.OperationalError)
    def away(error: Exception) -> Response:
        log.warning("Postgres is away", error=type(error).__name__)
        return problem(503, _AWAY)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        # An exception's text may hold what came in; where it happened says enough.
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("call failed", error=type(error).__name__, at=f"{place.filename}:{place.lineno}")
        return problem(500, "This is a defect of the console. Its log says where it happened.")


def _lines(messages: Any) -> list[str]:
    """marshmallow's messages, without the part of the request they are of."""
    return [line for of_part in messages.values() for line in flatten(of_part if isinstance(of_part, dict) else {})]
