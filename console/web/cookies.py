"""The two cookies: the session's id, and Flask's own, which signs what a form carries."""

from flask import Flask, request
from werkzeug.wrappers import Response

from console.team.sessions import LONGEST
from console.web.runtime import Runtime, runtime


def install(app: Flask, runtime: Runtime) -> None:
    """Flask's own cookie. `__Host-` binds it to this very host, which browsers grant by https only."""
    newest, *older = runtime.cookie_keys
    app.config.update(
        SECRET_KEY=newest,
        SECRET_KEY_FALLBACKS=older,
        SESSION_COOKIE_NAME=_name("ctwa-form", runtime),
        SESSION_COOKIE_SECURE=runtime.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def session_token() -> str | None:
    """The session's id that came with this request."""
    return request.cookies.get(_name("ctwa-session", runtime()))


def keep_session(response: Response, token: str) -> None:
    """Has the browser keep a session's id."""
    response.set_cookie(
        _name("ctwa-session", runtime()),
        token,
        max_age=LONGEST,
        secure=runtime().secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def drop_session(response: Response) -> None:
    """Has the browser forget the session's id."""
    response.delete_cookie(
        _name("ctwa-session", runtime()), path="/", secure=runtime().secure, httponly=True, samesite="Lax"
    )


def _name(name: str, runtime: Runtime) -> str:
    return f"__Host-{name}" if runtime.secure else name
