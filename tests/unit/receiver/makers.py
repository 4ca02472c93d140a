"""Makers of what the receiver's parts are given, with fakes for what does I/O."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from flask import Flask

from receiver.admission import Admitted
from receiver.api import CallDoor
from receiver.app import create_app
from receiver.channels import OpenChannel
from receiver.head import Head
from receiver.health import Readiness
from receiver.inbox import Inbox, Sink, Ticket
from receiver.postgres import Away, BadRow
from receiver.webhooks import Door
from shared.api_keys import PREFIX, hash_key
from shared.crypto import KeyRing, generate_key
from shared.db.api_keys import DoorKey
from shared.db.webhooks import NewWebhook
from shared.ids import uuid7
from shared.limits import RefusalLimit
from shared.providers import PROVIDERS

RING = KeyRing([generate_key()], name="SECRET_KEYS")
KEY = "channel-key-000000000000"
TOKEN = "whapi-token-0123456789"
APP_SECRET = "app-secret-0123456789"
VERIFY_TOKEN = "verify-token-0123456789"
SECRETS: Mapping[str, Sequence[Mapping[str, str]]] = {
    "whapi": [{"token": TOKEN}],
    "meta_cloud": [{"app_secret": APP_SECRET, "verify_token": VERIFY_TOKEN}],
}


def channel(
    provider: str = "whapi",
    *,
    secrets: Sequence[Mapping[str, str]] | None = (),
    unsigned: bool = False,
    enabled: bool = True,
    key: str = KEY,
) -> OpenChannel:
    """A channel; by default with the secrets of SECRETS."""
    opened = SECRETS[provider] if secrets == () else secrets
    return OpenChannel(
        id=7,
        key=key,
        provider=PROVIDERS[provider],
        secrets=opened,
        secret_values=tuple(value for one in opened or () for value in one.values() if len(value) >= 8),
        unsigned=unsigned,
        enabled=enabled,
    )


def head(
    *,
    method: str = "POST",
    path: str = "",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    length: int | None = 10,
) -> Head:
    return Head(
        method=method,
        key=KEY,
        path=path,
        query=query,
        headers=dict(headers or {}),
        length=length,
        url=f"https://hooks.example/webhooks/{KEY}",
        address="203.0.113.9",
    )


def admitted(provider: str = "whapi", **of_head: object) -> Admitted:
    return Admitted(replace(head(), **of_head), channel(provider), authentic=True)  # type: ignore[arg-type]


def webhook(*, body: bytes = b"sealed", webhook_id: UUID | None = None, query: str = "") -> NewWebhook:
    return NewWebhook(
        id=webhook_id or uuid7(),
        received_at=datetime.now(UTC),
        source="channel",
        source_id=7,
        method="POST",
        path="",
        query=query,
        headers={"content-type": "application/json"},
        body=body,
        body_bytes=len(body),
    )


class FakeChannels:
    """The channels there are, without Postgres."""

    def __init__(self, *channels: OpenChannel, known: bool = True) -> None:
        self.by_key = {channel.key: channel for channel in channels}
        self.known = known

    def get(self, key: str) -> OpenChannel | None:
        return self.by_key.get(key)

    def look_again(self) -> None:
        return None


class FakePostgres:
    """Takes rows, refuses those of `bad`, or is `away`. `gate` holds every insert up until it is set."""

    def __init__(self, *, up: bool = True, away: bool = False, bad: Sequence[UUID] = ()) -> None:
        self.up = up
        self.away = away
        self.bad = set(bad)
        self.batches: list[list[UUID]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def insert(self, webhooks: Sequence[NewWebhook]) -> None:
        self.entered.set()
        assert self.gate.wait(10)
        ids = [webhook.id for webhook in webhooks]
        if self.away:
            raise Away("OperationalError")
        if self.bad & set(ids):
            raise BadRow("22P05")
        self.batches.append(ids)

    @property
    def rows(self) -> list[UUID]:
        return [webhook_id for batch in self.batches for webhook_id in batch]


class FakeInbox:
    """Settles every ticket at once, as `outcome` says."""

    def __init__(self, outcome: Sink | str = Sink.POSTGRES) -> None:
        self.outcome = outcome
        self.taken: list[NewWebhook] = []

    def put(self, ticket: Ticket) -> None:
        self.taken.append(ticket.webhook)
        if isinstance(self.outcome, Sink):
            ticket.sink = self.outcome
        else:
            ticket.reason = self.outcome
        type(ticket).settled([ticket])


def door(
    *channels: OpenChannel,
    inbox: FakeInbox | Inbox | None = None,
    max_body: int = 1000,
    trusted_proxies: int = 0,
    refusals: RefusalLimit | None = None,
    known: bool = True,
) -> Door:
    return Door(
        channels=FakeChannels(*channels, known=known),  # type: ignore[arg-type]
        inbox=inbox or FakeInbox(),  # type: ignore[arg-type]
        ring=RING,
        refusals=RefusalLimit(burst=1000) if refusals is None else refusals,
        max_body=max_body,
        public_url="https://hooks.example",
        trusted_proxies=trusted_proxies,
    )


class FakeKeys:
    """The API keys there are, without Postgres."""

    def __init__(self, keys: Mapping[str, DoorKey], *, known: bool = True) -> None:
        self.by_text = keys
        self.known = known

    def get(self, key: str) -> DoorKey | None:
        return self.by_text.get(key)

    def look_again(self) -> None:
        return None


API_KEY = PREFIX + "k" * 43


def call_door(
    *,
    inbox: FakeInbox | Inbox | None = None,
    keys: Mapping[str, DoorKey] | None = None,
    scopes: Sequence[str] = ("conversions:write", "contacts:write"),
    known: bool = True,
    max_body: int = 100_000,
    refusals: RefusalLimit | None = None,
    console_url: str = "https://console.example",
) -> CallDoor:
    one = DoorKey(id=3, workspace="default", hash=hash_key(API_KEY), scopes=scopes, is_test=False)
    return CallDoor(
        keys=FakeKeys({API_KEY: one} if keys is None else keys, known=known),  # type: ignore[arg-type]
        inbox=inbox or FakeInbox(),  # type: ignore[arg-type]
        ring=RING,
        refusals=RefusalLimit(burst=1000) if refusals is None else refusals,
        max_body=max_body,
        console_url=console_url,
        trusted_proxies=0,
    )


def app(door: Door, calls: CallDoor | None = None) -> Flask:
    calls = calls or call_door()
    return create_app(
        door, calls, Readiness(postgres=lambda: True, spool=lambda: True, channels=lambda: door.channels.known)
    )
