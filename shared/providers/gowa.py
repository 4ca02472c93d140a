"""GOWA (go-whatsapp-web-multidevice): one event a request; the ad is in `payload.referral`, under names of its own.

Documentation: https://github.com/aldinokemal/go-whatsapp-web-multidevice/blob/main/docs/webhook-payload.md. What GOWA
takes for a referral is in its code: the ad block of the message's own context, wrappers opened
(https://github.com/aldinokemal/go-whatsapp-web-multidevice/blob/main/src/pkg/utils/whatsapp.go,
`ExtractExternalAdReply`).

| what | where |
|---|---|
| click id | `payload.referral.ctwa_clid` |
| ad or post | `payload.referral.{source_id,source_type,source_url,source_app,ad_title,ad_body}` |
| its media | `payload.referral.{media_type,media_url,original_image_url,thumbnail_url}` |
| sender | `payload.{from,from_lid}`; else `payload.{chat_id,chat_lid}`, the chat with one person being that person |
| time | `payload.timestamp`, ISO 8601 |
| text | `payload.body` |
| sent by a person of the business | `payload.is_from_me`, to `payload.{chat_id,chat_lid}` |
| business number | `device_id` |

Authentic is what carries `X-Hub-Signature-256`, the HMAC-SHA256 of the body under the webhook's secret.
"""

import re
from collections.abc import Mapping, Sequence

from shared.domain.signals import Author
from shared.providers.addresses import read_address
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
from shared.providers.body import identifier, iso_time, mapping, read_object, text
from shared.providers.proofs import any_of, hmac_hex, live_secrets, same
from shared.providers.web_message import WebMessage, keep_message
from shared.providers.web_protocol import Content

SIGNATURE_HEADER = "X-Hub-Signature-256"

#: The events but `message`, and why they are left out; those of a family share its reason.
OTHER_EVENTS = {
    "chat_presence": "presences",
    "message.ack": "statuses",
    "message.deleted": "revoke",
    "message.edited": "edit",
    "message.reaction": "reaction",
    "message.revoked": "revoke",
}
FAMILIES = {"call": "calls", "group": "groups", "label": "labels", "newsletter": "newsletter"}
#: GOWA's names of the parts of an ad block, by the protocol's.
_REFERRAL = {
    "body": "ad_body",
    "ctwaClid": "ctwa_clid",
    "mediaType": "media_type",
    "mediaUrl": "media_url",
    "originalImageUrl": "original_image_url",
    "sourceApp": "source_app",
    "sourceId": "source_id",
    "sourceType": "source_type",
    "sourceUrl": "source_url",
    "thumbnailUrl": "thumbnail_url",
    "title": "ad_title",
}
#: The contents that the page shows; a text has only a `body`.
CONTENTS = (
    *("image", "video", "video_note", "audio", "document", "sticker", "contact", "contacts_array", "list"),
    *("live_location", "location", "order"),
)

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)


def parse(request: Request) -> Parsed:
    """Return the live message of a webhook, or what was left out. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    event = (text(body.get("event"), 64) or "").lower()
    if event == "message":
        _read_message(body.get("payload"), body.get("device_id"), found)
    elif event:
        ids = mapping(body.get("payload")).get("ids")
        reason = OTHER_EVENTS.get(event) or FAMILIES.get(event.partition(".")[0], "other_event_type")
        found.ignore(reason, len(ids) if isinstance(ids, list) and ids else 1)
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _read_message(payload: Json, device: Json, found: Collector) -> None:
    if not isinstance(payload, dict):
        return found.ignore("malformed")
    own, sender = read_address(identifier(device)), read_address(identifier(payload.get("from")))
    outgoing = payload.get("is_from_me")
    if outgoing is None:
        # Several of the documented payloads lack the flag.
        outgoing = own is not None and sender == own
    names = [payload.get(name) for name in ("from", "from_lid", "chat_id", "chat_lid")]
    referral = mapping(payload.get("referral"))
    kind = next((name for name in CONTENTS if payload.get(name) is not None), None)
    return keep_message(
        WebMessage(
            message_id=payload.get("id"),
            from_me=outgoing,
            # The page's own payloads name the business's number as the chat.
            names=[name for name in names if own is None or read_address(identifier(name)) != own],
            # whatsmeow announces what other devices sent, and not what the API did.
            author=Author.HUMAN,
            recipients=[
                name
                for name in (payload.get("chat_id"), payload.get("chat_lid"))
                if own is None or read_address(identifier(name)) != own
            ],
            text=payload.get("body"),
            content=Content(kind or ("text" if text(payload.get("body")) else None)),
            contexts=({"externalAdReply": {part: referral.get(name) for part, name in _REFERRAL.items()}},),
            sent_at=iso_time(payload.get("timestamp")),
            channel_ref=device,
        ),
        found,
    )


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the body's signature was made with any of the channel's secrets."""
    match = _SIGNATURE.fullmatch(request.headers.get(SIGNATURE_HEADER.lower(), ""))
    given = match[1] if match else ""
    return any_of(same(given, hmac_hex(secret, request.body)) for secret in live_secrets(secrets, "webhook_secret"))


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the signature header that GOWA would send with this body."""
    return {SIGNATURE_HEADER: "sha256=" + hmac_hex(secrets.get("webhook_secret", "").strip(), request.body)}


PROVIDER = Provider(
    name="gowa",
    title="GOWA (go-whatsapp-web-multidevice)",
    docs_url="https://github.com/aldinokemal/go-whatsapp-web-multidevice/blob/main/docs/webhook-payload.md",
    secret_fields=(
        SecretField(
            "webhook_secret",
            "Start GOWA with it as --webhook-secret; its default, the word `secret`, proves nothing.",
            generated=True,
        ),
    ),
    verify=verify,
    parse=parse,
    sign=sign,
    click_id_paths=("payload.referral.ctwa_clid",),
    sample_paths=SamplePaths(
        message_ids=("payload.id", "payload.ids.*"),
        times=("timestamp", "payload.timestamp"),
        phones=("payload.from", "payload.chat_id"),
        click_ids=("payload.referral.ctwa_clid",),
    ),
)
