"""What a provider adapter is: the request it reads, the result it returns, and its description as data.

An adapter is two pure functions, `verify` and `parse`, and a `Provider` value that names them. The recipe for
a new one is docs/adding-a-provider.md.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from shared.domain.messages import AutomaticEvent, Message
from shared.domain.signals import LabelChange, OutgoingMessage
from shared.providers.reasons import IGNORED, UNPARSABLE

Json: TypeAlias = object
Secrets: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """One HTTP request as a provider sent it.

    `path` is what follows the channel's key in the URL (usually ""), `query` the raw query string, `headers`
    have lower-case names, `body` is untouched, `url` is the public URL as the provider saw it (some sign it).
    `received_at` is when it came in, for signatures that hold only for a while; None leaves their age unchecked, which
    is for webhooks that were accepted already and are read again, never for the receiver.
    """

    method: str = "POST"
    path: str = ""
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    url: str = field(default="", repr=False)
    received_at: datetime | None = None


class UnparsableError(Exception):
    """The body cannot be read at all. `reason` is a key of `reasons.UNPARSABLE`, the text its explanation.

    Never holds a piece of the payload, so it may be logged and shown.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(UNPARSABLE[reason])
        self.reason = reason


@dataclass(frozen=True)
class Parsed:
    """What one request held: messages and events in payload order, and how much was ignored, by reason.

    The keys of `ignored` are keys of `reasons.IGNORED`, in alphabetical order. `outgoing` and `labels` are read for
    rules and the first human reply only, and are counted as ignored all the same: they are no message of a person.
    """

    messages: tuple[Message, ...] = ()
    automatic_events: tuple[AutomaticEvent, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    outgoing: tuple[OutgoingMessage, ...] = ()
    labels: tuple[LabelChange, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the result as JSON-ready values; this is what `ctwa parse` prints."""
        return {
            "messages": [message.as_row() for message in self.messages],
            "automatic_events": [event.as_row() for event in self.automatic_events],
            "ignored": [{"reason": reason, "count": count} for reason, count in self.ignored.items()],
        }


class Collector:
    """Gathers what an adapter finds while it walks a payload, and what it leaves out and why."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}
        self._events: dict[tuple[str, str], AutomaticEvent] = {}
        self._outgoing: dict[str, OutgoingMessage] = {}
        self._labels: list[LabelChange] = []
        self._ignored: Counter[str] = Counter()

    def ignore(self, reason: str, count: int = 1) -> None:
        """Count something left out; `reason` must be a key of `reasons.IGNORED`. Zero leaves no trace."""
        if reason not in IGNORED:
            raise KeyError(reason)
        if count:
            self._ignored[reason] += count

    def add_message(self, message: Message) -> None:
        """Keep a message; a second one with the same id in this request is counted instead."""
        if message.message_id in self._messages:
            self.ignore("duplicate_in_batch")
        else:
            self._messages[message.message_id] = message

    def add_event(self, event: AutomaticEvent) -> None:
        """Keep an automatic event; a second one of the same name for the same message is counted instead."""
        key = (event.message_id, event.event_name)
        if key in self._events:
            self.ignore("duplicate_in_batch")
        else:
            self._events[key] = event

    def add_outgoing(self, message: OutgoingMessage) -> None:
        """Keep a message that the business sent, once. Count it with `ignore`, too: nobody wrote."""
        self._outgoing.setdefault(message.message_id, message)

    def add_label(self, change: LabelChange) -> None:
        """Keep a label that was put on a chat, or taken off. Count it with `ignore`, too."""
        self._labels.append(change)

    def objects(self, value: Json) -> Iterator[Mapping[str, Json]]:
        """Yield the objects of a list; None is an empty list, and what is no object counts as malformed."""
        if value is None:
            return
        if not isinstance(value, list):
            self.ignore("malformed")
            return
        for item in value:
            if isinstance(item, dict):
                yield item
            else:
                self.ignore("malformed")

    def parsed(self) -> Parsed:
        """Return everything gathered. A request in which nothing at all was found says so under `empty`."""
        if not (self._messages or self._events or self._ignored):
            self.ignore("empty")
        ignored = MappingProxyType(dict(sorted(self._ignored.items())))
        return Parsed(
            messages=tuple(self._messages.values()),
            automatic_events=tuple(self._events.values()),
            ignored=ignored,
            outgoing=tuple(self._outgoing.values()),
            labels=tuple(self._labels),
        )


@dataclass(frozen=True)
class SecretField:
    """One secret or setting of a channel; `generated` means that we make the value up."""

    name: str
    help: str
    required: bool = True
    generated: bool = False
    default: str | None = None


@dataclass(frozen=True)
class SamplePaths:
    """Where a provider's samples hold what differs on each sending; `*` stands for every list item."""

    message_ids: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    bsuids: tuple[str, ...] = ()
    click_ids: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provider:
    """A provider, as data. All functions are pure.

    `verify(request, secrets)` says whether the request is authentic under any of the channel's secret sets
    (the current one and, during a rotation, the previous); it never raises and refuses when there are none.
    `parse(request)` raises only UnparsableError. `sign(request, secrets)` returns the headers the provider
    would send at `request.received_at`. `handshake(request, secrets)` returns the body that answers a GET
    challenge, or None to refuse. `click_id_paths` are the only places where the adapter may find a click id;
    `docs_url` describes the webhook. `verify_needs_body` is False when a request can be refused before its
    body is read. `answer` is the content type and body of the 200 the provider wants.
    """

    name: str
    title: str
    docs_url: str
    secret_fields: tuple[SecretField, ...]
    verify: Callable[[Request, Sequence[Secrets]], bool]
    parse: Callable[[Request], Parsed]
    sign: Callable[[Request, Secrets], Mapping[str, str]]
    handshake: Callable[[Request, Sequence[Secrets]], str | None] | None = None
    methods: frozenset[str] = frozenset({"POST"})
    subpaths: bool = False
    verify_needs_body: bool = True
    answer: tuple[str, bytes] = ("text/plain; charset=utf-8", b"")
    click_id_paths: tuple[str, ...] = ()
    sample_paths: SamplePaths = SamplePaths()
