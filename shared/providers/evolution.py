"""Evolution API v2: one event a request; `messages.upsert` brings one message, its context lifted to the top.

Documentation: https://doc.evolution-api.com/v2/en/configuration/webhooks. The format is that of the code:
https://github.com/EvolutionAPI/evolution-api/blob/main/src/api/integrations/channel/whatsapp/whatsapp.baileys.service.ts
(`prepareMessage`), the request that of .../integrations/event/webhook/webhook.controller.ts.

| what | where |
|---|---|
| click id | `data.contextInfo.externalAdReply.ctwaClid`: text messages are rewritten and their context lifted there |
| | `data.message.<type>.contextInfo.externalAdReply.ctwaClid`: media keep theirs too; wrappers are opened |
| ad or post | `….externalAdReply.{sourceId,sourceType,sourceUrl,title,body,mediaType,mediaUrl,sourceApp}` |
| conversion token | `….contextInfo.conversionData`, mostly as {"0": 65, …} |
| sender | `data.key.{remoteJid,remoteJidAlt,senderPn,senderLid,previousRemoteJid}`; a LID where the phone is hidden |
| time | `data.messageTimestamp`, seconds |
| text, order | `data.message.{conversation,….caption}`, `data.message.orderMessage` |
| sent by the business | `data.key.fromMe`, by a person when `data.source` is a device; `send.message` is the API's |
| labels | `labels.association`: `data.{type,chatId,labelId}`; a label's id, never its name |
| business number | `instance`, its name; `sender` of the envelope is the business, not the person |

Evolution signs nothing. It sends headers of our choice, and with the special header setting `jwt_key` a JSON Web Token
in `Authorization`. The instance's `apikey` in the body is no proof, and is never read.
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
)
from shared.providers.body import mapping, read_object, text, unix_seconds
from shared.providers.json_web_token import read_token, sign_token
from shared.providers.outgoing import keep_label
from shared.providers.proofs import StaticToken, any_of, live_secrets, signing_time
from shared.providers.web_message import WebMessage, keep_message
from shared.providers.web_protocol import click_id_paths, read_content

#: The events of src/api/types/wa.types.ts but those that are read, and why they are left out.
OTHER_EVENTS = {
    "application.startup": "channel_state",
    "call": "calls",
    "chats.delete": "chats",
    "chats.set": "chats",
    "chats.update": "chats",
    "chats.upsert": "chats",
    "connection.update": "channel_state",
    "contacts.set": "contacts",
    "contacts.update": "contacts",
    "contacts.upsert": "contacts",
    "creds.update": "channel_state",
    "group.participants.update": "groups",
    "groups.update": "groups",
    "groups.upsert": "groups",
    "instance.create": "channel_state",
    "instance.delete": "channel_state",
    "labels.edit": "labels",
    "logout.instance": "channel_state",
    "messages.delete": "revoke",
    "messages.edited": "edit",
    "messages.set": "history",
    "messages.update": "statuses",
    "messaging.history.set": "history",
    "presence.update": "presences",
    "qrcode.updated": "channel_state",
    "remove.instance": "channel_state",
    "send.message.update": "edit",
    "status.instance": "channel_state",
}

#: `data.source` of a message that a person sent from a device of the business.
DEVICES = ("android", "ios", "web", "desktop")
#: A token is good for ten minutes, but is made once for all ten attempts to deliver one event, the last of which may
#: begin half an hour after the first (1,215 s of delays, a fifth of jitter, nine time-outs of 30 s). Refused with 401,
#: Evolution gives the event up.
RESEND_SECONDS = 20 * 60
CLOCK_SECONDS = 5 * 60

_TOKEN = StaticToken()


def parse(request: Request) -> Parsed:
    """Return the live message of a webhook, or what was left out. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    event = _event(request, body)
    data = body.get("data")
    if event in ("messages.upsert", "send.message"):
        _read_message(data, body.get("instance"), found, by_api=event == "send.message")
    elif event == "labels.association":
        _read_label(data, found)
    elif event:
        found.ignore(OTHER_EVENTS.get(event, "other_event_type"), len(data) if isinstance(data, list) else 1)
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _event(request: Request, body: Mapping[str, Json]) -> str:
    """Return the event's name with dots: the body writes `messages.upsert`, the path `messages-upsert`."""
    event = text(body.get("event"), 64) or request.path.strip("/")
    return event.lower().replace("-", ".").replace("_", ".")


