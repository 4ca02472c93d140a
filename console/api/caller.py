"""Who calls the API: a key, for its workspace; or a person who is logged in, for reading."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar

import psycopg
from flask import Flask, abort, g, request

from console.team.roles import Role
from console.team.sessions import find_session, person_of
from console.web import cookies
from console.web.runtime import database, runtime
from console.web.turns import begin_turn, end_turns
from shared.api_keys import bearer_key, hash_key
from shared.db.api_keys import live_api_key
from shared.db.submissions import touch_api_keys
from shared.domain.api_scopes import Scope

V = TypeVar("V", bound=Callable[..., Any])
_MARK = "needed_scope"
#: The last use of a key is written down once in this time at most.
_USE_NOTED = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """For whom answers are made. `role`: a person's, None for a key; `only_tests`: a key for tests."""

    workspace: str
    actor: str
    role: Role | None = None
    only_tests: bool = False


def needs(scope: Scope | None) -> Callable[[V], V]:
    """Marks a view with the scope that a key needs for it; None: anyone, without a key."""

    def mark(view: V) -> V:
        setattr(view, _MARK, scope)
        return view

    return mark


def caller() -> Caller:
    """Who is asking. For views that ask for a scope."""
    found = g.caller
    assert isinstance(found, Caller)
    return found


def install(app: Flask) -> None:
    """Lets nobody in who has no business here."""

    @app.before_request
    def guard() -> None:
        g.caller = None
        if request.endpoint is None:
            return
        scope = getattr(app.view_functions[request.endpoint], _MARK, Scope.RESULTS_READ)
        if scope is None:
            return
        with database() as conn:
            g.caller = _by_key(conn, scope) if "Authorization" in request.headers else _by_session(conn, scope)
        if not begin_turn(runtime().turns, g.caller.actor):
            abort(429, "Too many calls are under way. Make fewer at once, and send this one again.")

    end_turns(app)


def _by_key(conn: psycopg.Connection[Any], scope: Scope) -> Caller:
    text = bearer_key(request.headers["Authorization"])
    key = live_api_key(conn, hash_key(text)) if text else None
    if key is None:
        _refuse(401, "The key is unknown or revoked. `ctwa api-keys list` shows those there are.")
    if scope not in key.scopes:
        _refuse(403, f"The key lacks the scope {scope}. `ctwa api-keys create --scope {scope}` makes one that has it.")
    now = datetime.now(UTC)
    if key.last_used_at is None or now - key.last_used_at > _USE_NOTED:
        touch_api_keys(conn, [(key.id, now)])
    return Caller(workspace=key.workspace, actor=f"api_key:{key.id}", only_tests=key.is_test)


def _by_session(conn: psycopg.Connection[Any], scope: Scope) -> Caller:
    token = cookies.session_token()
    session = find_session(conn, token) if token else None
    person = person_of(conn, session) if session else None
    if person is None:
        _refuse(401, "Send the header Authorization: Bearer ctwa_… with a key from `ctwa api-keys create`.")
    if scope is not Scope.RESULTS_READ or request.method not in ("GET", "HEAD"):
        abort(403, "A person's session reads only. Use a key.")
    wanted = request.args.get("workspace")
    found = next((one for one in person.memberships if wanted in (None, one.workspace)), None)
    if found is None:
        abort(404, "You are not a member of that workspace.")
    return Caller(workspace=found.workspace, actor=person.actor, role=Role(found.role))


def _refuse(status: int, words: str) -> NoReturn:
    """Refuses a call; an address that was refused too often is told to wait. A good key is let in all the same."""
    if not runtime().refusals.allow(request.remote_addr or ""):
        abort(429, "Too many calls of this address were refused. Wait half a minute, then send a key that is good.")
    abort(status, words)
