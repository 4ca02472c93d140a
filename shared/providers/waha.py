"""WAHA: one event a request; what the ad says is in `payload._data`, in the words of the engine that runs the session.

Documentation: https://waha.devlike.pro/docs/how-to/events/. `_data` is the engine's own message, which that page leaves
undescribed: GOWS writes whatsmeow's message event, NOWEB writes Baileys' message.

| what | where |
|---|---|
| click id, GOWS | `payload._data.Message.<type>.contextInfo.externalAdReply.ctwaClid`; wrappers are opened |
| click id, NOWEB | `payload._data.message.<type>.contextInfo.externalAdReply.ctwaClid`; wrappers are opened |
| click id, seen once in GOWS | `….contextInfo.ctwaClid`, with no ad block around it |
| ad or post | `….externalAdReply.{sourceID or sourceId,sourceType,sourceURL or sourceUrl,title,body,mediaType}` |
| sender | `payload.from` |
| more of them | `_data.Info.{SenderAlt,Sender,Chat}`, `_data.key.{remoteJid,remoteJidAlt,senderPn,senderLid}` |
| message id | `payload.id`, `false_<chat>_<id>`; both `message` and `message.any` carry it |
| time | `payload.timestamp`, seconds (the envelope's is in milliseconds) |
| text | `payload.body` |
| sent by the business | `payload.fromMe`; `payload.source` `app` is a person's, `api` a program's; to `payload.to` |
| labels | `label.chat.added`, `label.chat.deleted`: `payload.{chatId,labelId,label.name}` |
| business number | `session`, its name |

The WEBJS engine has the ad in an undocumented place (`_data.ctwaContext`) without a known click id; it isn't read.

Authentic is what carries `X-Webhook-Hmac`, the HMAC-SHA512 of the body under the session's `hmac.key`.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

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
)
from shared.providers.body import boolean, identifier, mapping, raw_text, read_object, text, unix_seconds
from shared.providers.outgoing import keep_label
from shared.providers.proofs import any_of, live_secrets, same, secret_bytes
from shared.providers.web_message import WebMessage, keep_message
from shared.providers.web_protocol import Content, click_id_paths, read_content, read_event

SIGNATURE_HEADER = "X-Webhook-Hmac"

#: The events but `message` and `message.any`, and why they are left out; those of a family share its reason.
OTHER_EVENTS = {
    "message.ack": "statuses",
    "message.ack.group": "statuses",
    "message.edited": "edit",
    "message.reaction": "reaction",
    "message.revoked": "revoke",
    "message.waiting": "placeholder",
    "session.status": "channel_state",
    "state.change": "channel_state",
}
FAMILIES = {
    "call": "calls",
    "chat": "chats",
    "event": "action",
    "group": "groups",
    "label": "labels",
    "poll": "action",
    "presence": "presences",
}
#: Whether the event puts a label on a chat, or takes it off.
LABELS = {"label.chat.added": True, "label.chat.deleted": False}
#: `_data.type` of the WEBJS engine, https://docs.wwebjs.dev/global.html#MessageTypes. All others are messages.
WEBJS_TYPES = {
    "broadcast_notification": "system",
    "call_log": "calls",
    "ciphertext": "placeholder",
    "debug": "system",
    "e2e_notification": "system",
    "gp2": "group",
    "group_notification": "group",
    "notification": "system",
    "notification_template": "system",
    "protocol": "system",
    "reaction": "reaction",
    "revoked": "revoke",
}
#: `messageStubType` of Baileys' notices; the one for a message that could not be decrypted yet.
CIPHERTEXT = ("2", "CIPHERTEXT")

_ID = re.compile(r"(true|false)_([^_]+)_.+")
_SIGNATURE = re.compile(r"[0-9a-f]{128}", re.ASCII)


def parse(request: Request) -> Parsed:
    """Return the live message of a webhook, or what was left out. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    event = (text(body.get("event"), 64) or "").lower()
    if event in ("message", "message.any"):
        _read_message(body.get("payload"), body.get("session"), found)
    elif event in LABELS:
        _read_label(mapping(body.get("payload")), LABELS[event], found)
    elif event:
        found.ignore(OTHER_EVENTS.get(event) or FAMILIES.get(event.partition(".")[0], "other_event_type"))
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _read_label(payload: Mapping[str, Json], added: bool, found: Collector) -> None:
    """Keep a label; its name comes with it only where the engine knows it."""
    found.ignore("labels")
    name = text(mapping(payload.get("label")).get("name"))
    keep_label(payload.get("chatId"), name or payload.get("labelId"), added=added, at=None, found=found)