def _read_label(data: Json, found: Collector) -> None:
    """Keep a label of a chat. Only its id comes with it."""
    found.ignore("labels", len(data) if isinstance(data, list) else 1)
    association = mapping(data)
    added = {"add": True, "remove": False}.get(text(association.get("type"), 16) or "")
    if added is not None:
        keep_label(association.get("chatId"), association.get("labelId"), added=added, at=None, found=found)


def _read_message(data: Json, instance: Json, found: Collector, *, by_api: bool) -> None:
    if not isinstance(data, dict):
        return found.ignore("api_send" if by_api else "malformed", len(data) if isinstance(data, list) else 1)
    key = mapping(data.get("key"))
    return keep_message(
        WebMessage(
            message_id=key.get("id"),
            from_me=key.get("fromMe"),
            by_api=by_api,
            author=Author.HUMAN if text(data.get("source"), 64) in DEVICES else Author.UNKNOWN,
            recipients=[key.get("remoteJid"), key.get("remoteJidAlt")],
            names=[
                key.get(name) for name in ("remoteJid", "remoteJidAlt", "senderPn", "senderLid", "previousRemoteJid")
            ],
            content=read_content(data.get("message")),
            contexts=(mapping(data.get("contextInfo")),),
            kind=data.get("messageType"),
            sent_at=unix_seconds(data.get("messageTimestamp")),
            channel_ref=instance,
        ),
        found,
    )


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the request carries the channel's token, or a JSON Web Token where the channel has a key for it."""
    return any_of(
        _has_web_token(request, secret) if live_secrets([secret], "jwt_key") else _TOKEN.verify(request, [secret])
        for secret in secrets
    )


def _has_web_token(request: Request, secret: Secrets) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    claims = read_token(token, secret["jwt_key"].strip()) if scheme == "Bearer" else None
    if claims is None or (claims.get("app"), claims.get("action")) != ("evolution", "webhook"):
        return False
    made, ends = unix_seconds(claims.get("iat")), unix_seconds(claims.get("exp"))
    if made is None or ends is None or request.received_at is None:
        return request.received_at is None
    age, overdue = ((request.received_at - moment).total_seconds() for moment in (made, ends))
    return age >= -CLOCK_SECONDS and overdue <= RESEND_SECONDS


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the header that Evolution sends, as configured."""
    keys = live_secrets([secrets], "jwt_key")
    if not keys:
        return _TOKEN.sign(request, secrets)
    made = signing_time(request)
    claims = {"iat": made, "exp": made + 600, "app": "evolution", "action": "webhook"}
    return {"Authorization": "Bearer " + sign_token(claims, keys[0])}


_CLICK_IDS = ("data.contextInfo.externalAdReply.ctwaClid", *click_id_paths("data.message"))

PROVIDER = Provider(
    name="evolution",
    title="Evolution API",
    docs_url="https://doc.evolution-api.com/v2/en/configuration/webhooks",
    secret_fields=(
        *_TOKEN.fields("`headers` of the instance's webhook"),
        SecretField(
            "jwt_key",
            "Value of `jwt_key` in the webhook's headers, if you use it; then the token header no longer counts.",
            required=False,
        ),
    ),
    verify=verify,
    parse=parse,
    sign=sign,
    subpaths=True,
    verify_needs_body=False,
    click_id_paths=_CLICK_IDS,
    sample_paths=SamplePaths(
        message_ids=("data.key.id", "data.keyId"),
        times=("data.messageTimestamp",),
        phones=("data.key.remoteJid", "data.remoteJid"),
        click_ids=("data.contextInfo.externalAdReply.ctwaClid",),
        tokens=("data.contextInfo.conversionData",),
    ),
)
