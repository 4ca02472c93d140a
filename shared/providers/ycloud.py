"""YCloud: one event a request; inbound messages are `whatsapp.inbound_message.received`.

Documentation: https://docs.ycloud.com/reference/webhook-events-payloads (payloads) and
https://helpdocs.ycloud.com/help-center/integrations/webhook (signature, retries).

| what | where, below `whatsappInboundMessage` |
|---|---|
| click id | `referral.ctwa_clid` |
| ad or post | `referral.{source_id,source_type,source_url,headline,body,media_type}` |
| its media | `referral.{image_url,video_url}` |
| sender | `from` (with or without `+`; may be missing), `fromUserId`, `fromParentUserId` |
| time | `sendTime`, RFC 3339 |
| business number | `to` |
| text, order | `text.body`, `{image,video,document}.caption`, `button.text`; `order.product_items[]` |
| sent from the app | `whatsappMessage.{to,toUserId,…}` of `whatsapp.smb.message.echoes` |

Authentic is what carries `YCloud-Signature: t=<unix seconds>,s=<hex>`, where `s` is the HMAC-SHA256 of `<t>.<body>` and
`t` is not further than five minutes from our clock.
"""

import re
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
from shared.providers.body import iso_time, mapping, read_object, text
from shared.providers.content import cloud_order, cloud_text
from shared.providers.inbound import Inbound, keep_message
from shared.providers.outgoing import Sent, keep_outgoing
from shared.providers.proofs import any_of, hmac_hex, is_recent, live_secrets, same, signing_time
from shared.providers.referral import read_referral

SIGNATURE_HEADER = "YCloud-Signature"
INBOUND = "whatsapp.inbound_message.received"
#: What the business wrote in its WhatsApp app: https://docs.ycloud.com/api-reference/webhook-reference/whatsapp-smb-message-echoes
ECHO = "whatsapp.smb.message.echoes"
#: Other WhatsApp events by the start of their type; what is in none of them is about something else.
OTHER_EVENTS = {
    "whatsapp.message.": "statuses",
    "whatsapp.smb.history": "history",
}

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),\s?s=([0-9a-f]{64})", re.ASCII)


def parse(request: Request) -> Parsed:
    """Return the message of an event, or what it was instead. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    event = text(body.get("type"), 128)
    if event == INBOUND:
        _read_message(body.get("whatsappInboundMessage"), found)
    elif event == ECHO:
        _read_echo(mapping(body.get("whatsappMessage")), found)
    elif event:
        reasons = [reason for start, reason in OTHER_EVENTS.items() if event.startswith(start)]
        found.ignore(reasons[0] if reasons else "other_event_type")
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _read_message(message: Json, found: Collector) -> None:
    if not isinstance(message, dict):
        return found.ignore("malformed")
    if message.get("groupId"):
        return found.ignore("group")
    return keep_message(
        Inbound(
            message_id=message.get("wamid") or message.get("id"),
            kind=message.get("type"),
            sender=message.get("from"),
            bsuid=message.get("fromUserId"),
            parent_bsuid=message.get("fromParentUserId"),
            business=message.get("to"),
            referral=read_referral(mapping(message.get("referral"))),
            sent_at=iso_time(message.get("sendTime")),
            text=cloud_text(message),
            order=cloud_order(message),
        ),
        found,
    )


def _read_echo(message: Mapping[str, Json], found: Collector) -> None:
    keep_outgoing(
        Sent(
            message_id=message.get("wamid") or message.get("id"),
            author=Author.HUMAN,
            recipients=() if message.get("groupId") else (message.get("to"),),
            bsuid=message.get("toUserId"),
            parent_bsuid=message.get("toParentUserId"),
            kind=message.get("type"),
            text=cloud_text(message),
            sent_at=iso_time(message.get("sendTime")),
        ),
        "echo",
        found,
    )


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether time and body are signed with any of the channel's secrets, and the time is recent."""
    match = _SIGNATURE.fullmatch(request.headers.get(SIGNATURE_HEADER.lower(), ""))
    signed_at, given = (match[1], match[2]) if match else ("0", "")
    authentic = any_of(
        same(given, _signature(signed_at, request.body, secret)) for secret in live_secrets(secrets, "signing_secret")
    )
    return authentic and is_recent(int(signed_at), request)


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the signature header that YCloud would send with this body."""
    signed_at = str(signing_time(request))
    signature = _signature(signed_at, request.body, secrets.get("signing_secret", "").strip())
    return {SIGNATURE_HEADER: f"t={signed_at},s={signature}"}


def _signature(signed_at: str, body: bytes, secret: str) -> str:
    return hmac_hex(secret, signed_at.encode() + b"." + body)


_MESSAGE = "whatsappInboundMessage"

PROVIDER = Provider(
    name="ycloud",
    title="YCloud",
    docs_url="https://docs.ycloud.com/reference/webhook-events-payloads",
    secret_fields=(
        SecretField("signing_secret", "YCloud, Developers, Webhooks, the endpoint, Secret. It signs every webhook."),
    ),
    verify=verify,
    parse=parse,
    sign=sign,
    click_id_paths=(f"{_MESSAGE}.referral.ctwa_clid",),
    sample_paths=SamplePaths(
        message_ids=(f"{_MESSAGE}.wamid", f"{_MESSAGE}.id", "whatsappMessage.wamid", "whatsappMessage.id", "id"),
        times=(f"{_MESSAGE}.sendTime", "createTime"),
        phones=(f"{_MESSAGE}.from", "whatsappMessage.to"),
        bsuids=(f"{_MESSAGE}.fromUserId",),
        click_ids=(f"{_MESSAGE}.referral.ctwa_clid",),
    ),
)
