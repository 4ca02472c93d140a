"""Vonage Messages API: one message a request.

Documentation: https://developer.vonage.com/en/api/messages-olympus (inbound message, WhatsApp) and
https://developer.vonage.com/en/messages/concepts/signed-webhooks (signature).

| what | where |
|---|---|
| click id | `whatsapp.referral.ctwa_clid`; `referral` may be an empty object |
| ad or post | `whatsapp.referral.{source_id,source_type,source_url,headline,body,media_type}` |
| its media | `whatsapp.referral.{image_url,video_url}` |
| sender | `from` (digits), `whatsapp.sender.{wa_id,user_id,parent_user_id}` |
| time | `timestamp`, ISO 8601 |
| business number | `to` |
| text | `text` |

Authentic is what carries `Authorization: Bearer <JSON Web Token>`, signed by HMAC-SHA256 with the account's signature
secret, whose claim `payload_hash` is the SHA-256 of the body, and which was issued (`iat`) not further than five
minutes from our clock and hasn't expired (`exp`, where there is one).
"""

import hashlib
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
from shared.providers.body import iso_time, mapping, raw_text, read_object, text
from shared.providers.inbound import Inbound, keep_message
from shared.providers.json_web_token import read_token, sign_token
from shared.providers.proofs import WINDOW_SECONDS, any_of, is_recent, live_secrets, same, signing_time
from shared.providers.referral import read_referral


def parse(request: Request) -> Parsed:
    """Return the message of a webhook, or what it was instead. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    if body:
        _read_message(body, found)
    return found.parsed()


def _read_message(body: Mapping[str, Json], found: Collector) -> None:
    if not body.keys() & {"message_uuid", "message_type", "channel"}:
        return found.ignore("unparsed")
    if "status" in body and "message_type" not in body:
        return found.ignore("statuses")
    channel = text(body.get("channel"), 64)
    if channel and channel.lower() != "whatsapp":
        return found.ignore("other_channel")
    details = mapping(body.get("whatsapp"))
    sender = mapping(details.get("sender"))
    return keep_message(
        Inbound(
            message_id=body.get("message_uuid"),
            kind=body.get("message_type"),
            sender=body.get("from") or sender.get("wa_id"),
            bsuid=sender.get("user_id"),
            parent_bsuid=sender.get("parent_user_id"),
            business=body.get("to"),
            referral=read_referral(mapping(details.get("referral"))),
            sent_at=iso_time(body.get("timestamp")),
            text=body.get("text"),
        ),
        found,
    )


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the request carries a fresh token for this very body, under any of the channel's secrets."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return False
    return any_of(_verify_one(request, token, secret) for secret in live_secrets(secrets, "signature_secret"))


def _verify_one(request: Request, token: str, secret: str) -> bool:
    claims = read_token(token, secret)
    if claims is None:
        return False
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not is_recent(issued, request):
        return False
    if "exp" in claims and not (isinstance(expires, int) and _is_ahead(expires, request)):
        return False
    hashed = raw_text(claims.get("payload_hash")) or ""
    return same(hashed.lower(), hashlib.sha256(request.body).hexdigest())


def _is_ahead(expires: int, request: Request) -> bool:
    return request.received_at is None or request.received_at.timestamp() < expires


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the header that Vonage would send with this body."""
    issued = signing_time(request)
    claims = {
        "iat": issued,
        "exp": issued + WINDOW_SECONDS,
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(request.body).hexdigest(),
    }
    return {"Authorization": f"Bearer {sign_token(claims, secrets.get('signature_secret', '').strip())}"}


PROVIDER = Provider(
    name="vonage",
    title="Vonage Messages API",
    docs_url="https://developer.vonage.com/en/messages/concepts/signed-webhooks",
    secret_fields=(
        SecretField(
            "signature_secret",
            "Vonage dashboard, API settings, Signed webhooks, Signature secret. It signs every webhook.",
        ),
    ),
    verify=verify,
    parse=parse,
    sign=sign,
    click_id_paths=("whatsapp.referral.ctwa_clid",),
    sample_paths=SamplePaths(
        message_ids=("message_uuid",),
        times=("timestamp",),
        phones=("from", "whatsapp.sender.wa_id"),
        bsuids=("whatsapp.sender.user_id",),
        click_ids=("whatsapp.referral.ctwa_clid",),
    ),
)
