"""From the fields of a WhatsApp-Web bridge to a message, or to the reason why it is none. Pure.

An adapter says which of its fields is what; the rules that hold for all bridges are here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.messages import Message, Referral, classify
from shared.domain.signals import Author
from shared.providers.addresses import Address, AddressKind, read_address
from shared.providers.base import Collector, Json
from shared.providers.body import boolean, identifier, text
from shared.providers.inbound import NOT_ONE_TO_ONE
from shared.providers.outgoing import Sent, keep_outgoing
from shared.providers.web_protocol import Content, is_status_reply, read_referral


@dataclass(frozen=True, kw_only=True)
class WebMessage:
    """A bridge's fields, as they came.

    `names` are addresses of the sender in any spelling, the best first: a chat with one person is that person, and a
    LID often stands beside the phone. `contexts` are those the bridge wrote outside of the message. A message whose
    content is missing still came from a person, and counts. `author` is who wrote a message of the business's own, and
    `recipients` the addresses of whom it went to, where they are others than `names`; without an author it isn't read.
    """

    message_id: Json
    from_me: Json
    names: Sequence[Json]
    content: Content
    by_api: Json = None
    contexts: Sequence[Mapping[str, Json]] = ()
    status_reply: bool = False
    kind: Json = None
    sent_at: datetime | None = None
    channel_ref: Json = None
    text: Json = None
    author: Author | None = None
    recipients: Sequence[Json] = ()


def keep_message(written: WebMessage, found: Collector) -> None:
    """Add the message to what was found, or count the reason why it isn't one from a person."""
    message_id = identifier(written.message_id)
    if message_id is None:
        return found.ignore("no_message_id")
    addresses = [address for name in written.names if (address := read_address(identifier(name)))]
    outgoing = _why_outgoing(written)
    if outgoing and outgoing != "malformed" and written.author and written.content.not_a_message is None:
        return keep_outgoing(_sent(written, written.author, outgoing), outgoing, found)
    reason = outgoing or _why_not_one_to_one(addresses) or written.content.not_a_message
    if reason:
        return found.ignore(reason)
    people: dict[AddressKind, str] = {}
    for address in addresses:
        people.setdefault(address.kind, address.value)
    if not people:
        return found.ignore("no_sender")
    referral = _read_referral(written, found)
    return found.add_message(
        Message(
            message_id=message_id,
            message_class=classify(referral),
            referral=referral,
            phone=people.get(AddressKind.PHONE),
            lid=people.get(AddressKind.LID),
            provider_id=people.get(AddressKind.ID) if len(people) == 1 else None,
            kind=written.content.kind or text(written.kind, 64),
            sent_at=written.sent_at,
            channel_ref=identifier(written.channel_ref),
            text=text(written.text) or written.content.text,
            order=written.content.order,
        )
    )


def _sent(written: WebMessage, author: Author, reason: str) -> Sent:
    return Sent(
        message_id=written.message_id,
        author=Author.AUTOMATION if reason == "api_send" else author,
        recipients=written.recipients or written.names,
        kind=written.content.kind or written.kind,
        text=written.text or written.content.text,
        order=written.content.order,
        sent_at=written.sent_at,
    )


def _why_outgoing(written: WebMessage) -> str | None:
    """Return why the message isn't inbound. One that doesn't say is; one that says something odd isn't read."""
    if boolean(written.by_api):
        return "api_send"
    outgoing = boolean(written.from_me)
    if outgoing is None and written.from_me not in (None, ""):
        return "malformed"
    return "from_me" if outgoing else None


def _why_not_one_to_one(addresses: Iterable[Address]) -> str | None:
    for address in addresses:
        if address.kind in NOT_ONE_TO_ONE:
            return NOT_ONE_TO_ONE[address.kind]
        if address.digits == "0" or address.value.lower().endswith("@bot"):  # WhatsApp's own account, and Meta AI
            return "system"
    return None


def _read_referral(written: WebMessage, found: Collector) -> Referral | None:
    contexts = (*written.contexts, *written.content.contexts)
    referral = read_referral(contexts)
    if referral and (written.status_reply or is_status_reply(contexts)):
        # A reply to a status repeats the ad block of an earlier conversation; nothing was tapped now.
        found.ignore("stale_ad_block")
        return None
    return referral
