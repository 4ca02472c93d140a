"""Endpoints of outgoing webhooks: adding, changing, testing and removing them, and what became of notifications."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError
from shared.crypto import KeyRing
from shared.db import audit
from shared.db.endpoints import (
    EVENTS,
    INCLUDES,
    Endpoint,
    all_endpoints,
    delete_endpoint,
    disable_endpoint,
    enable_endpoint,
    endpoint_by_name,
    insert_endpoint,
    seal_secrets,
    update_endpoint,
)
from shared.db.endpoints import open_secrets as open_stored
from shared.db.notifications import Notification, insert_test, list_notifications, retry_notifications
from shared.db.workspaces import all_workspaces
from shared.domain.reasons import explain
from shared.outbound import RefusedURLError, check_url
from shared.signing import is_secret, new_secret

#: How long the secret before signs as well.
ROTATION_HOURS = 24
_FIELDS = ("url", "events", "include", "allow_private")


def add_endpoint(
    conn: psycopg.Connection[Any],
    ring: KeyRing,
    name: str,
    *,
    workspace: str,
    url: str,
    events: Sequence[str] = (),
    include: Sequence[str] = (),
    allow_private: bool = False,
    secret: str | None = None,
    actor: str,
) -> str:
    """Adds an endpoint and returns its secret, which is shown this once. `events` empty: all of them.

    Raises InvalidError, ConflictError, and NotFoundError for an unknown workspace.
    """
    if workspace not in {one.name for one in all_workspaces(conn)}:
        raise NotFoundError(f"There is no workspace {workspace!r}.")
    if not name.strip() or len(name) > 100:
        raise InvalidError("A name has 1 to 100 characters.")
    if endpoint_by_name(conn, workspace, name) is not None:
        raise ConflictError(f"There is an endpoint {name!r} already. `ctwa endpoints set` changes it.")
    values = {
        "url": url,
        "events": list(events) or list(EVENTS),
        "include": list(include),
        "allow_private": allow_private,
    }
    _check(values)
    secret = _secret(secret)
    endpoint_id = insert_endpoint(
        conn, {**values, "workspace": workspace, "name": name, "secrets": seal_secrets(ring, [secret]),
               "created_by": actor},
    )  # fmt: skip
    _audit(conn, actor, "endpoint.add", workspace, name, {**_shown(values), "id": endpoint_id})
    return secret


def change_endpoint(
    conn: psycopg.Connection[Any],
    workspace: str,
    name: str,
    changes: Mapping[str, Any],
    *,
    enabled: bool | None = None,
    actor: str,
) -> dict[str, tuple[Any, Any]]:
    """Changes what `changes` names of url, events, include and allow_private, and switches it; what changed, as
    field -> (before, after).

    Raises NotFoundError and InvalidError.
    """
    endpoint = endpoint_named(conn, workspace, name)
    before = {field: getattr(endpoint, field) for field in _FIELDS}
    _check({**before, **changes})
    differing = {field: (before[field], value) for field, value in changes.items() if before[field] != value}
    update_endpoint(conn, endpoint.id, {field: value for field, (_, value) in differing.items()})
    is_enabled = endpoint.disabled_at is None
    if enabled is not None and enabled is not is_enabled:
        differing["enabled"] = (is_enabled, enabled)
        if enabled:
            enable_endpoint(conn, endpoint.id)
        else:
            disable_endpoint(conn, endpoint.id, "switched_off")
    if differing:
        shown = {field: [_plain(field, value) for value in pair] for field, pair in differing.items()}
        _audit(conn, actor, "endpoint.change", workspace, name, {"changes": shown})
    return differing


def rotate_secret(
    conn: psycopg.Connection[Any], ring: KeyRing, workspace: str, name: str, *, secret: str | None = None, actor: str
) -> str:
    """Gives an endpoint a new secret, returned once; for a day the one before signs as well. Raises NotFoundError."""
    endpoint = endpoint_named(conn, workspace, name)
    new = _secret(secret)
    previous = open_stored(ring, endpoint)[:1]
    row = conn.execute("select now() + make_interval(hours => %s)", [ROTATION_HOURS]).fetchone()
    assert row is not None
    update_endpoint(conn, endpoint.id, {"secrets": seal_secrets(ring, [new, *previous]), "previous_until": row[0]})
    _audit(conn, actor, "endpoint.rotate", workspace, name, {})
    return new


def remove_endpoint(conn: psycopg.Connection[Any], workspace: str, name: str, *, actor: str) -> None:
    """Removes an endpoint and its notifications. Raises NotFoundError."""
    endpoint = endpoint_named(conn, workspace, name)
    delete_endpoint(conn, endpoint.id)
    _audit(conn, actor, "endpoint.remove", workspace, name, {})


def test_endpoint(conn: psycopg.Connection[Any], workspace: str, name: str, *, actor: str) -> UUID:
    """Writes a test notification, which the workers post; its id. Raises NotFoundError and ConflictError."""
    endpoint = endpoint_named(conn, workspace, name)
    if endpoint.disabled_at is not None:
        raise ConflictError(f"It is disabled. First: ctwa endpoints set {name} --enabled")
    _audit(conn, actor, "endpoint.test", workspace, name, {})
    return insert_test(conn, endpoint.id)


def endpoint_named(conn: psycopg.Connection[Any], workspace: str, name: str) -> Endpoint:
    """The endpoint of that name. Raises NotFoundError."""
    endpoint = endpoint_by_name(conn, workspace, name)
    if endpoint is None:
        raise NotFoundError(f"Workspace {workspace!r} has no endpoint {name!r}. `ctwa endpoints list` names them.")
    return endpoint


def described(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as JSON-ready values, without its secret; what is wrong with it in plain words."""
    reason = explain(endpoint.disabled_reason) if endpoint.disabled_reason else None
    problem = explain(endpoint.last_problem) if endpoint.last_problem else None
    return {
        "workspace": endpoint.workspace,
        "name": endpoint.name,
        "url": endpoint.url,
        "events": endpoint.events,
        "include": endpoint.include,
        "allow_private": endpoint.allow_private,
        "enabled": endpoint.disabled_at is None,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": endpoint.failing_since,
        "last_problem": endpoint.last_problem,
        "words": (reason and reason.words) or (problem and problem.words),
        "next_step": (reason and reason.next_step) or (problem and problem.next_step),
        "last_arrived_at": endpoint.last_arrived_at,
        "old_secret_until": endpoint.previous_until if endpoint.signs_twice else None,
    }


