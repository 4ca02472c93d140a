"""Green-API: one notification a request.

Documentation: https://green-api.com/en/docs/api/receiving/notifications-format/incoming-message/ExtendedTextMessage/
(ads) and https://green-api.com/en/docs/api/account/SetSettings/ (`webhookUrlToken`).

| what | where |
|---|---|
| click id | not documented, never read |
| ad or post | `messageData.extendedTextMessageData.{sourceId,sourceType,sourceUrl,title,description,mediaType}` |
| sender | `senderData.sender`, else `senderData.chatId` (`15550100123@c.us`) |
| time | `timestamp`, seconds |
| text | `messageData.{textMessageData.textMessage,extendedTextMessageData.text,fileMessageData.caption}` |
| sent by a person | `outgoingMessageReceived`, to `senderData.chatId`; `outgoingAPIMessageReceived`: by a program |
| business number | `instanceData.wid` |

Green-API signs nothing. It sends `Authorization` with the token of the instance's settings, which is the whole proof.
"""

from collections.abc import Mapping
from dataclasses import replace

from shared.domain.signals import Author
from shared.providers.addresses import read_address
from shared.providers.base import Collector, Json, Parsed, Provider, Request, SamplePaths
from shared.providers.body import identifier, mapping, read_object, text, unix_seconds
from shared.providers.inbound import NOT_ONE_TO_ONE, Inbound, keep_message
from shared.providers.outgoing import Sent, keep_outgoing
from shared.providers.proofs import StaticToken
from shared.providers.referral import CAMEL, read_referral

REFERRAL = replace(CAMEL, headline="title", body="description")
OTHER_NOTIFICATIONS = {
    "deviceInfo": "channel_state",
    "incomingCall": "calls",
    "outgoingCall": "calls",
    "outgoingMessageStatus": "statuses",
    "stateInstanceChanged": "channel_state",
    "statusInstanceChanged": "channel_state",
}
#: What the business sent, and who did it: from the phone, or through the API.
SENT = {
    "outgoingAPIMessageReceived": ("api_send", Author.AUTOMATION),
    "outgoingMessageReceived": ("from_me", Author.HUMAN),
}
#: Values of `typeMessage` that are not a new message from a person.
NOT_A_MESSAGE = {
    "deletedMessage": "revoke",
    "editedMessage": "edit",
    "pollUpdateMessage": "action",
    "reactionMessage": "reaction",
}

TEXTS = {"textMessageData": "textMessage", "extendedTextMessageData": "text", "fileMessageData": "caption"}

_TOKEN = StaticToken("Authorization")


def parse(request: Request) -> Parsed:
    """Return the message of a notification, or what it was instead. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    notification = text(body.get("typeWebhook"), 128)
    if notification == "incomingMessageReceived":
        _read_message(body, found)
    elif notification in SENT:
        _read_sent(body, *SENT[notification], found)
    elif notification:
        found.ignore(OTHER_NOTIFICATIONS.get(notification, "other_event_type"))
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _read_sent(body: Mapping[str, Json], reason: str, author: Author, found: Collector) -> None:
    message = mapping(body.get("messageData"))
    kind = text(message.get("typeMessage"), 64) or ""
    if kind in NOT_A_MESSAGE:
        return found.ignore(reason)
    return keep_outgoing(
        Sent(
            message_id=body.get("idMessage"),
            author=author,
            recipients=[mapping(body.get("senderData")).get("chatId")],
            kind=kind.removesuffix("Message"),
            text=_text(message),
            sent_at=unix_seconds(body.get("timestamp")),
        ),
        reason,
        found,
    )


def _text(message: Mapping[str, Json]) -> str | None:
    """What was typed, or the caption of a file."""
    written = (mapping(message.get(part)).get(name) for part, name in TEXTS.items())
    return next((found for one in written if (found := text(one))), None)


def _read_message(body: Mapping[str, Json], found: Collector) -> None:
    sender, message = mapping(body.get("senderData")), mapping(body.get("messageData"))
    kind = text(message.get("typeMessage"), 64)
    if kind in NOT_A_MESSAGE:
        return found.ignore(NOT_A_MESSAGE[kind])
    chat = read_address(identifier(sender.get("chatId")))
    if chat and chat.kind in NOT_ONE_TO_ONE:
        return found.ignore(NOT_ONE_TO_ONE[chat.kind])
    business = read_address(identifier(mapping(body.get("instanceData")).get("wid")))
    # The ad's fields are documented for this type alone; a quoting message has the same part, of another message.
    referral = mapping(message.get("extendedTextMessageData")) if kind == "extendedTextMessage" else {}
    return keep_message(
        Inbound(
            message_id=body.get("idMessage"),
            kind="text" if kind == "extendedTextMessage" else (kind or "").removesuffix("Message"),
            sender=sender.get("sender") or sender.get("chatId"),
            business=business.value if business else None,
            referral=read_referral(referral, REFERRAL),
            sent_at=unix_seconds(body.get("timestamp")),
            text=_text(message),
        ),
        found,
    )


PROVIDER = Provider(
    name="green_api",
    title="Green-API",
    docs_url="https://green-api.com/en/docs/api/receiving/notifications-format/incoming-message/ExtendedTextMessage/",
    secret_fields=_TOKEN.fields("Green-API sends webhookUrlToken as Authorization"),
    verify=_TOKEN.verify,
    parse=parse,
    sign=_TOKEN.sign,
    verify_needs_body=False,
    sample_paths=SamplePaths(
        message_ids=("idMessage",),
        times=("timestamp",),
        phones=("senderData.sender", "senderData.chatId", "chatId"),
    ),
)
