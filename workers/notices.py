"""Sending notices about alerts: by mail, to a signed webhook, to Slack. A try that came to nothing is tried again."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

from shared import outbound
from shared.crypto import CannotDecrypt
from shared.db.alert_notices import Notice, claim_notice, settle_notice
from shared.db.alert_routes import Route, Target, open_target, route_by_id
from shared.db.alerts import alerts_by_ids
from shared.domain.alert_messages import Told, as_event, as_slack, as_text, headline
from shared.logs import get_logger
from shared.mail import send_mail
from shared.settings import Settings
from shared.signing import signed_headers
from workers.runtime import Runtime

log = get_logger(__name__)

#: Longer than one try may take, mail included.
LEASE_SECONDS = 60.0
#: 30 s, doubling up to an hour: about ten hours in all.
MOST_ATTEMPTS = 16
_FIRST_WAIT, _LONGEST_WAIT = 30.0, 3600.0
_RNG = random.SystemRandom()


def send_due(runtime: Runtime) -> int:
    """Sends every notice that is due; how many arrived."""
    sent = 0
    while not runtime.stopping.is_set():
        with runtime.pool.connection() as conn:
            notice = claim_notice(conn, lease_seconds=LEASE_SECONDS)
        if notice is None:
            return sent
        reason = _send(runtime, notice)
        wait = wait_after(notice.attempts, _RNG) if reason else None
        with runtime.pool.connection() as conn:
            settle_notice(conn, notice, reason=reason, retry_seconds=wait)
        if reason:
            log.warning("a notice did not arrive", notice_id=str(notice.id), reason=reason, again=wait is not None)
        sent += reason is None
    return sent


def wait_after(attempts: int, rng: random.Random) -> float | None:
    """How many seconds to wait after so many tries, jittered by half; None when it has been enough."""
    if attempts >= MOST_ATTEMPTS:
        return None
    return min(_FIRST_WAIT * float(2 ** (attempts - 1)), _LONGEST_WAIT) * rng.uniform(0.5, 1)


def _send(runtime: Runtime, notice: Notice) -> str | None:
    """Why it didn't arrive; None if it did."""
    with runtime.pool.connection() as conn:
        route = route_by_id(conn, notice.route_id)
        told = [
            Told(what=what, **{name: getattr(alert, name) for name in _TOLD})
            for what, ids in (("opened", notice.opened), ("reminded", notice.reminded), ("resolved", notice.resolved))
            for alert in alerts_by_ids(conn, ids)
        ]
    if route is None:
        return "route_removed"
    try:
        target = open_target(runtime.secret_ring, route.target)
    except CannotDecrypt:
        return "cannot_decrypt"
    return _deliver(runtime.settings, route, target, notice, told)


_TOLD = ("id", "workspace", "kind", "subject", "state", "detail", "opened_at", "resolved_at")


def _deliver(settings: Settings, route: Route, target: Target, notice: Notice, told: Sequence[Told]) -> str | None:
    if route.kind == "email":
        return send_mail(
            settings.smtp_url,
            sender=settings.mail_from,
            to=target.address,
            subject=f"[ctwa] {headline(told)}",
            text=as_text(told),
            message_id=str(notice.id),
        )
    now = datetime.now(UTC)
    headers = {"Content-Type": "application/json"}
    if route.kind == "slack":
        body = as_slack(told)
    else:
        body = as_event(told, now)
        headers |= signed_headers(target.secrets, message_id=f"msg_{notice.id.hex}", body=body, at=now)
    return outbound.post(target.address, body, headers=headers, allow_private=route.allow_private).problem