def _read_message(payload: Json, session: Json, found: Collector) -> None:
    if not isinstance(payload, dict):
        return found.ignore("malformed")
    data = mapping(payload.get("_data"))
    written_id = _ID.fullmatch(identifier(payload.get("id")) or "")
    outgoing = payload.get("fromMe")
    if outgoing is None and written_id:
        outgoing = written_id[1] == "true"
    if mapping(data.get("ctwaContext")):
        found.ignore("unparsed")
    return keep_message(
        WebMessage(
            message_id=payload.get("id"),
            from_me=outgoing,
            by_api=boolean(outgoing) and payload.get("source") == "api",
            names=[payload.get("from"), *_other_names(data), written_id and written_id[2]],
            recipients=_recipients(payload, data, written_id and written_id[2]),
            author=Author.HUMAN if payload.get("source") == "app" else Author.UNKNOWN,
            text=payload.get("body"),
            content=_content(data),
            kind=data.get("type"),
            sent_at=unix_seconds(payload.get("timestamp")),
            channel_ref=session,
        ),
        found,
    )


def _other_names(data: Mapping[str, Json]) -> list[Json]:
    info, key = mapping(data.get("Info")), mapping(data.get("key"))
    names = [info.get(name) for name in ("SenderAlt", "Sender", "Chat")]
    return names + [key.get(name) for name in ("remoteJidAlt", "senderPn", "senderLid", "remoteJid")]


def _recipients(payload: Mapping[str, Json], data: Mapping[str, Json], chat: Json) -> list[Json]:
    """Whom a message of the business's own went to: the chat, which is in its id, too."""
    info, key = mapping(data.get("Info")), mapping(data.get("key"))
    return [payload.get("to"), chat, info.get("Chat"), info.get("RecipientAlt"), key.get("remoteJid")]


def _content(data: Mapping[str, Json]) -> Content:
    """Return what the engine says was sent. WEBJS has no message of the protocol, but says of what type it is."""
    content = read_event(data) if mapping(data.get("Message")) else read_content(data.get("message"))
    reason = WEBJS_TYPES.get(text(data.get("type"), 64) or "")
    stub = data.get("messageStubType")
    if content.kind is None and stub not in (None, "", 0):
        reason = "placeholder" if str(stub) in CIPHERTEXT else "system"
    contexts = tuple(map(_with_bare_click_id, content.contexts))
    return replace(content, not_a_message=content.not_a_message or reason, contexts=contexts)


def _with_bare_click_id(context: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the context with a click id that stands beside the ad block put into it."""
    ad, bare = mapping(context.get("externalAdReply")), raw_text(context.get("ctwaClid"))
    if bare is None or ad.get("ctwaClid"):
        return context
    return {**context, "externalAdReply": {**ad, "ctwaClid": bare}}


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the body's signature was made with any of the channel's keys."""
    given = request.headers.get(SIGNATURE_HEADER.lower(), "")
    given = given if _SIGNATURE.fullmatch(given) else ""
    return any_of(same(given, _signature(request.body, key)) for key in live_secrets(secrets, "hmac_key"))


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the headers that WAHA would send with this body."""
    signature = _signature(request.body, secrets.get("hmac_key", "").strip())
    return {SIGNATURE_HEADER: signature}


def _signature(body: bytes, key: str) -> str:
    return hmac.new(secret_bytes(key), body, hashlib.sha512).hexdigest()


_BLOCKS = (*click_id_paths("payload._data.Message"), *click_id_paths("payload._data.message"))

PROVIDER = Provider(
    name="waha",
    title="WAHA",
    docs_url="https://waha.devlike.pro/docs/how-to/events/",
    secret_fields=(
        SecretField(
            "hmac_key",
            "Put it into the session's webhook as `hmac.key` (or WHATSAPP_HOOK_HMAC_KEY); it signs every webhook.",
            generated=True,
        ),
    ),
    verify=verify,
    parse=parse,
    sign=sign,
    click_id_paths=(*_BLOCKS, *(path.replace(".externalAdReply", "") for path in _BLOCKS)),
    sample_paths=SamplePaths(
        message_ids=("payload.id", "payload._data.Info.ID"),
        times=("timestamp", "payload.timestamp", "payload._data.Info.Timestamp"),
        phones=("payload.from", "payload._data.Info.Chat", "payload._data.Info.Sender"),
        click_ids=("payload._data.Message.extendedTextMessage.contextInfo.externalAdReply.ctwaClid",),
        tokens=("payload._data.Message.extendedTextMessage.contextInfo.conversionData",),
    ),
)
