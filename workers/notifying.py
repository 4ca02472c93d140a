"""Telling endpoints: claims notifications of one endpoint, posts each signed, and writes down what came of it.

The lease is committed before the POST and the outcome after it, with no transaction open between. A process that dies
in between has its notifications posted again: whoever takes them tells by `webhook-id`.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

from shared import outbound
from shared.crypto import CannotDecrypt
from shared.db import audit
from shared.db.endpoints import Endpoint, disable_endpoint, endpoint_by_id, note_arrival, note_failure, open_secrets
from shared.db.notifications import (
    Notification,
    campaign_of,
    claim_notifications,
    facts_of,
    release_notifications,
    settle_notification,
)
from shared.db.persons import contact_group, identities_of
from shared.db.pool import server_time
from shared.domain.notifications import DISABLE_SECONDS, GIVE_UP_SECONDS, body_of, rest_after, wait_after
from shared.logs import get_logger
from shared.outbound import Reply
from shared.queue import Work
from shared.signing import signed_headers
from workers.runtime import Runtime

log = get_logger(__name__)

DRAIN_SECONDS = 20
#: More than ten tries take that each use up their wall clock.
LEASE_SECONDS = 10 * outbound.SECONDS + 30
GONE = 410
_RNG = random.SystemRandom()

Post = Callable[..., Reply]


def drain(runtime: Runtime, *, seconds: float = DRAIN_SECONDS, post: Post = outbound.post) -> int:
    """Posts what is due until there is nothing or `seconds` are over; how many arrived."""
    runtime.bell.answer(Work.NOTIFYING)
    ends = time.monotonic() + seconds
    arrived = 0
    while time.monotonic() < ends and not runtime.stopping.is_set():
        token = uuid4()
        with runtime.pool.connection() as conn:
            claimed = claim_notifications(conn, token=token, lease_seconds=LEASE_SECONDS)
            endpoint = endpoint_by_id(conn, claimed[0].endpoint_id) if claimed else None
        if endpoint is None:
            return arrived
        # Several workers post to several endpoints side by side.
        runtime.bell.ring(Work.NOTIFYING)
        for notification in claimed:
            if time.monotonic() > ends or not _tell(runtime, endpoint, notification, token, post):
                break
            arrived += 1
        with runtime.pool.connection() as conn:
            release_notifications(conn, token)
    runtime.bell.ring(Work.NOTIFYING)
    return arrived


def _tell(runtime: Runtime, endpoint: Endpoint, notification: Notification, token: UUID, post: Post) -> bool:
    """One try; whether it arrived. After one that didn't the endpoint rests, and the others of the claim wait."""
    reply = _post(runtime, endpoint, notification, post)
    with runtime.pool.connection() as conn:
        old = (server_time(conn) - notification.created_at).total_seconds() > GIVE_UP_SECONDS
        state = "arrived" if reply.problem is None else "failed" if old else "pending"
        settle_notification(
            conn,
            notification.id,
            token,
            state=state,
            reason=reply.problem,
            status=reply.status,
            delay_seconds=wait_after(notification.attempts + 1, _RNG),
        )
        if reply.problem is None:
            note_arrival(conn, endpoint.id)
            return True
        failing = note_failure(conn, endpoint.id, reply.problem, rest_seconds=rest_after(endpoint.failures + 1))
        why = "gone" if reply.status == GONE else "failing" if failing > DISABLE_SECONDS else None
        if why is not None:
            disable_endpoint(conn, endpoint.id, why)
            audit.record(
                conn, actor="notifying", action="endpoint.disable", subject=f"endpoint:{endpoint.name}",
                detail={"reason": why, "problem": reply.problem},
            )  # fmt: skip
    log.warning(
        "notification did not arrive",
        notification_id=str(notification.id),
        endpoint=endpoint.name,
        reason=reply.problem,
        state=state,
    )
    return False


def _post(runtime: Runtime, endpoint: Endpoint, notification: Notification, post: Post) -> Reply:
    try:
        keys = open_secrets(runtime.secret_ring, endpoint)
        body = _body(runtime, endpoint, notification)
    except CannotDecrypt:
        return Reply(problem="cannot_decrypt")
    headers = signed_headers(keys, message_id=str(notification.id), body=body, at=datetime.now(UTC))
    return post(
        endpoint.url,
        body,
        headers={**headers, "Content-Type": "application/json"},
        allow_private=endpoint.allow_private,
    )


def _body(runtime: Runtime, endpoint: Endpoint, notification: Notification) -> bytes:
    with runtime.pool.connection() as conn:
        facts = facts_of(conn, notification)
        ad_id = (facts.get("touchpoint") or {}).get("ad_id")
        campaign = campaign_of(conn, ad_id)
        sealed = None
        if "phone" in endpoint.include and notification.contact_id is not None:
            names = identities_of(conn, contact_group(conn, notification.contact_id))
            sealed = next((one.ciphertext for one in reversed(names) if one.kind == "phone" and one.ciphertext), None)
    return body_of(
        notification.event,
        notification.occurred_at,
        facts,
        fact=notification.fact,
        campaign=campaign,
        console_url=runtime.settings.console_url,
        phone=runtime.secret_ring.open(sealed).decode() if sealed else None,
    )
