"""The WhatsApp-Web protocol as its bridges write it into JSON: messages, their wrappers, contexts and ad blocks. Pure.

Bridges that stand on Baileys write protobuf names in camel case (`sourceId`), those on whatsmeow write Go's
(`sourceID`); everything else is the same, and so are the rules. The fields are those of `ContextInfo` and
`ExternalAdReplyInfo` in WAWebProtobufsE2E.proto
(https://github.com/tulir/whatsmeow/blob/main/proto/waE2E/WAWebProtobufsE2E.proto), the wrappers those that
`normalizeMessageContent` of Baileys and `UnwrapRaw` of whatsmeow open
(https://github.com/WhiskeySockets/Baileys/blob/master/src/Utils/messages.ts,
https://github.com/tulir/whatsmeow/blob/main/types/events/events.go).

Every part of such a message is written by the sender's device, so a stranger may forge any of it. Only the context of
the message that was sent counts, never one inside `quotedMessage` or `quotedAd`: those belong to another message.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any

from shared.domain.messages import MessageClass, Referral, classify, clean_click_id
from shared.domain.signals import Order
from shared.providers.base import Json
from shared.providers.body import amount, boolean, identifier, mapping, raw_text, text, whole_text

#: Two blocks of one message that name different ads or clicks: an ad brought the message, but none can be told.
CONFLICT = "conflicting_ad_blocks"
MAX_WRAPPERS = 4
#: Longer than any conversion token seen.
MAX_BYTES = 3_000

WRAPPERS = (
    "deviceSentMessage",
    "documentWithCaptionMessage",
    "ephemeralMessage",
    "lottieStickerMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
)
#: Contents that are not a new message from a person; protocol messages are told apart by their type.
NOT_A_MESSAGE = {
    "callLogMesssage": "calls",
    "commentMessage": "action",
    "editedMessage": "edit",
    "encCommentMessage": "action",
    "encEventResponseMessage": "action",
    "encReactionMessage": "reaction",
    "fastRatchetKeySenderKeyDistributionMessage": "system",
    "keepInChatMessage": "action",
    "pinInChatMessage": "action",
    "placeholderMessage": "placeholder",
    "pollUpdateMessage": "action",
    "protocolMessage": "system",
    "reactionMessage": "reaction",
    "secretEncryptedMessage": "edit",
    "senderKeyDistributionMessage": "system",
    "statusMentionMessage": "status_story",
    "stickerSyncRmrMessage": "system",
}
#: `protocolMessage.type`, as number or name; 0 is the default and may be left out.
PROTOCOL_TYPES = {
    "": "revoke",
    "0": "revoke",
    "REVOKE": "revoke",
    "5": "history",
    "HISTORY_SYNC_NOTIFICATION": "history",
    "14": "edit",
    "MESSAGE_EDIT": "edit",
}
#: `Info.Edit` of whatsmeow's message events, https://github.com/tulir/whatsmeow/blob/main/types/message.go.
EDIT_ATTRIBUTES = {"1": "edit", "2": "action", "3": "edit", "7": "revoke", "8": "revoke"}
#: The fields of each content that hold what was typed or tapped; `conversation` is a text itself.
TEXTS = {
    "buttonsResponseMessage": ("selectedDisplayText",),
    "documentMessage": ("caption",),
    "extendedTextMessage": ("text",),
    "imageMessage": ("caption",),
    "listResponseMessage": ("title",),
    "orderMessage": ("message",),
    "templateButtonReplyMessage": ("selectedDisplayText",),
    "videoMessage": ("caption",),
}
MEDIA_TYPES = {"1": "image", "IMAGE": "image", "2": "video", "VIDEO": "video"}
SOURCE_APPS = {"fb": "facebook", "ig": "instagram"}
#: Where ads and posts live. Bots decorate messages with ad blocks whose URL leads anywhere else.
_META_URL = re.compile(
    r"https?://([a-z0-9-]+\.)*(fb\.me|fb\.com|fb\.watch|facebook\.com|instagram\.com)([/?#].*)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Content:
    """What was sent, out of its wrappers.

    `kind` is the protocol's word (`extendedTextMessage`), None when nothing was sent; `not_a_message` is the reason
    why it isn't one from a person; `contexts` are the contexts of the message itself; `text` is what was typed or
    tapped.
    """

    kind: str | None = None
    not_a_message: str | None = None
    contexts: tuple[Mapping[str, Json], ...] = ()
    text: str | None = field(default=None, repr=False)
    order: Order | None = field(default=None, repr=False)


def click_id_paths(message: str) -> tuple[str, ...]:
    """Return where a click id may be below a message, for a provider's table; `*` is any content type or wrapper."""
    return tuple(
        f"{message}{'.*.message' * depth}.*.contextInfo.externalAdReply.ctwaClid" for depth in range(MAX_WRAPPERS + 1)
    )


