"""WuzAPI: one event of whatsmeow a request, as a form whose field `jsonData` holds it, or as JSON.

Documentation: https://github.com/asternic/wuzapi/blob/main/API.md; the request is that of the code,
https://github.com/asternic/wuzapi/blob/main/helpers.go (`callHookWithHmac`). The form's fields are `jsonData`, `userID`
and `instanceName`, in older versions `jsonData` and `token`; with WEBHOOK_FORMAT=json the event itself is the body.

| what | where, in the event |
|---|---|
| click id | `event.Message.<type>.contextInfo.externalAdReply.ctwaClid`; wrappers are opened |
| ad or post | `….externalAdReply.{sourceID,sourceType,sourceURL,title,body,mediaType,mediaURL,sourceApp}` |
| conversion token | `….contextInfo.conversionData` |
| sender | `event.Info.{Sender,SenderAlt,Chat}`; one of the first two may be a LID |
| time | `event.Info.Timestamp`, ISO 8601 |
| text, order | `event.Message.{conversation,extendedTextMessage.text,….caption}`, `event.Message.orderMessage` |
| sent by a person of the business | `event.Info.IsFromMe`, to `event.Info.Chat` |
| business number | `instanceName`, else `userID` |

Authentic is what carries `x-hmac-signature`, the HMAC-SHA256 of the body in hexadecimal, under the channel's token as
the user's HMAC key (README, "Webhook HMAC Signing"). Versions before that sign nothing and put the user's `token` into
the form; then it is the whole proof, or the same in a header that a proxy adds.
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
from shared.providers.body import boolean, iso_time, mapping, raw_text, read_json, read_object, text
from shared.providers.proofs import DEFAULT_HEADER, StaticToken, any_of, hmac_hex, live_secrets, same
from shared.providers.web_message import WebMessage, keep_message
from shared.providers.web_protocol import Content, click_id_paths, read_event

SIGNATURE_HEADER = "x-hmac-signature"

#: The event types of https://github.com/asternic/wuzapi/blob/main/constants.go but `Message`.
OTHER_TYPES = {
    "AppState": "chats",
    "AppStateSyncComplete": "channel_state",
    "Blocklist": "contacts",
    "BlocklistChange": "contacts",
    "CATRefreshError": "channel_state",
    "CallAccept": "calls",
    "CallOffer": "calls",
    "CallOfferNotice": "calls",
    "CallRelayLatency": "calls",
    "CallTerminate": "calls",
    "ChatPresence": "presences",
    "ClientOutdated": "channel_state",
    "ConnectFailure": "channel_state",
    "Connected": "channel_state",
    "Disconnected": "channel_state",
    "GroupInfo": "groups",
    "HistorySync": "history",
    "IdentityChange": "contacts",
    "JoinedGroup": "groups",
    "KeepAliveRestored": "channel_state",
    "KeepAliveTimeout": "channel_state",
    "LabelAssociationChat": "labels",
    "LabelAssociationMessage": "labels",
    "LabelEdit": "labels",
    "LoggedOut": "channel_state",
    "MediaRetry": "message_update",
    "NewsletterJoin": "newsletter",
    "NewsletterLeave": "newsletter",
    "NewsletterLiveUpdate": "newsletter",
    "NewsletterMuteChange": "newsletter",
    "OfflineSyncCompleted": "channel_state",
    "OfflineSyncPreview": "channel_state",
    "PairError": "channel_state",
    "PairSuccess": "channel_state",
    "Picture": "contacts",
    "Presence": "presences",
    "PrivacySettings": "channel_state",
    "PushNameSetting": "channel_state",
    "QR": "channel_state",
    "QRScannedWithoutMultidevice": "channel_state",
    "QRTimeout": "channel_state",
    "ReadReceipt": "statuses",
    "Receipt": "statuses",
    "StreamError": "channel_state",
    "StreamReplaced": "channel_state",
    "TemporaryBan": "channel_state",
    "UndecryptableMessage": "placeholder",
    "UserAbout": "contacts",
}

_HEADER = StaticToken()


def parse(request: Request) -> Parsed:
    """Return the live message of a webhook, or what was left out. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    event = _event(body, found)
    kind = text(event.get("type"), 64)
    if kind == "Message":
        names = (body.get("instanceName"), event.get("instanceName"), body.get("userID"), event.get("userID"))
        _read_message(event.get("event"), next(filter(None, names), None), found)
    elif kind:
        found.ignore(OTHER_TYPES.get(kind, "other_event_type"))
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _event(body: Mapping[str, Json], found: Collector) -> Mapping[str, Json]:
    """Return the event: the JSON in the form's `jsonData`, or the body itself."""
    written = body.get("jsonData")
    if isinstance(written, str):
        return mapping(read_json(written, found))
    return mapping(written) if written is not None else body


def _read_message(event: Json, channel_ref: Json, found: Collector) -> None:
    if not isinstance(event, dict):
        return found.ignore("malformed")
    info = mapping(event.get("Info"))
    content = read_event(event)
    if boolean(info.get("IsGroup")):
        content = Content(content.kind, "group")
    return keep_message(
        WebMessage(
            message_id=info.get("ID"),
            from_me=info.get("IsFromMe"),
            names=[info.get(name) for name in ("Chat", "Sender", "SenderAlt")],
            # whatsmeow announces what other devices sent, and not what the API did.
            author=Author.HUMAN,
            recipients=[info.get("Chat"), info.get("RecipientAlt")],
            content=content,
            kind=info.get("Type"),
            sent_at=iso_time(info.get("Timestamp")),
            channel_ref=channel_ref,
        ),
        found,
    )


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the body was signed with a token of the channel, or carries one, or a header does."""
    tokens = live_secrets(secrets, "token")
    if not tokens:
        return False
    try:
        in_body = raw_text(read_object(request).get("token")) or ""
    except UnparsableError:
        in_body = ""
    signature = request.headers.get(SIGNATURE_HEADER, "")
    signed = any_of(same(signature, hmac_hex(token, request.body)) for token in tokens)
    carried = any_of(same(in_body, token) for token in tokens)
    return _HEADER.verify(request, secrets) or signed or carried


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the signature that WuzAPI would send with this body."""
    return {SIGNATURE_HEADER: hmac_hex(secrets.get("token", "").strip(), request.body)}


PROVIDER = Provider(
    name="wuzapi",
    title="WuzAPI",
    docs_url="https://github.com/asternic/wuzapi/blob/main/API.md",
    secret_fields=(
        SecretField(
            "token",
            "Set it as the user's HMAC key (POST /session/hmac/config); for versions without, give the user's token.",
            generated=True,
        ),
        SecretField(
            "header",
            "Name of a header that may carry the same token, for proxies that add one.",
            required=False,
            default=DEFAULT_HEADER,
        ),
    ),
    verify=verify,
    parse=parse,
    sign=sign,
    click_id_paths=(*click_id_paths("event.Message"), *click_id_paths("jsonData.event.Message")),
    sample_paths=SamplePaths(
        message_ids=("event.Info.ID", "event.MessageIDs.*"),
        times=("event.Info.Timestamp", "event.Timestamp"),
        phones=("event.Info.Chat", "event.Info.Sender", "event.Chat", "event.Sender"),
        click_ids=("event.Message.extendedTextMessage.contextInfo.externalAdReply.ctwaClid",),
        tokens=("event.Message.extendedTextMessage.contextInfo.conversionData",),
    ),
)
