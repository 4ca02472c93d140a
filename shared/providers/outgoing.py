"""What the business sent, as rules read it: kept beside what is ignored, and counted there. Pure.

An adapter says which of its fields is what, and who wrote it where its documentation says that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.domain.signals import Author, LabelChange, Order, OutgoingMessage
from shared.providers.addresses import AddressKind, read_address
from shared.providers.base import Collector, Json
from shared.providers.body import identifier, text
from shared.providers.inbound import BSUID, NOT_A_MESSAGE, NOT_ONE_TO_ONE


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A provider's fields, as they came. `recipients` are addresses of the person in any spelling, the best first."""

    message_id: Json
    author: Author
    recipients: Iterable[Json]
    kind: Json = None
    text: Json = None
    template: Json = None
    order: Order | None = None
    bsuid: Json = None
    parent_bsuid: Json = None
    sent_at: datetime | None = None


def keep_outgoing(written: Sent, reason: str, found: Collector) -> None:
    """Count the message under `reason`, and keep it for rules if it went to one person and can be told from others."""
    found.ignore(reason)
    message_id = identifier(written.message_id)
    kind = text(written.kind, 64)
    names = person_named(written.recipients)
    bsuid = identifier(written.bsuid) or names.pop("bsuid", None)
    if message_id is None or (kind or "").lower() in NOT_A_MESSAGE or not (names or bsuid):
        return
    found.add_outgoing(
        OutgoingMessage(
            message_id=message_id,
            author=written.author,
            phone=names.get("phone"),
            lid=names.get("lid"),
            provider_id=None if bsuid else names.get("provider_id"),
            bsuid=bsuid,
            parent_bsuid=identifier(written.parent_bsuid),
            kind=kind,
            text=text(written.text),
            template=text(written.template, 512),
            order=written.order,
            sent_at=written.sent_at,
        )
    )


def keep_label(chat: Json, label: Json, *, added: bool, at: datetime | None, found: Collector) -> None:
    """Keep a label of the chat with one person; `label` is its name or id. The caller counts the event."""
    name = text(label, 100) or identifier(label)
    names = person_named([chat])
    if name and names:
        found.add_label(
            LabelChange(
                label=name,
                added=added,
                phone=names.get("phone"),
                lid=names.get("lid"),
                bsuid=names.get("bsuid"),
                provider_id=names.get("provider_id"),
                at=at,
            )
        )


def person_named(addresses: Iterable[Json]) -> dict[str, str]:
    """The names of one person in these addresses, by the field of a message; empty when they name a group or nobody."""
    names: dict[str, str] = {}
    for written in addresses:
        address = read_address(identifier(written))
        if address is None:
            continue
        if address.kind in NOT_ONE_TO_ONE or address.digits == "0":
            return {}
        field = {AddressKind.PHONE: "phone", AddressKind.LID: "lid"}.get(address.kind, "provider_id")
        names.setdefault("bsuid" if BSUID.fullmatch(address.value) else field, address.value)
    if len(names) > 1:
        names.pop("provider_id", None)
    return names
