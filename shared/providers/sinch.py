"""Sinch Conversation API: one callback a request; only the WhatsApp channel is read.

Documentation: https://developers.sinch.com/docs/conversation/callbacks and, for the signature ("Validating callbacks"),
https://developers.sinch.com/docs/conversation/keyconcepts

Sinch documents nothing of an ad: no click id, no ad id. Every message is organic. Where it is:

| what | where |
|---|---|
| sender | `message.channel_identity.identity`, digits |
| time | `message.accept_time`, ISO 8601 |
| text | `message.contact_message.text_message.text` |
| business number | `app_id`, the Conversation app |

Authentic is what carries `x-sinch-webhook-signature`, the Base64 of the HMAC-SHA256 of `<body>.<nonce>.<timestamp>`,
with both in the headers `-nonce` and `-timestamp`, and the time (unix seconds) not further than five minutes from our
clock.
"""

import re
from collections.abc import Mapping, Sequence

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
from shared.providers.inbound import Inbound, keep_message
from shared.providers.proofs import any_of, hmac_base64, hmac_hex, is_recent, live_secrets, same, signing_time

SIGNATURE_HEADER = "x-sinch-webhook-signature"
ALGORITHM = "HmacSHA256"
#: Callbacks by the key that holds their content. All others are about something else than messages.
OTHER_CALLBACKS = {
    "event_delivery_report": "statuses",
    "message_delivery_report": "statuses",
    "message_submit_notification": "from_me",
}
#: What every callback has.
ENVELOPE = frozenset(
    {"app_id", "project_id", "accepted_time", "event_time", "message_metadata", "correlation_id", "trace_context"}
)

# A nonce with a dot in it could be cut off a body.
_NONCE = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)


def parse(request: Request) -> Parsed:
    """Return the message of a callback, or what it was instead. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    contents = [key for key in body if key not in ENVELOPE]
    if "message" in body:
        _read_message(body, found)
    elif contents and ENVELOPE & body.keys():
        reasons = [OTHER_CALLBACKS[key] for key in contents if key in OTHER_CALLBACKS]
        found.ignore(reasons[0] if reasons else "other_event_type")
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _read_message(body: Mapping[str, Json], found: Collector) -> None:
    message = mapping(body.get("message"))
    if not message:
        return found.ignore("malformed")
    if (text(message.get("direction"), 64) or "TO_APP").upper() != "TO_APP":
        return found.ignore("from_me")
    identity = mapping(message.get("channel_identity"))
    if (text(identity.get("channel"), 64) or "").upper() != "WHATSAPP":
        return found.ignore("other_channel")
    content = mapping(message.get("contact_message"))
    kinds = [key.removesuffix("_message") for key in content if key.endswith("_message")]
    return keep_message(
        Inbound(
            message_id=message.get("id"),
            kind=kinds[0] if kinds else None,
            sender=identity.get("identity"),
            business=body.get("app_id"),
            sent_at=iso_time(message.get("accept_time")),
            text=mapping(content.get("text_message")).get("text"),
        ),
        found,
    )


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether body, nonce and time are signed with any of the channel's secrets, and the time is recent."""
    given, nonce, signed_at, algorithm = (
        request.headers.get(SIGNATURE_HEADER + part, "") for part in ("", "-nonce", "-timestamp", "-algorithm")
    )
    if not (_NONCE.fullmatch(nonce) and _TIME.fullmatch(signed_at) and algorithm in ("", ALGORITHM)):
        return False
    signed = _signed(request.body, nonce, signed_at)
    authentic = any_of(same(given, hmac_base64(secret, signed)) for secret in live_secrets(secrets, "secret"))
    return authentic and is_recent(int(signed_at), request)


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the headers that Sinch would send with this body; the nonce follows from the body and the time."""
    secret = secrets.get("secret", "").strip()
    signed_at = str(signing_time(request))
    nonce = hmac_hex(signed_at, request.body)[:26].upper()
    return {
        SIGNATURE_HEADER: hmac_base64(secret, _signed(request.body, nonce, signed_at)),
        f"{SIGNATURE_HEADER}-nonce": nonce,
        f"{SIGNATURE_HEADER}-timestamp": signed_at,
        f"{SIGNATURE_HEADER}-algorithm": ALGORITHM,
    }


def _signed(body: bytes, nonce: str, signed_at: str) -> bytes:
    return b".".join((body, nonce.encode(), signed_at.encode()))


PROVIDER = Provider(
    name="sinch",
    title="Sinch Conversation API",
    docs_url="https://developers.sinch.com/docs/conversation/callbacks",
    secret_fields=(
        SecretField("secret", "Put it into the webhook's settings at Sinch, as secret token.", generated=True),
    ),
    verify=verify,
    parse=parse,
    sign=sign,
    sample_paths=SamplePaths(
        message_ids=("message.id", "message_delivery_report.message_id"),
        times=("message.accept_time", "accepted_time"),
        phones=("message.channel_identity.identity", "message_delivery_report.channel_identity.identity"),
    ),
)