def notifications(
    conn: psycopg.Connection[Any], *, workspace: str | None, name: str | None, states: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """Notifications as JSON-ready values, newest first. Raises NotFoundError for an unknown endpoint."""
    endpoints = _endpoints(conn, workspace, name)
    found = list_notifications(conn, endpoint_ids=list(endpoints), states=states, limit=limit)
    return [_notification(one, endpoints[one.endpoint_id]) for one in found]


def tell_again(
    conn: psycopg.Connection[Any],
    *,
    workspace: str | None,
    name: str | None,
    ids: Sequence[UUID],
    limit: int,
    actor: str,
) -> int:
    """Has failed and waiting notifications tried again now; how many. Raises NotFoundError for an unknown endpoint."""
    endpoints = _endpoints(conn, workspace, name)
    moved = retry_notifications(conn, endpoint_ids=list(endpoints), ids=ids, limit=limit)
    if moved:
        audit.record(conn, actor=actor, action="notifications.retry", subject="notifications", detail={"count": moved})
    return moved


def _endpoints(conn: psycopg.Connection[Any], workspace: str | None, name: str | None) -> dict[int, Endpoint]:
    found = {one.id: one for one in all_endpoints(conn, workspace) if name in (None, one.name)}
    if name is not None and not found:
        raise NotFoundError(f"There is no endpoint {name!r}. `ctwa endpoints list` names them.")
    return found


def _notification(one: Notification, endpoint: Endpoint) -> dict[str, Any]:
    reason = explain(one.reason) if one.reason else None
    return {
        "id": one.id,
        "endpoint": endpoint.name,
        "workspace": endpoint.workspace,
        "event": one.event,
        "contact": one.contact_id,
        "conversion": one.conversion_id,
        "delivery": one.delivery_id,
        "occurred_at": one.occurred_at,
        "state": one.state,
        "attempts": one.attempts,
        "next_attempt_at": one.next_attempt_at,
        "last_status": one.last_status,
        "reason": one.reason,
        "words": reason and reason.words,
        "next_step": reason and reason.next_step,
        "finished_at": one.finished_at,
    }


def _check(values: Mapping[str, Any]) -> None:
    try:
        check_url(values["url"], allow_private=values["allow_private"])
    except RefusedURLError as refused:
        reason = explain(refused.code)
        raise InvalidError(f"{reason.words} {reason.next_step}") from None
    for field, known in (("events", EVENTS), ("include", INCLUDES)):
        if unknown := sorted(set(values[field]) - set(known)):
            raise InvalidError(f"There is no {', '.join(unknown)} to {field}: it can be {', '.join(known)}.")
    if not values["events"]:
        raise InvalidError(f"Say at least one event: {', '.join(EVENTS)}.")


def _secret(given: str | None) -> str:
    if given is None:
        return new_secret()
    if not is_secret(given):
        raise InvalidError("A secret begins with whsec_ and holds 24 to 64 bytes in base64. Without one, it is made.")
    return given


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: _plain(field, value) for field, value in values.items()}


def _plain(field: str, value: Any) -> Any:
    # An address may hold a secret in its path, as chat systems' do.
    return "[address]" if field == "url" else value


def _audit(
    conn: psycopg.Connection[Any], actor: str, action: str, workspace: str, name: str, detail: Mapping[str, Any]
) -> None:
    detail = {"workspace": workspace, **detail}
    audit.record(conn, actor=actor, action=action, subject=f"endpoint:{name}", detail=detail)
