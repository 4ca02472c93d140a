"""The rows of the made-up business, table by table, as the product would have written them. Pure but for sealing."""

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from console.demo_data.business import Ad, Shop
from console.demo_data.story import OUTAGE_DAY, Chat, Sale
from shared.crypto import HashRing, KeyRing
from shared.domain.attribution import hash_click_id
from shared.domain.deliveries import event_id_for

WORKSPACE = "demo"
#: Table -> the columns that rows are made of, in order. Parents come first.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "contacts": ("id", "workspace", "stage", "stage_at", "tags", "country", "is_test", "created_at"),
    "contact_identities": ("contact_id", "workspace", "kind", "hash_key", "hash", "ciphertext"),
    "messages": (
        "id", "channel_id", "message_id", "contact_id", "class", "kind", "sent_at", "received_at", "webhook_id",
        "webhook_received_at", "is_test",
    ),
    "touchpoints": (
        "id", "message_id", "contact_id", "channel_id", "class", "click_id", "click_hash", "ad_id", "source_type",
        "source_app", "headline", "occurred_at", "first_reply_at", "is_test",
    ),
    "first_touches": ("contact_id", "touchpoint_id"),
    "conversions": (
        "id", "workspace", "contact_id", "channel_id", "event_name", "occurred_at", "value", "currency", "order_id",
        "source", "touchpoint_id", "attribution", "business_key", "click_hash", "is_test", "created_at",
    ),
    "conversion_changes": (
        "id", "conversion_id", "kind", "value", "currency", "occurred_at", "source", "business_key", "is_test",
    ),
    "deliveries": (
        "conversion_id", "dataset_id", "event_name", "business_key", "event_id", "event_time", "has_value", "state",
        "reason", "next_attempt_at", "attempts", "accepted_at", "unknown_since", "finished_at", "last_http_status",
        "last_code", "last_subcode", "last_trace_id", "is_test", "created_at", "updated_at",
    ),
    "contact_changes": ("contact_id", "kind", "value", "occurred_at", "source", "actor"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a shop's rows belong: ids of ours, and the dataset's at Meta. A stuck dataset has sent nothing since."""

    channel_id: int
    dataset_id: int
    dataset_meta_id: str
    stuck_since: datetime | None = None


@dataclass(kw_only=True)
class Writer:
    """Makes rows of chats. `next_ids` are the first free ids of contacts, messages and touchpoints."""

    rng: random.Random
    places: Mapping[str, Place]
    secret_ring: KeyRing
    hash_ring: HashRing
    next_ids: dict[str, int]
    until: datetime
    #: For what is told by the way, so that the story stays the same with it and without.
    aside: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311
    tables: dict[str, list[Sequence[Any]]] = field(default_factory=lambda: defaultdict(list))

    def write(self, chat: Chat) -> None:
        """Adds the rows of one chat to `tables`."""
        contact = self._id("contacts")
        stage, since = _stage(chat)
        self._add(
            "contacts", contact, WORKSPACE, stage, since, ["vip"] if len(chat.sales) > 1 else [], chat.shop.country,
            True, chat.at,
        )  # fmt: skip
        kind, name = ("bsuid", f"{chat.shop.country}.{contact:015}") if self._seldom() else ("phone", chat.phone)
        hashed = self.hash_ring.hash(kind, name)
        self._add(
            "contact_identities", contact, WORKSPACE, kind, hashed.key_id, hashed.digest,
            self.secret_ring.seal(name.encode()),
        )  # fmt: skip
        for kind, at in (("new", chat.at), ("qualified", chat.qualified_at), ("won", _won_at(chat))):
            if at is not None:
                self._add("contact_changes", contact, "stage", kind, at, "api", "demo CRM")
        if chat.ad is None:
            self._message(contact, chat.shop, "organic", chat.at)
            for sale in chat.sales:
                self._sale(contact, chat.shop, sale, None, None, chat.days_ago)
            return
        click, touchpoint = self._click(contact, chat.ad, chat.at, chat.has_click_id, chat.replied_at)
        self._add("first_touches", contact, touchpoint)
        self._event(contact, chat.shop, "QualifiedLead", chat.qualified_at, click, touchpoint)
        for sale in chat.sales:
            self._sale(contact, chat.shop, sale, click, touchpoint, chat.days_ago)
            if self._seldom():
                self._detected(contact, chat.shop, sale.at, touchpoint)
        if chat.again is not None:
            ad, at = chat.again
            self._click(contact, ad, at, not ad.in_status, None)

    def _click(
        self, contact: int, ad: Ad, at: datetime, has_click_id: bool, replied_at: datetime | None
    ) -> tuple[str | None, int]:
        """A message from an ad, with its Lead; the click's hash and the touchpoint."""
        click_id = f"AfDemo{self._token()}{self._token()}{self._token()}" if has_click_id else None
        click_hash = hash_click_id(click_id) if click_id else None
        message_class = "ad" if click_id else "ad_without_click_id"
        message = self._message(contact, ad.shop, message_class, at)
        touchpoint = self._id("touchpoints")
        self._add(
            "touchpoints", touchpoint, message, contact, self.places[ad.shop.channel].channel_id, message_class,
            click_id, click_hash, ad.ad_id, "ad", ad.placement, ad.headline, at, replied_at, True,
        )  # fmt: skip
        key = f"click:{click_hash}" if click_hash else f"ad:{contact}:{ad.ad_id}:{at.date().isoformat()}"
        self._conversion(
            contact, ad.shop, "Lead", at, key, click_hash, touchpoint, "message",
            "click_id" if click_hash else "ad_message",
        )  # fmt: skip
        return click_hash, touchpoint

    def _event(
        self, contact: int, shop: Shop, name: str, at: datetime | None, click: str | None, touchpoint: int
    ) -> None:
        if at is not None:
            key = f"click:{click}" if click else f"contact:{contact}"
            self._conversion(contact, shop, name, at, key, click, touchpoint, "api", "last_click")

    def _sale(
        self, contact: int, shop: Shop, sale: Sale, click: str | None, touchpoint: int | None, days_ago: int
    ) -> None:
        conversion = self._conversion(
            contact, shop, "Purchase", sale.at, f"order:default:{sale.order_id}", None, touchpoint, "api",
            "last_click" if touchpoint else "no_touchpoint", sale=sale, has_click_id=click is not None,
            lost=days_ago == OUTAGE_DAY,
        )  # fmt: skip
        if sale.refund is not None:
            self._add(
                "conversion_changes", self._uuid(), conversion, "refund", sale.refund, shop.currency, sale.refunded_at,
                "api", f"refund:{sale.order_id}", True,
            )  # fmt: skip

    def _conversion(
        self,
        contact: int,
        shop: Shop,
        name: str,
        at: datetime,
        key: str,
        click_hash: str | None,
        touchpoint: int | None,
        source: str,
        attribution: str,
        *,
        sale: Sale | None = None,
        has_click_id: bool | None = None,
        lost: bool = False,
    ) -> UUID:
        conversion, place = self._uuid(), self.places[shop.channel]
        # Some sales are entered days later.
        reported = min(at + timedelta(hours=30), self.until) if sale and self._seldom() else at
        self._add(
            "conversions", conversion, WORKSPACE, contact, place.channel_id, name, at, sale and sale.value,
            sale and shop.currency, sale and sale.order_id, source, touchpoint, attribution, key, click_hash, True,
            reported,
        )  # fmt: skip
        clicked = click_hash is not None if has_click_id is None else has_click_id
        outcome = self._outcome(place, reported, attributed=touchpoint is not None, clicked=clicked, lost=lost)
        event_id = event_id_for(place.dataset_meta_id, name, key)
        self._add(
            "deliveries", conversion, place.dataset_id, name, key, event_id, at, sale is not None,
            outcome["state"], *(outcome.get(column) for column in _OUTCOME), True, reported, reported,
        )  # fmt: skip
        return conversion

    def _detected(self, contact: int, shop: Shop, at: datetime, touchpoint: int) -> None:
        """A purchase that Meta found in the chat by itself: kept, and in no total."""
        self._add(
            "conversions", UUID(int=self.aside.getrandbits(128), version=4), WORKSPACE, contact,
            self.places[shop.channel].channel_id, "Purchase", at, None, None, None, "meta_automatic", touchpoint,
            "detected_by_meta", f"meta:{touchpoint}:{at.isoformat()}", None, True, at,
        )  # fmt: skip

    def _outcome(self, place: Place, at: datetime, *, attributed: bool, clicked: bool, lost: bool) -> Mapping[str, Any]:
        ended = at + timedelta(seconds=self.rng.lognormvariate(0.3, 0.8))
        if not clicked:
            reason = "no_click_id" if attributed else "unattributed"
            return {"state": "skipped", "reason": reason, "attempts": 0, "finished_at": ended}
        if place.stuck_since is not None and at > place.stuck_since:
            return {"state": "pending", "next_attempt_at": self.until, "attempts": 0}
        if lost:
            return {"state": "unknown", "reason": "no_answer", "attempts": 1, "unknown_since": ended}
        trace = {"attempts": 1, "finished_at": ended, "last_trace_id": f"ADemo{self._token()[:16]}"}
        if self.rng.random() < 0.012:
            answer = {"last_http_status": 400, "last_code": 100, "last_subcode": 2804087}
            return {"state": "rejected", "reason": "meta_100_2804087", **answer, **trace}
        return {"state": "accepted", "accepted_at": ended, "last_http_status": 200, **trace}

    def _message(self, contact: int, shop: Shop, message_class: str, at: datetime) -> int:
        message = self._id("messages")
        self._add(
            "messages", message, self.places[shop.channel].channel_id, f"DEMO.{self._token()}", contact, message_class,
            "text", at, at, self._uuid(), at, True,
        )  # fmt: skip
        return message

    def _add(self, table: str, *values: Any) -> None:
        self.tables[table].append(values)

    def _id(self, table: str) -> int:
        self.next_ids[table] += 1
        return self.next_ids[table] - 1

    def _uuid(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    def _seldom(self) -> bool:
        return self.aside.random() < 0.07

    def _token(self) -> str:
        return hashlib.sha256(self.rng.randbytes(16)).hexdigest()[:32]


#: The columns of a delivery that say how it ended, in the order of COLUMNS.
_OUTCOME = (
    "reason", "next_attempt_at", "attempts", "accepted_at", "unknown_since", "finished_at", "last_http_status",
    "last_code", "last_subcode", "last_trace_id",
)  # fmt: skip


def _won_at(chat: Chat) -> datetime | None:
    return min((sale.at for sale in chat.sales), default=None)


def _stage(chat: Chat) -> tuple[str, datetime]:
    won = _won_at(chat)
    if won is not None:
        return "won", won
    return ("qualified", chat.qualified_at) if chat.qualified_at else ("new", chat.at)


def batches(chats: Iterator[Chat], writer: Writer, size: int) -> Iterator[Mapping[str, list[Sequence[Any]]]]:
    """The rows of so many chats at a time."""
    for count, chat in enumerate(chats, start=1):
        writer.write(chat)
        if count % size == 0:
            yield writer.tables
            writer.tables = defaultdict(list)
    if writer.tables:
        yield writer.tables
