"""Alerts for people: looking, acknowledging, resolving, thresholds, and the routes they are told by. Doors call this.

Whoever calls has checked that the actor may; `workspaces` is what they may see, None for everything.
"""

import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError
from shared.crypto import KeyRing
from shared.db import alerts as table
from shared.db import audit
from shared.db.alert_notices import insert_notice, last_notices, notice_by_id
from shared.db.alert_routes import (
    Route,
    Target,
    all_routes,
    delete_route,
    insert_route,
    route_by_name,
    seal_target,
)
from shared.db.alerts import Alert, alerts_by_ids, rule_settings
from shared.db.workspaces import all_workspaces
from shared.domain.alerts import KINDS, effective, in_words, next_step
from shared.domain.reasons import explain
from shared.ids import uuid7
from shared.mailbox import is_mailbox
from shared.outbound import RefusedURLError, check_url
from shared.signing import is_secret, new_secret

_NAME = re.compile(r"\w[\w .@+-]{0,63}")


def described(alert: Alert) -> dict[str, Any]:
    """One alert, JSON-ready: its columns, and what it means in `title`, `words` and `next_step`."""
    return {
        **alert.__dict__,
        "title": KINDS[alert.kind].title if alert.kind in KINDS else alert.kind,
        "words": in_words(alert.kind, alert.subject, alert.detail),
        "next_step": next_step(alert.kind, alert.detail),
    }


def alert_with(conn: psycopg.Connection[Any], alert_id: int, *, workspaces: Collection[str] | None = None) -> Alert:
    """The alert of this id. Raises NotFoundError, also for one of another workspace."""
    found = alerts_by_ids(conn, [alert_id])
    if not found or (workspaces is not None and found[0].workspace not in workspaces):
        raise NotFoundError(f"There is no alert {alert_id}. `ctwa alerts --all` lists those there were.")
    return found[0]


def acknowledge(
    conn: psycopg.Connection[Any], alert_id: int, *, actor: str, workspaces: Collection[str] | None = None
) -> bool:
    """Notes that somebody looks after it, which ends its reminders; False if it was so, or over. NotFoundError."""
    alert = alert_with(conn, alert_id, workspaces=workspaces)
    return _change(conn, alert, "alert.acknowledge", table.acknowledge(conn, alert.id, by=actor), actor)


def resolve(
    conn: psycopg.Connection[Any], alert_id: int, *, actor: str, workspaces: Collection[str] | None = None
) -> bool:
    """Ends it; False if it was over. What still holds is found again within a minute. Raises NotFoundError."""
    alert = alert_with(conn, alert_id, workspaces=workspaces)
    return _change(conn, alert, "alert.resolve", table.resolve(conn, alert.id, by=actor), actor)


def _change(conn: psycopg.Connection[Any], alert: Alert, action: str, changed: bool, actor: str) -> bool:
    if changed:
        detail = {"kind": alert.kind, "of": alert.subject}
        subject = f"alert:{alert.id}"
        audit.record(conn, actor=actor, action=action, subject=subject, detail=detail, workspace=alert.workspace)
    return changed


def rules(conn: psycopg.Connection[Any], workspace: str | None = None) -> list[dict[str, Any]]:
    """Every kind as it counts in a workspace, or in all without a setting of their own, JSON-ready."""
    settings = rule_settings(conn)
    return [
        {
            "kind": name,
            "title": kind.title,
            "enabled": effective(name, workspace, settings)[0],
            "threshold": effective(name, workspace, settings)[1],
            "unit": kind.unit,
            "default": kind.threshold,
            "changed": (workspace, name) in settings,
        }
        for name, kind in KINDS.items()
    ]


def set_rule(
    conn: psycopg.Connection[Any],
    kind: str,
    *,
    actor: str,
    workspace: str | None = None,
    enabled: bool | None = None,
    threshold: Decimal | None = None,
    default: bool = False,
) -> None:
    """Switches a kind, or moves its threshold (`default`: back to its own); what isn't said stays. Raises InvalidError
    and NotFoundError."""
    if kind not in KINDS:
        raise NotFoundError(f"There is no kind of alert {kind!r}. `ctwa alerts rules` names them.")
    _check_workspace(conn, workspace)
    known = KINDS[kind]
    if threshold is not None:
        if known.threshold is None:
            raise InvalidError(f"{kind} has no threshold: it is on or off.")
        if not threshold.is_finite() or not 0 <= threshold <= Decimal(str(known.most)):
            raise InvalidError(f"The threshold of {kind} is a number from 0 to {known.most:g} ({known.unit}).")
    present = rule_settings(conn).get((workspace, kind))
    kept = None if default or present is None else present.threshold
    is_on = effective(kind, workspace, rule_settings(conn))[0] if enabled is None else enabled
    table.set_rule(
        conn, workspace=workspace, kind=kind, enabled=is_on, threshold=kept if threshold is None else threshold
    )
    audit.record(
        conn,
        actor=actor,
        action="alert_rule.set",
        subject=f"alert_rule:{kind}",
        detail={"enabled": is_on, "threshold": None if threshold is None else str(threshold), "default": default},
        workspace=workspace,
    )


