"""What the ASGI front and the views behind it tell each other, through the WSGI environment.

A view reads a request and waits for its commit itself, under any WSGI server. The front runs the same view with entries
of its own in the environment: the head, the verdict on it, found before the body was read, and a kind of ticket that
the front waits for, so that the view doesn't.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from typing import Any, Protocol

from receiver.admission import Refused
from receiver.head import Head
from receiver.inbox import Ticket
from shared.db.webhooks import NewWebhook

#: Keys of the WSGI environment, set by the ASGI front.
HEAD = "ctwa.head"
VERDICT = "ctwa.verdict"
MAKE_TICKET = "ctwa.make-ticket"
#: Set by the view: the ticket that the front has to wait for.
TICKET = "ctwa.ticket"
LOOK_SECONDS = 0.5

MakeTicket = Callable[[NewWebhook, str], Ticket]


class Admitted(Protocol):
    """A request whose body may be read."""

    def refuse(self, reason: str) -> Refused:
        """Its refusal after all, for a reason that was found later."""


class Entrance(Protocol):
    """A door of the receiver as the front sees it."""

    @property
    def max_body(self) -> int: ...

    @property
    def inline_bytes(self) -> int:
        """Larger bodies are worked on beside the event loop."""

    def head(self, environ: Mapping[str, Any]) -> Head | None:
        """The head of a request to this door; None for any other."""

    def admit(self, head: Head) -> Admitted | Refused:
        """The verdict before the body is read. No I/O."""

    def look_again(self) -> Future[None] | None:
        """Has the senders read again, for one that was added a moment ago; None if that was just done."""


def read_body(environ: Mapping[str, Any], head: Head, max_body: int) -> bytes | Refused:
    """The whole body, counted while it is read: longer than allowed is refused, never cut."""
    stream = environ["wsgi.input"]
    parts, size = [], 0
    wanted = max_body + 1 if head.length is None else head.length
    if head.length is None and not environ.get("wsgi.input_terminated"):
        return b""
    while size < wanted and (part := stream.read(min(wanted - size, 64 * 1024))):
        parts.append(part)
        size += len(part)
    if size > max_body:
        return Refused("too_large")
    if head.length is not None and size < head.length:
        return Refused("incomplete")
    return b"".join(parts)


def wait(result: Callable[[float], object], seconds: float) -> None:
    """Waits for `result`, and goes on without it after `seconds`."""
    try:
        result(seconds)
    except WaitedTooLong:
        return
