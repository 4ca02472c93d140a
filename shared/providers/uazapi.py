"""UAZAPI: one event a request; `messages` brings one message of whatsmeow, its content bare of the protocol's envelope.

Documentation: https://docs.uazapi.com/. It lists the events and the fields of a message, but not the webhook around
them; that and the ad block were read off real webhooks.

| what | where |
|---|---|
| click id | `message.content.contextInfo.externalAdReply.ctwaClid`; wrappers are opened |
| ad or post | `message.content.contextInfo.externalAdReply.{sourceID,sourceType,sourceURL,title,body,mediaType}` |
| conversion token | `message.content.contextInfo.conversionData` |
| sender | `message.{chatid,sender_pn,sender_lid,sender}`, `sender` being a LID; `chat.{wa_chatid,wa_chatlid,phone}` |
| message id | `message.messageid`, else what follows the owner in `message.id` |
| time | `message.messageTimestamp`, milliseconds |
| text | `message.text` |
| sent by the business | `message.fromMe`; with `wasSentByApi` a program wrote it, else a person; to `message.chatid` |
| business number | `instanceName`, else `owner` |

A plain text's `content` is a string; nothing in it is ever read.

UAZAPI signs nothing. The instance's `token` is in every body and is the whole proof; the same in a header that a proxy
adds may take its place.
"""

from collections.abc import Mapping, Sequence

from shared.domain.signals import Author
from shared.providers.base import (
    Collector,
    Json,
    Parsed,
    Provider,
    Request,
    SamplePaths,
    SecretField,
    Secrets,
    UnparsableError,
)
from shared.providers.body import boolean, identifier, mapping, raw_text, read_object, text, unix_milliseconds
from shared.providers.proofs import DEFAULT_HEADER, StaticToken, any_of, live_secrets, same
from shared.providers.web_message import WebMessage, keep_message
from shared.providers.web_protocol import Content, click_id_paths, read_content

#: The events but `messages` and `messages_update`, and why they are left out.
OTHER_EVENTS = {
    "blocks": "contacts",
    "call": "calls",
    "chat_labels": "labels",
    "chats": "chats",
    "connection": "channel_state",
    "contacts": "contacts",
    "groups": "groups",
    "history": "history",
    "labels": "labels",
    "leads": "contacts",
    "newsletter_messages": "newsletter",
    "presence": "presences",
}

_HEADER = StaticToken()


def parse(request: Request) -> Parsed:
    """Return the live message of a webhook, or what was left out. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    event = (text(body.get("EventType"), 64) or "").lower()
    if event == "messages":
        _read_message(body, found)
    elif event == "messages_update":
        listed = mapping(body.get("event")).get("MessageIDs")
        kind = text(body.get("type"), 64)
        found.ignore(
            "statuses" if kind in (None, "ReadReceipt") else "message_update",
            len(listed) if isinstance(listed, list) and listed else 1,
        )
    elif event:
        found.ignore(OTHER_EVENTS.get(event, "other_event_type"))
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _read_message(body: Mapping[str, Json], found: Collector) -> None:
    message, chat = body.get("message"), mapping(body.get("chat"))
    if not isinstance(message, dict):
        return found.ignore("unparsed" if message is None else "malformed")
    names = [message.get(name) for name in ("chatid", "sender_pn", "sender_lid", "sender")]
    return keep_message(
        WebMessage(
            message_id=_message_id(message),
            from_me=message.get("fromMe"),
            by_api=message.get("wasSentByApi"),
            names=[*names, chat.get("wa_chatid"), chat.get("wa_chatlid"), chat.get("phone")],
            recipients=[message.get("chatid"), chat.get("wa_chatid"), chat.get("phone")],
            author=Author.HUMAN,
            text=message.get("text"),
            content=_content(message, chat),
            kind=message.get("messageType"),
            sent_at=unix_milliseconds(message.get("messageTimestamp")),
            channel_ref=body.get("instanceName") or body.get("owner"),
        ),
        found,
    )


def _message_id(message: Mapping[str, Json]) -> str | None:
    """Return WhatsApp's id of the message; `id` is the same behind the owner's number and a colon."""
    own = identifier(message.get("messageid"))
    return own or (identifier(message.get("id")) or "").rpartition(":")[2] or None


def _content(message: Mapping[str, Json], chat: Mapping[str, Json]) -> Content:
    """Return what was sent: `messageType` is the protocol's word with a capital, `content` what stood under it."""
    kind, written = text(message.get("messageType"), 64) or "", message.get("content")
    content = read_content({kind[:1].lower() + kind[1:]: mapping(written)})
    if content.kind is None:
        content = Content(contexts=(mapping(mapping(written).get("contextInfo")),))
    if boolean(message.get("isGroup")) or boolean(chat.get("wa_isGroup")):
        return Content(content.kind, "group")
    for name, reason in (("reaction", "reaction"), ("edited", "edit")):
        if text(message.get(name)):
            return Content(content.kind, reason)
    return content


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the body carries the instance's token, or the request the same token in a header."""
    tokens = live_secrets(secrets, "token")
    if not tokens:
        return False
    try:
        given = raw_text(read_object(request).get("token")) or ""
    except UnparsableError:
        given = ""
    in_body = any_of(same(given, token) for token in tokens)
    return _HEADER.verify(request, secrets) or in_body


PROVIDER = Provider(
    name="uazapi",
    title="UAZAPI",
    docs_url="https://docs.uazapi.com/",
    secret_fields=(
        SecretField("token", "The instance's token; UAZAPI sends it in every webhook."),
        SecretField(
            "header",
            "Name of a header that may carry the same token, for samples and for proxies that add one.",
            required=False,
            default=DEFAULT_HEADER,
        ),
    ),
    verify=verify,
    parse=parse,
    sign=_HEADER.sign,
    subpaths=True,
    click_id_paths=(
        "message.content.contextInfo.externalAdReply.ctwaClid",
        *click_id_paths("message.content.message"),
    ),
    sample_paths=SamplePaths(
        message_ids=("message.messageid", "event.MessageIDs.*"),
        times=("message.messageTimestamp", "event.Timestamp"),
        phones=("message.chatid", "message.sender_pn", "chat.wa_chatid", "chat.phone", "event.Chat"),
        click_ids=("message.content.contextInfo.externalAdReply.ctwaClid",),
        tokens=("message.content.contextInfo.conversionData",),
    ),
)
