"""From a hosted provider's documented fields to a message, or to the reason why it is none. Pure.

An adapter says which of its fields is what; the rules that hold for all of them are here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.domain.messages import Message, Referral, classify
from shared.domain.signals import Order
from shared.providers.addresses import AddressKind, phone_digits, read_address
from shared.providers.base import Collector, Json
from shared.providers.body import identifier, text

#: Message types (in lower case) that are not a new message from a person. All others are, also types we don't know.
NOT_A_MESSAGE: Mapping[str, str] = {
    "edit": "edit",
    "reaction": "reaction",
    "revoke": "revoke",
    "system": "system",
}
NOT_ONE_TO_ONE: Mapping[AddressKind, str] = {
    AddressKind.GROUP: "group",
    AddressKind.NEWSLETTER: "newsletter",
    AddressKind.STATUS: "status_story",
    AddressKind.BROADCAST: "broadcast",
}

#: A business-scoped user id, which several providers put where a phone used to be: `US.13491208655302741918`.
BSUID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9]{1,128}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Inbound:
    """A provider's fields, as they came. `sender` is an address in any spelling, `business` the number written to."""

    message_id: Json
    kind: Json
    sender: Json
    bsuid: Json = None
    parent_bsuid: Json = None
    business: Json = None
    referral: Referral | None = None
    sent_at: datetime | None = None
    text: Json = None
    order: Order | None = None


def keep_message(written: Inbound, found: Collector) -> None:
    """Add the message to what was found, or count the reason why it isn't one from a person."""
    message_id = identifier(written.message_id)
    if message_id is None:
        return found.ignore("no_message_id")
    kind = (text(written.kind, 64) or "").lower()
    if kind in NOT_A_MESSAGE:
        return found.ignore(NOT_A_MESSAGE[kind])
    sender = read_address(identifier(written.sender))
    if sender and sender.kind in NOT_ONE_TO_ONE:
        return found.ignore(NOT_ONE_TO_ONE[sender.kind])
    business = identifier(written.business)
    channel_ref = phone_digits((business or "").removeprefix("whatsapp:")) or business
    if sender and sender.kind is AddressKind.PHONE and sender.value == channel_ref:
        return found.ignore("from_me")
    bsuid = identifier(written.bsuid)
    if bsuid is None and sender and BSUID.fullmatch(sender.value):
        bsuid = sender.value
    names = {sender.kind: sender.value} if sender and sender.value != bsuid else {}
    if not (names or bsuid):
        return found.ignore("no_sender")
    return found.add_message(
        Message(
            message_id=message_id,
            message_class=classify(written.referral),
            referral=written.referral,
            phone=names.get(AddressKind.PHONE),
            lid=names.get(AddressKind.LID),
            bsuid=bsuid,
            parent_bsuid=identifier(written.parent_bsuid),
            provider_id=None if bsuid else names.get(AddressKind.ID),
            kind=kind or None,
            sent_at=written.sent_at,
            channel_ref=channel_ref,
            text=text(written.text),
            order=written.order,
        )
    )