def read_content(message: Json) -> Content:
    """Return what a protocol message holds; an empty Content when it holds nothing."""
    node = _unwrap(mapping(message))
    sent = {key: value for key, value in node.items() if _is_content(key) and value is not None}
    kind = next((key for key in sent if key not in NOT_A_MESSAGE), None)
    if kind is None:
        kind = next(iter(sent), None)
        reason = NOT_A_MESSAGE[kind] if kind else None
        if kind == "protocolMessage":
            reason = protocol_reason(mapping(sent[kind]))
        return Content(kind, reason)
    contexts = (mapping(mapping(value).get("contextInfo")) for key, value in sent.items() if key not in NOT_A_MESSAGE)
    return Content(
        kind,
        None,
        tuple(context for context in contexts if context),
        text=next((found for key, value in sent.items() if (found := _text(key, value))), None),
        order=_order(mapping(sent.get("orderMessage"))),
    )


def read_event(event: Mapping[str, Json]) -> Content:
    """Return what a message event of whatsmeow holds (`Info`, `Message`, `IsEdit`), wrappers of edits being gone."""
    content = read_content(event.get("Message"))
    edit = EDIT_ATTRIBUTES.get(text(mapping(event.get("Info")).get("Edit")) or "")
    if content.not_a_message is None and boolean(event.get("IsEdit")):
        edit = "edit"
    return replace(content, not_a_message=content.not_a_message or edit)


def protocol_reason(protocol: Mapping[str, Json]) -> str:
    """Return what a protocol message is: a deletion, an edit, history, or something else that isn't a message."""
    written = protocol.get("type")
    return PROTOCOL_TYPES.get("" if written is None else str(written), "system")


def is_status_reply(contexts: Iterable[Mapping[str, Json]]) -> bool:
    """Say whether the message replies to a status; its ad block then is left over from an earlier conversation."""
    chats = (identifier(_either(context, "remoteJid", "remoteJID")) for context in contexts)
    return any((chat or "").lower() == "status@broadcast" for chat in chats)


def read_referral(contexts: Iterable[Mapping[str, Json]]) -> Referral | None:
    """Return the ad that the contexts of one message name, or None.

    A bridge may write the same context twice. Two that name different ads or clicks give a referral that names none
    and is flagged CONFLICT, which is class `ad_without_click_id`: the message isn't organic, and nothing says which of
    the two ads to pay for it, so neither gets it and nothing is reported.
    """
    blocks = [block for block in map(_read_block, contexts) if block]
    if not blocks:
        return None
    blocks.sort(key=lambda block: block.click_id is None)
    merged = _merge(blocks)
    if any(_differ(getattr(block, name) for block in blocks) for name in ("source_id", "click_id")):
        return Referral(source_type=merged.source_type, flags=(*merged.flags, CONFLICT))
    return merged


def bytes_as_text(value: Json) -> str | None:
    """Return bytes of the protocol as Base64: they come as such, as {"0": 255, "1": …}, or as a Node.js Buffer."""
    if isinstance(value, str):
        return whole_text(value)
    listed: Json = mapping(value).get("data") if mapping(value).get("type") == "Buffer" else value
    if isinstance(listed, dict):
        listed = [listed.get(str(at)) for at in range(min(len(listed), MAX_BYTES + 1))]
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_BYTES:
        return None
    numbers = [item for item in listed if isinstance(item, int) and 0 <= item <= 255]
    return base64.b64encode(bytes(numbers)).decode() if len(numbers) == len(listed) else None


