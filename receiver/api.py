"""The API's door: POST /v1/… with what a business reports. Checks the form, keeps the bytes, promises each item's id.

Kept as durably as a webhook, in the same way, also while Postgres is away. What becomes of an item is the workers'
business, and the console's API tells it.
"""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request

from receiver import metrics
from receiver.admission import LIMITED, NEWCOMERS, Refused
from receiver.calls import WORDS, Call, admit_call
from receiver.exchange import HEAD, LOOK_SECONDS, MAKE_TICKET, TICKET, VERDICT, MakeTicket, read_body, wait
from receiver.head import Head, network_of, read_api_head
from receiver.inbox import Inbox, NotStored, ThreadTicket, Ticket
from receiver.inflight import COMMIT_SECONDS
from receiver.keys import Keys
from receiver.openapi import OPENAPI
from receiver.record import make_call_record
from shared.crypto import KeyRing
from shared.domain.submission_forms import Malformed, UnreadableBody, parse_items
from shared.ids import item_id, uuid7
from shared.limits import RefusalLimit
from shared.logs import get_logger

log = get_logger(__name__)

#: The label in metrics, where a webhook has its provider.
_SENDER = "api"
_MAX_ERRORS = 100
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]


@dataclass(frozen=True, kw_only=True)
class CallDoor:
    """What the views need. `console_url` is where the console's API answers; "" gives paths without it."""

    keys: Keys
    inbox: Inbox
    ring: KeyRing
    refusals: RefusalLimit
    max_body: int
    console_url: str
    trusted_proxies: int
    #: Items are parsed while the caller waits: more than a few are not parsed in the event loop.
    inline_bytes: int = 4 * 1024

    def head(self, environ: Mapping[str, Any]) -> Head | None:
        """The head of a call; None for any other path."""
        if environ.get("PATH_INFO") == OPENAPI_PATH:
            return None
        return read_api_head(environ, public_url="", trusted_proxies=self.trusted_proxies)

    def admit(self, head: Head) -> Call | Refused:
        """The verdict before the body is read. No I/O."""
        return admit_call(head, self.keys, max_body=self.max_body, chunked=self.trusted_proxies > 0)

    def look_again(self) -> Future[None] | None:
        """Has the keys read again, for one that was made a moment ago."""
        return self.keys.look_again()

    def refuse(self, refused: Refused, address: str) -> Refused:
        """The refusal to answer with: "limited" for an address that was refused too often. Counted, and logged."""
        if refused.reason in LIMITED and not self.refusals.allow(address):
            refused = Refused("limited")
        metrics.REFUSED.labels(refused.reason).inc()
        log.warning("call refused", reason=refused.reason, network=network_of(address))
        return refused


OPENAPI_PATH = "/v1/openapi.json"


def calls(door: CallDoor) -> Blueprint:
    """The routes below /v1/."""
    routes = Blueprint("calls", __name__)

    @routes.get(OPENAPI_PATH)
    def openapi() -> Response:
        return Response(OPENAPI, content_type="application/json")

    @routes.route("/v1/<path:path>", methods=_METHODS, provide_automatic_options=False)
    def call(path: str) -> Response:
        del path
        environ = request.environ
        head = environ.get(HEAD) or door.head(environ)
        assert head is not None
        verdict = environ.get(VERDICT) or _admit_waiting(door, head)
        answer = _take_in(door, verdict) if isinstance(verdict, Call) else verdict
        return _problem(door.refuse(answer, head.address)) if isinstance(answer, Refused) else answer

    return routes


def _admit_waiting(door: CallDoor, head: Head) -> Call | Refused:
    """The verdict; a key that is unknown may have been made a moment ago."""
    verdict = door.admit(head)
    if isinstance(verdict, Refused) and verdict.reason in NEWCOMERS:
        looking = door.look_again()
        if looking is not None:
            wait(looking.result, LOOK_SECONDS)
            return door.admit(head)
    return verdict


def _take_in(door: CallDoor, call: Call) -> Response | Refused:
    body = read_body(request.environ, call.head, door.max_body)
    if isinstance(body, Refused):
        return body
    received_at = datetime.now(UTC)
    try:
        items = parse_items(call.kind, body, received_at=received_at, idempotency_key=call.idempotency_key)
    except UnreadableBody as error:
        metrics.REFUSED.labels("unreadable").inc()
        return _problem(Refused("unreadable"), detail=f"{error} {WORDS['unreadable'][1]}")
    malformed = {place: item for place, item in enumerate(items) if isinstance(item, Malformed)}
    if malformed:
        metrics.REFUSED.labels("malformed").inc()
        return _problem(Refused("malformed"), errors=_errors(malformed))
    webhook_id = uuid7()
    record = make_call_record(call, body, webhook_id=webhook_id, received_at=received_at, ring=door.ring)
    make_ticket: MakeTicket = request.environ.get(MAKE_TICKET) or ThreadTicket
    ticket: Ticket = make_ticket(record, _SENDER)
    try:
        door.inbox.put(ticket)
        if isinstance(ticket, ThreadTicket):
            ticket.wait(COMMIT_SECONDS)
    except NotStored as error:
        return call.refuse(error.reason)
    request.environ[TICKET] = ticket
    ids = [item_id(webhook_id, place) for place in range(len(items))]
    return _json(202, {"data": [_promise(door, call.kind, one) for one in ids]})


def _promise(door: CallDoor, kind: str, own_id: UUID) -> dict[str, str]:
    """What a caller is told of an item: the id it will have, and where to ask what became of it."""
    what = "conversions" if kind == "conversions" else "submissions"
    return {"id": str(own_id), "status_url": f"{door.console_url}/api/v1/{what}/{own_id}"}


def _errors(malformed: Mapping[int, Malformed]) -> list[dict[str, object]]:
    """The first problems, each with the place of its item, counted from 0."""
    found: Iterable[dict[str, object]] = (
        {"item": place, "field": problem.field, "problem": problem.problem}
        for place, item in malformed.items()
        for problem in item.problems
    )
    return [one for one, _ in zip(found, range(_MAX_ERRORS), strict=False)]


def _problem(refused: Refused, **more: object) -> Response:
    """A refusal as problem details (RFC 9457)."""
    title, detail = WORDS.get(refused.reason, ("Error", "Look at the receiver's log."))
    status = refused.status
    content = {
        "type": f"urn:ctwa:problem:{refused.reason}",
        "title": title,
        "status": status,
        "detail": detail,
    } | more
    response = _json(status, content, content_type="application/problem+json")
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 405:
        response.headers["Allow"] = "POST"
    return response


def _json(status: int, content: Mapping[str, object], *, content_type: str = "application/json") -> Response:
    response = Response(json.dumps(content), status=status, content_type=content_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
