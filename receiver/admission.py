"""Which requests are let in: the refusals there are, and the order of the checks. Pure but for the clock."""

from dataclasses import dataclass
from datetime import UTC, datetime

from receiver.channels import OpenChannel
from receiver.head import Head
from shared.providers.base import Request

#: A request line and headers longer than this are nobody's webhook.
MAX_HEADER_BYTES = 32 * 1024
#: What comes after the channel's key in any provider's URL is short.
MAX_PATH_LENGTH = 200
RETRY_SECONDS = 5

#: Why a request is refused, and how that is answered. A webhook's answer has no body: a stranger learns nothing of it.
REFUSALS = {
    "unknown_channel": 404,
    "unknown_path": 404,
    # Like an unknown one. Nothing of a customer who is switched off is taken in, and what the provider keeps
    # trying to deliver meanwhile arrives after all when the channel is switched on again.
    "disabled_channel": 404,
    "path": 404,
    "method": 405,
    "framing": 400,
    "length_required": 411,
    "too_large": 413,
    "headers_too_large": 431,
    "not_authentic": 401,
    "no_key": 401,
    "unknown_key": 401,
    "scope": 403,
    "media_type": 415,
    "content_encoding": 415,
    "idempotency_key": 400,
    "unreadable": 422,
    "malformed": 422,
    "challenge": 403,
    "limited": 429,
    "slow": 408,
    # The sender went away; nobody reads this answer.
    "incomplete": 400,
    # Not the sender's fault: it is to come again.
    "channels_unknown": 503,
    "keys_unknown": 503,
    "keys": 503,
    "memory": 503,
    "not_durable": 503,
    "late": 503,
    "unstorable": 500,
    "error": 500,
}
#: Refusals that a stranger can cause at will, and that count against its address.
LIMITED = frozenset(reason for reason, status in REFUSALS.items() if 400 <= status < 500) - {
    "limited",
    # Only the holder of a key gets as far.
    "unreadable",
    "malformed",
}
#: Refusals of senders that may have been added a moment ago.
NEWCOMERS = frozenset({"unknown_channel", "unknown_key"})


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal: a key of REFUSALS, and the channel's id where the channel is known."""

    reason: str
    channel_id: int | None = None

    @property
    def status(self) -> int:
        return REFUSALS[self.reason]

    @property
    def retry_after(self) -> int | None:
        """Seconds after which to come again, for the answers that say so."""
        return RETRY_SECONDS if self.status in (429, 503) else None


@dataclass(frozen=True, slots=True, repr=False)
class Admitted:
    """A request whose body may be read. `authentic` is True when nothing in the body can change that."""

    head: Head
    channel: OpenChannel
    authentic: bool

    def refuse(self, reason: str) -> Refused:
        """Its refusal after all."""
        return Refused(reason, self.channel.id)


def admit(head: Head, channel: OpenChannel | None, *, max_body: int, chunked: bool) -> Admitted | Refused:
    """Every check that needs no body, cheapest first. `chunked` allows bodies without a Content-Length."""
    if channel is None:
        return Refused("unknown_channel")
    reason = _channel_problem(head, channel) or form_problem(head, max_body=max_body, chunked=chunked)
    if reason:
        return Refused(reason, channel.id)
    provider = channel.provider
    if head.method == "GET":
        return Admitted(head, channel, authentic=False)
    if channel.unsigned:
        return Admitted(head, channel, authentic=True)
    if not channel.secrets:
        return Refused("not_authentic", channel.id)
    if provider.verify_needs_body:
        return Admitted(head, channel, authentic=False)
    if not provider.verify(request_of(head, b""), channel.secrets):
        return Refused("not_authentic", channel.id)
    return Admitted(head, channel, authentic=True)


def authenticate(admitted: Admitted, body: bytes) -> Refused | None:
    """The check that needs the body, where it is still due."""
    channel = admitted.channel
    if admitted.authentic or channel.provider.verify(request_of(admitted.head, body), channel.secrets or ()):
        return None
    return Refused("not_authentic", channel.id)


def answer_challenge(admitted: Admitted) -> str | Refused:
    """The text that answers a provider's GET, or a refusal."""
    channel = admitted.channel
    handshake = channel.provider.handshake
    challenge = handshake(request_of(admitted.head, b""), channel.secrets or ()) if handshake else None
    return Refused("challenge", channel.id) if challenge is None else challenge


def request_of(head: Head, body: bytes) -> Request:
    """The request in the form that providers' adapters read, as of now: some signatures hold only for minutes."""
    return Request(
        method=head.method,
        path=head.path,
        query=head.query,
        headers=head.headers,
        body=body,
        url=head.url,
        received_at=datetime.now(UTC),
    )


def _channel_problem(head: Head, channel: OpenChannel) -> str | None:
    if not channel.enabled:
        return "disabled_channel"
    if channel.secrets is None:
        return "keys"
    if len(head.path) > MAX_PATH_LENGTH or (head.path and not channel.provider.subpaths):
        return "path"
    allowed = channel.provider.methods
    if head.method not in allowed or (head.method == "GET" and channel.provider.handshake is None):
        return "method"
    return None


def form_problem(head: Head, *, max_body: int, chunked: bool) -> str | None:
    """What is wrong with a head of any door, or None."""
    if head.header_bytes > MAX_HEADER_BYTES:
        return "headers_too_large"
    if head.has_transfer_encoding:
        # Two lengths are how requests are smuggled past a proxy (RFC 9112, 6.3).
        if head.length is not None or head.headers["transfer-encoding"].strip().lower() != "chunked":
            return "framing"
        return None if chunked else "length_required"
    if head.length is None:
        return None
    if head.length < 0:
        return "framing"
    return "too_large" if head.length > max_body else None