def routes(conn: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """Every route, JSON-ready, with what became of the last message to it; never its address or secret."""
    last = last_notices(conn)
    return [_described_route(route, last.get(route.id)) for route in all_routes(conn)]


def _described_route(route: Route, notice: Any) -> dict[str, Any]:
    shown = {name: getattr(route, name) for name in ("name", "kind", "workspace", "shown", "allow_private", "enabled")}
    last = None
    if notice is not None:
        words = explain(notice.reason).words if notice.reason else None
        last = {"state": notice.state, "at": notice.created_at, "reason": notice.reason, "words": words}
    return {**shown, "last": last}


def add_route(
    conn: psycopg.Connection[Any],
    ring: KeyRing,
    *,
    name: str,
    kind: str,
    address: str,
    actor: str,
    workspace: str | None = None,
    allow_private: bool = False,
    secret: str | None = None,
) -> str | None:
    """Adds a route; the secret that a webhook is signed with, made here unless given, to be shown once.

    Raises InvalidError, NotFoundError and ConflictError.
    """
    if not _NAME.fullmatch(name):
        raise InvalidError("A route's name begins with a letter or digit and has 64 characters at most.")
    _check_workspace(conn, workspace)
    shown = _checked_address(kind, address, allow_private=allow_private)
    if secret is not None and (kind != "webhook" or not is_secret(secret)):
        raise InvalidError("A secret is for webhooks, and like whsec_ with 24 to 64 bytes in base64.")
    if route_by_name(conn, name) is not None:
        raise ConflictError(f"There is a route {name!r} already. Remove it first: ctwa alerts routes remove")
    secrets = (secret or new_secret(),) if kind == "webhook" else ()
    insert_route(
        conn,
        workspace=workspace,
        name=name,
        kind=kind,
        target=seal_target(ring, Target(address=address, secrets=secrets)),
        shown=shown,
        allow_private=allow_private,
        by=actor,
    )
    detail = {"kind": kind, "shown": shown, "allow_private": allow_private}
    subject = f"alert_route:{name}"
    audit.record(conn, actor=actor, action="alert_route.add", subject=subject, detail=detail, workspace=workspace)
    return secrets[0] if secrets else None


def remove_route(conn: psycopg.Connection[Any], name: str, *, actor: str) -> None:
    """Removes a route, and what was still to be sent there. Raises NotFoundError."""
    route = route_named(conn, name)
    delete_route(conn, route.id)
    subject = f"alert_route:{name}"
    audit.record(conn, actor=actor, action="alert_route.remove", subject=subject, workspace=route.workspace)


def test_route(conn: psycopg.Connection[Any], name: str, *, actor: str) -> UUID:
    """Has a test sent to a route by the sweeper; the notice's id, for `outcome_of`. Raises NotFoundError."""
    route = route_named(conn, name)
    notice_id = uuid7()
    insert_notice(conn, notice_id, route.id)
    subject = f"alert_route:{name}"
    audit.record(conn, actor=actor, action="alert_route.test", subject=subject, workspace=route.workspace)
    return notice_id


def outcome_of(conn: psycopg.Connection[Any], notice_id: UUID) -> dict[str, Any] | None:
    """What came of a notice's first try: {arrived, reason, words, next_step}; None while it is not known."""
    notice = notice_by_id(conn, notice_id)
    if notice is None or (notice.state != "sent" and notice.reason is None):
        return None
    if notice.reason is None:
        return {"arrived": True, "reason": None, "words": "It arrived.", "next_step": "Nothing."}
    reason = explain(notice.reason)
    return {"arrived": False, "reason": notice.reason, "words": reason.words, "next_step": reason.next_step}


def route_named(conn: psycopg.Connection[Any], name: str) -> Route:
    """The route of this name. Raises NotFoundError."""
    route = route_by_name(conn, name)
    if route is None:
        raise NotFoundError(f"There is no route {name!r}. `ctwa alerts routes` lists those there are.")
    return route


def _checked_address(kind: str, address: str, *, allow_private: bool) -> str:
    """What of an address anybody may read. Raises InvalidError for one that can't be used."""
    if kind == "email":
        if not is_mailbox(address):
            raise InvalidError("The address must be like ops@example.com; one route for each.")
        mailbox, _, domain = address.partition("@")
        return f"{mailbox[0]}…@{domain}"
    try:
        check_url(address, allow_private=allow_private)
    except RefusedURLError as refused:
        reason = explain(refused.code)
        raise InvalidError(f"{reason.words} {reason.next_step}") from refused
    return re.sub(r"^(https?://[^/?#]+).*$", r"\1/…", address)


def _check_workspace(conn: psycopg.Connection[Any], workspace: str | None) -> None:
    if workspace is not None and workspace not in {one.name for one in all_workspaces(conn)}:
        raise NotFoundError(f"There is no workspace {workspace!r}.")
