"""Zernio: one event a request, for all of a business's social accounts; only WhatsApp is read.

Documentation: the schemas WebhookPayloadMessage and OnWhatsAppAutomaticEventRequest of the OpenAPI file, as its clients
print them (https://docs.rs/crate/late/latest/source/docs/WebhookPayloadMessage.md), and for the signature
https://github.com/zernio-dev/zernio-api/blob/main/rules/webhooks.md

| what | where |
|---|---|
| click id | `metadata.referral.ctwa_clid`; in automatic events `ctwaClid` |
| ad or post | `metadata.referral.{source_id,source_type,source_url,headline,body,media_type}` |
| its media | `metadata.referral.{image_url,video_url}` |
| sender | `message.sender.{phoneNumber,id,businessScopedUserId}` |
| time | `message.sentAt`, ISO 8601 |
| business number | `account.id` |
| text | `message.text` |
| automatic events | `{platformMessageId,eventName,detectedAt,customData.{value,currency}}` |

The same `metadata.referral` serves Messenger and Instagram, with other keys. `customData.value` is documented as the
amount, so it isn't divided as Meta's own is.

Authentic is what carries `X-Zernio-Signature`, the HMAC-SHA256 of the body in hexadecimal. No time is signed beside it,
and the `timestamp` in the body stays the same in every repetition, however late.
"""

import re
from collections.abc import Mapping, Sequence

from shared.domain.messages import AutomaticEvent, clean_click_id
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
from shared.providers.body import amount, identifier, iso_time, mapping, raw_text, read_object, text
from shared.providers.inbound import Inbound, keep_message
from shared.providers.proofs import any_of, hmac_hex, live_secrets, same
from shared.providers.referral import read_referral

SIGNATURE_HEADER = "X-Zernio-Signature"
OTHER_EVENTS = {
    "message.deleted": "revoke",
    "message.delivered": "statuses",
    "message.edited": "edit",
    "message.failed": "statuses",
    "message.read": "statuses",
    "message.sent": "from_me",
    "reaction.received": "reaction",
}

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


def parse(request: Request) -> Parsed:
    """Return the message or automatic event of a webhook, or what it was instead. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    event = text(body.get("event"), 128)
    if event == "message.received":
        _read_message(body, found)
    elif event == "whatsapp.automatic_event":
        _read_automatic_event(body, found)
    elif event:
        found.ignore(OTHER_EVENTS.get(event, "other_event_type"))
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _read_message(body: Mapping[str, Json], found: Collector) -> None:
    message, account = mapping(body.get("message")), mapping(body.get("account"))
    if not message:
        return found.ignore("malformed")
    platform = text(message.get("platform"), 64) or text(account.get("platform"), 64) or ""
    if platform.lower() != "whatsapp":
        return found.ignore("other_channel")
    direction = text(message.get("direction"), 64) or "incoming"
    if direction.lower() != "incoming":
        return found.ignore("from_me")
    sender = mapping(message.get("sender"))
    return keep_message(
        Inbound(
            message_id=message.get("platformMessageId") or message.get("id"),
            kind=None,
            sender=sender.get("phoneNumber") or sender.get("id"),
            bsuid=sender.get("businessScopedUserId"),
            business=account.get("id"),
            referral=read_referral(mapping(mapping(body.get("metadata")).get("referral"))),
            sent_at=iso_time(message.get("sentAt")),
            text=message.get("text"),
        ),
        found,
    )


def _read_automatic_event(body: Mapping[str, Json], found: Collector) -> None:
    message_id = identifier(body.get("platformMessageId"))
    event_name = text(body.get("eventName"), 64)
    if message_id is None:
        return found.ignore("no_message_id")
    if event_name is None:
        return found.ignore("malformed")
    details = mapping(body.get("customData"))
    currency = (text(details.get("currency")) or "").upper()
    return found.add_event(
        AutomaticEvent(
            message_id=message_id,
            event_name=event_name,
            click_id=clean_click_id(raw_text(body.get("ctwaClid")))[0],
            value=amount(details.get("value")),
            currency=currency if _CURRENCY.fullmatch(currency) else None,
            at=iso_time(body.get("detectedAt")) or iso_time(body.get("timestamp")),
        )
    )


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the body is signed with any of the channel's secrets."""
    given = request.headers.get(SIGNATURE_HEADER.lower(), "")
    return any_of(same(given, hmac_hex(secret, request.body)) for secret in live_secrets(secrets, "secret"))


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the signature header that Zernio would send with this body."""
    return {SIGNATURE_HEADER: hmac_hex(secrets.get("secret", "").strip(), request.body)}


PROVIDER = Provider(
    name="zernio",
    title="Zernio",
    docs_url="https://github.com/zernio-dev/zernio-api/blob/main/rules/webhooks.md",
    secret_fields=(SecretField("secret", "Put it into the webhook's settings at Zernio, as Secret.", generated=True),),
    verify=verify,
    parse=parse,
    sign=sign,
    click_id_paths=("metadata.referral.ctwa_clid", "ctwaClid"),
    sample_paths=SamplePaths(
        message_ids=("message.platformMessageId", "message.id", "id"),
        times=("message.sentAt", "timestamp"),
        phones=("message.sender.phoneNumber", "message.sender.id"),
        bsuids=("message.sender.businessScopedUserId",),
        click_ids=("metadata.referral.ctwa_clid",),
    ),
)
