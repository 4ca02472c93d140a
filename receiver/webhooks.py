"""The webhook door: admit, authenticate, keep, answer. Translates HTTP; what it decides is in admission.py.

The view is plain WSGI, and waits for the commit itself. Under the ASGI front (asgi.py) the front waits (exchange.py).
"""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from receiver import metrics
from receiver.admission import (
    LIMITED,
    Admitted,
    Refused,
    admit,
    answer_challenge,
    authenticate,
)
from receiver.channels import Channels
from receiver.exchange import HEAD, LOOK_SECONDS, MAKE_TICKET, TICKET, VERDICT, MakeTicket, read_body, wait
from receiver.head import Head, network_of, read_head
from receiver.inbox import Inbox, NotStored, ThreadTicket, Ticket
from receiver.inflight import COMMIT_SECONDS
from receiver.record import make_record
from shared.crypto import KeyRing
from shared.ids import uuid7
from shared.limits import RefusalLimit
from shared.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Door:
    """What the views need."""

    channels: Channels
    inbox: Inbox
    ring: KeyRing
    refusals: RefusalLimit
    max_body: int
    public_url: str
    trusted_proxies: int
    #: Bodies larger than this are hashed and sealed beside the event loop.
    inline_bytes: int = 64 * 1024

    def head(self, environ: Mapping[str, Any]) -> Head | None:
        """The head of a webhook request; None for any other path."""
        return read_head(environ, public_url=self.public_url, trusted_proxies=self.trusted_proxies)

    def look_again(self) -> Future[None] | None:
        """Has the channels read again, for one that was added a moment ago."""
        return self.channels.look_again()

    def admit(self, head: Head) -> Admitted | Refused:
        """The verdict before the body is read. No I/O."""
        if not self.channels.known:
            return Refused("channels_unknown")
        # A proxy in front has settled the length of a body; without one, only a Content-Length is trusted, since the
        # server hides it when there is a Transfer-Encoding as well.
        return admit(head, self.channels.get(head.key), max_body=self.max_body, chunked=self.trusted_proxies > 0)

    def keep(self, admitted: Admitted, body: bytes, make_ticket: MakeTicket) -> Ticket:
        """Hands the webhook to the writer. Raises NotStored."""
        record = make_record(admitted, body, webhook_id=uuid7(), received_at=datetime.now(UTC), ring=self.ring)
        ticket = make_ticket(record, admitted.channel.provider.name)
        self.inbox.put(ticket)
        return ticket

    def refuse(self, refused: Refused, address: str) -> Refused:
        """The refusal to answer with: "limited" for an address that was refused too often. Counted, and logged."""
        if refused.reason in LIMITED and not self.refusals.allow(address):
            metrics.REFUSED.labels("limited").inc()
            return Refused("limited")
        metrics.REFUSED.labels(refused.reason).inc()
        log.warning(
            "webhook refused",
            reason=refused.reason,
            channel_id=refused.channel_id,
            network=network_of(address),
        )
        return refused


def webhooks(door: Door) -> Blueprint:
    """The routes below /webhooks/."""
    routes = Blueprint("webhooks", __name__)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]

    @routes.route("/webhooks/<key>", methods=methods, provide_automatic_options=False)
    @routes.route("/webhooks/<key>/", methods=methods, provide_automatic_options=False)
    @routes.route("/webhooks/<key>/<path:path>", methods=methods, provide_automatic_options=False)
    def webhook(key: str, path: str = "") -> Response:
        environ = request.environ
        head = environ.get(HEAD) or door.head(environ)
        assert head is not None
        verdict = environ.get(VERDICT) or _admit_waiting(door, head)
        answer = _take_in(door, verdict) if isinstance(verdict, Admitted) else verdict
        return _refusal(door.refuse(answer, head.address)) if isinstance(answer, Refused) else answer

    return routes


def _admit_waiting(door: Door, head: Head) -> Admitted | Refused:
    """The verdict; a channel that is unknown may have been added a moment ago."""
    verdict = door.admit(head)
    if isinstance(verdict, Refused) and verdict.reason == "unknown_channel":
        looking = door.look_again()
        if looking is not None:
            wait(looking.result, LOOK_SECONDS)
            return door.admit(head)
    return verdict


def _take_in(door: Door, admitted: Admitted) -> Response | Refused:
    if admitted.head.method == "GET":
        challenge = answer_challenge(admitted)
        return challenge if isinstance(challenge, Refused) else _text(challenge)
    body = read_body(request.environ, admitted.head, door.max_body)
    if isinstance(body, Refused):
        return body
    refused = authenticate(admitted, body)
    if refused:
        return refused
    make_ticket: MakeTicket | None = request.environ.get(MAKE_TICKET)
    try:
        ticket = door.keep(admitted, body, make_ticket or ThreadTicket)
        if isinstance(ticket, ThreadTicket):
            ticket.wait(COMMIT_SECONDS)
    except NotStored as error:
        return Refused(error.reason, admitted.channel.id)
    request.environ[TICKET] = ticket
    content_type, text = admitted.channel.provider.answer
    return Response(text, status=200, content_type=content_type)


def _refusal(refused: Refused) -> Response:
    response = Response(status=refused.status)
    response.headers.pop("Content-Type", None)
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


def _text(text: str) -> Response:
    response = Response(text, status=200, content_type="text/plain; charset=utf-8")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
