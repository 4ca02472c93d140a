"""Error pages: what happened, in words, and what to do. Nothing of what came in is shown again."""

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import psycopg
from flask import Flask, Response, current_app, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.csrf import CSRFError
from psycopg_pool import PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError

from console.errors import ConflictError, ConsoleError, NotFoundError, UnavailableError
from console.web.said import said
from shared.logs import get_logger

log = get_logger(__name__)
P = ParamSpec("P")

#: Status -> title, and what to do.
_PAGES = {
    400: (
        lazy_gettext("This request can't be read"),
        lazy_gettext("Go back, reload the page and try again."),
    ),
    403: (
        lazy_gettext("This isn't allowed"),
        lazy_gettext("Your role in this workspace does not allow it. An owner of the workspace can change that."),
    ),
    404: (
        lazy_gettext("There is nothing here"),
        lazy_gettext("It may have been moved or deleted, or it belongs to a workspace that you are not a member of."),
    ),
    405: (lazy_gettext("There is nothing here"), lazy_gettext("Open the page from the navigation.")),
    413: (lazy_gettext("This is too large"), lazy_gettext("Send less at once.")),
    429: (
        lazy_gettext("This is too much at once"),
        lazy_gettext("Wait until the pages that you have asked for are there, then try again."),
    ),
    503: (
        lazy_gettext("The database can't be reached"),
        lazy_gettext("Webhooks are still taken in. Try again in a minute; if it stays, look at Postgres."),
    ),
}
_UNEXPECTED = (
    lazy_gettext("Something went wrong"),
    lazy_gettext("This is a defect of the console. Nothing was changed. Its number is in the log, with what happened."),
)
_FORM = (
    lazy_gettext("This form is no longer valid"),
    lazy_gettext("It was open for too long, or cookies are blocked. Go back, reload the page and try again."),
)
_STATUS = ((NotFoundError, 404), (ConflictError, 409), (UnavailableError, 503))


def install(app: Flask) -> None:
    """Answers every error with a page."""

    @app.errorhandler(CSRFError)
    def form(error: CSRFError) -> ResponseReturnValue:
        return _page(400, *_FORM)

    @app.errorhandler(SecurityError)
    def other_name(error: SecurityError) -> ResponseReturnValue:
        # Without a host that is ours no page of ours can be addressed.
        return Response("This console is served under the name in CONSOLE_URL only.\n", 400, content_type="text/plain")

    @app.errorhandler(HTTPException)
    def known(error: HTTPException) -> ResponseReturnValue:
        if error.code is None or error.code < 400:
            return error.get_response()
        return _page(error.code, *_PAGES.get(error.code, _UNEXPECTED if error.code >= 500 else _PAGES[400]))

    @app.errorhandler(ConsoleError)
    def refused(error: ConsoleError) -> ResponseReturnValue:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 422)
        return _page(status, gettext("This can't be done"), said_error(error))

    @app.errorhandler(PoolTimeout)
    @app.errorhandler(psycopg.OperationalError)
    def away(error: Exception) -> ResponseReturnValue:
        log.warning("Postgres is away", request_id=g.get("request_id"), error=type(error).__name__)
        return _page(503, *_PAGES[503])

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        # An exception's text may hold what came in; where it happened says enough.
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error(
            "request failed",
            request_id=g.get("request_id"),
            error=type(error).__name__,
            at=f"{place.filename}:{place.lineno}",
        )
        return _page(500, *_UNEXPECTED)


def said_error(error: ConsoleError) -> str:
    """What an error tells, in the language of the page."""
    return said(error.args[0] if error.args else "")


def back_to(endpoint: str) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """For a view that only acts: what a person can mend is shown on the page they came from.

    Parts of the path that both pages have, such as an id, go along.
    """

    def decorate(view: Callable[P, Any]) -> Callable[P, Any]:
        @wraps(view)
        def run(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return view(*args, **kwargs)
            except ConsoleError as error:
                flash(said_error(error), "error")
                shared = {
                    name: value
                    for name, value in (request.view_args or {}).items()
                    if current_app.url_map.is_endpoint_expecting(endpoint, name)
                }
                return redirect(url_for(endpoint, **shared), 303)

        return run

    return decorate


def _page(status: int, title: Any, what_to_do: Any) -> ResponseReturnValue:
    template = "error_fragment.html" if request.headers.get("HX-Request") else "error.html"
    return render_template(template, status=status, title=title, what_to_do=what_to_do), status