def _unwrap(node: Mapping[str, Json]) -> Mapping[str, Json]:
    for _ in range(MAX_WRAPPERS):
        inner = next((found for name in WRAPPERS if (found := mapping(mapping(node.get(name)).get("message")))), None)
        if inner is None:
            break
        node = inner
    return node


def _is_content(key: str) -> bool:
    """Say whether a key of a message is its content; `messageContextInfo`, `base64` and the like stand beside it."""
    return key == "conversation" or "Message" in key or key in NOT_A_MESSAGE


def _text(kind: str, content: Json) -> str | None:
    if kind == "conversation":
        return text(content)
    return next((found for name in TEXTS.get(kind, ()) if (found := text(mapping(content).get(name)))), None)


def _order(content: Mapping[str, Json]) -> Order | None:
    """The cart of an `orderMessage`, whose total is in thousandths (`totalAmount1000`), as a number or digits."""
    if not content:
        return None
    thousandths = amount(content.get("totalAmount1000"))
    currency = (text(content.get("totalCurrencyCode"), 3) or "").upper()
    known = len(currency) == 3 and currency.isascii() and currency.isalpha()
    return Order(
        order_id=identifier(_either(content, "orderId", "orderID")),
        value=thousandths / Decimal(1000) if thousandths is not None and known else None,
        currency=currency if known else None,
    )


def _read_block(context: Mapping[str, Json]) -> Referral | None:
    """Return what one context's ad block names, or None. Markers without a block (`conversionSource`) name nothing."""
    ad = mapping(context.get("externalAdReply"))
    click_id, flags = clean_click_id(raw_text(ad.get("ctwaClid")))
    source_id = identifier(_either(ad, "sourceId", "sourceID"))
    source_type = _source_type(ad, context)
    source_url = whole_text(_either(ad, "sourceUrl", "sourceURL"))
    if not (click_id or flags or source_id or source_type in ("ad", "post") or _META_URL.fullmatch(source_url or "")):
        return None
    referral = Referral(
        click_id=click_id,
        source_id=source_id,
        source_type=source_type,
        source_url=source_url,
        headline=text(ad.get("title")),
        body=text(ad.get("body")),
        media_type=MEDIA_TYPES.get(str(ad.get("mediaType"))),
        media_url=_media_url(ad),
        source_app=_source_app(ad, context),
        conversion_data=bytes_as_text(context.get("conversionData")),
        flags=flags,
    )
    return None if classify(referral) is MessageClass.ORGANIC else referral


def _source_type(ad: Mapping[str, Json], context: Mapping[str, Json]) -> str | None:
    """Return `ad`, `post` or the sender's own word. A post's button says so in its entry point, whatever the block."""
    written = (text(ad.get("sourceType"), 64) or "").lower()
    if _word(context, "entryPointConversionSource") == "post_cta":
        return "post" if ad else None
    if not written and _word(context, "conversionSource").endswith("_post"):
        return "post" if ad else None
    return written or None


def _source_app(ad: Mapping[str, Json], context: Mapping[str, Json]) -> str | None:
    app = _word(ad, "sourceApp") or _word(context, "entryPointConversionApp")
    return app or SOURCE_APPS.get(_word(context, "conversionSource").partition("_")[0])


def _media_url(ad: Mapping[str, Json]) -> str | None:
    names = (("mediaUrl", "mediaURL"), ("originalImageUrl", "originalImageURL"), ("thumbnailUrl", "thumbnailURL"))
    return next((url for pair in names if (url := whole_text(_either(ad, *pair)))), None)


def _word(node: Mapping[str, Json], name: str) -> str:
    return (text(node.get(name), 64) or "").lower()


def _either(node: Mapping[str, Json], camel: str, go: str) -> Json:
    value = node.get(camel)
    return node.get(go) if value in (None, "") else value


def _merge(blocks: Sequence[Referral]) -> Referral:
    """Return the first block with what it lacks taken from the others, and the flags of all."""
    merged: dict[str, Any] = {
        field.name: next((value for block in blocks if (value := getattr(block, field.name))), None)
        for field in fields(Referral)
    }
    return replace(blocks[0], **merged | {"flags": tuple(dict.fromkeys(flag for b in blocks for flag in b.flags))})


def _differ(values: Iterator[str | None]) -> bool:
    return len({value for value in values if value}) > 1
