"""What every answer carries and every request must show: headers, trusted hosts, where a form was sent from."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request
from flask_wtf.csrf import CSRFProtect

from console.web.runtime import Runtime

View = TypeVar("View", bound=Callable[..., Any])
csrf = CSRFProtect()
#: What a file may have that is uploaded; a command takes larger ones.
LARGEST_FILE = 5 * 1024 * 1024
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_YEAR = 365 * 24 * 3600


def install(app: Flask, runtime: Runtime) -> None:
    """Hosts, headers, CSRF tokens, and the check of the Origin."""
    app.config.update(
        TRUSTED_HOSTS=runtime.hosts,
        MAX_CONTENT_LENGTH=1024 * 1024,
        # A token lives as long as the form's cookie: a page may stay open overnight.
        WTF_CSRF_TIME_LIMIT=None,
        # The Referer is never sent (see the headers); the Origin is looked at below.
        WTF_CSRF_SSL_STRICT=False,
    )
    app.before_request(lambda: _allow_file(app))
    app.before_request(lambda: _check_origin(runtime.scheme))
    app.before_request(_check_text)
    csrf.init_app(app)

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if runtime.secure:
            response.headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response


def takes_file(view: View) -> View:
    """Marks a view that takes a file: its body may be larger than a form's."""
    view.takes_file = True  # type: ignore[attr-defined]
    return view


def _allow_file(app: Flask) -> None:
    if request.endpoint and getattr(app.view_functions[request.endpoint], "takes_file", False):
        request.max_content_length = LARGEST_FILE + 1024 * 1024
        # A file that was looked at comes back with the form, packed.
        request.max_form_memory_size = LARGEST_FILE


def _check_text() -> None:
    """Postgres takes no NUL in a text, and nobody types one."""
    if any("\0" in text for texts in request.values.listvalues() for text in texts) or "\0" in request.path:
        abort(400)


def _check_origin(scheme: str) -> None:
    """A form of ours is sent from a page of ours. Browsers say so; whoever says nothing has no cookies to misuse."""
    if request.method in _SAFE:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        # Browsers send "Origin: null" from pages that send no Referer, so this header is asked first.
        if site != "same-origin":
            abort(403, "cross-site")
        return
    origin = request.headers.get("Origin")
    if origin is not None:
        parts = urlsplit(origin)
        if parts.scheme != scheme or parts.netloc != request.host:
            abort(403, "cross-site")
