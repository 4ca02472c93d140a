"""Twilio Programmable Messaging: one message a request, as a form.

Documentation: https://www.twilio.com/docs/messaging/guides/webhook-request (parameters) and
https://www.twilio.com/docs/usage/webhooks/webhooks-security (signature).

| what | where |
|---|---|
| click id | `ReferralCtwaClid`; absent or blank when Meta gave none |
| ad or post | `Referral{SourceId,SourceType,SourceUrl,Headline,Body}` |
| its media | `Referral{MediaContentType,MediaUrl}`; `ReferralNumMedia` comes with every message and says nothing |
| sender | `From` (`whatsapp:+15550100123`), else `WaId` (digits) |
| time | none; the time of receipt stands in |
| business number | `To` |
| text | `Body`, else `ButtonText` |

Authentic is what carries `X-Twilio-Signature`: the Base64 of the HMAC-SHA1, under the account's auth token, of the
URL exactly as Twilio requested it, followed by every parameter of the form, sorted by name, as name and value with
nothing between. A body that is no form is signed through the URL's parameter `bodySHA256`, its SHA-256 in hexadecimal.
Which of the URL's forms Twilio signs, with or without the scheme's own port, has varied; its libraries try both:
https://github.com/twilio/twilio-python/blob/main/twilio/request_validator.py
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

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
from shared.providers.body import MAX_FORM_FIELDS, identifier, read_object, text
from shared.providers.inbound import Inbound, keep_message
from shared.providers.proofs import any_of, live_secrets, same, secret_bytes
from shared.providers.referral import Names, read_referral

SIGNATURE_HEADER = "X-Twilio-Signature"
REFERRAL = Names(
    click_id="ReferralCtwaClid",
    source_id="ReferralSourceId",
    source_type="ReferralSourceType",
    source_url="ReferralSourceUrl",
    headline="ReferralHeadline",
    body="ReferralBody",
    media_type="ReferralMediaContentType",
    image_url="ReferralMediaUrl",
    video_url="ReferralMediaUrl",
)

_PORTS = {"http": 80, "https": 443}


def parse(request: Request) -> Parsed:
    """Return the message of a webhook, or what it was instead. Raises UnparsableError."""
    found = Collector()
    form = read_object(request, found)
    if form:
        _read_message(form, found)
    return found.parsed()


def _read_message(form: Mapping[str, Json], found: Collector) -> None:
    if not form.keys() & {"MessageSid", "SmsMessageSid", "SmsSid", "From", "WaId"}:
        return found.ignore("unparsed")
    # A status callback that was pointed here: it has the message's own id, and a state that no inbound message has.
    status = text(form.get("MessageStatus")) or text(form.get("SmsStatus")) or "received"
    if status.lower() != "received":
        return found.ignore("statuses")
    sender = identifier(form.get("From"))
    if sender and not sender.lower().startswith("whatsapp:"):
        return found.ignore("other_channel")
    return keep_message(
        Inbound(
            message_id=form.get("MessageSid") or form.get("SmsMessageSid") or form.get("SmsSid"),
            kind=form.get("MessageType"),
            sender=sender or form.get("WaId"),
            business=form.get("To"),
            referral=read_referral(form, REFERRAL),
            text=form.get("Body") or form.get("ButtonText"),
        ),
        found,
    )


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the request was signed with any of the channel's auth tokens, for the URL it was sent to."""
    signed = [_signed_text(url, request) for url in _spellings(request.url)]
    given = request.headers.get(SIGNATURE_HEADER.lower(), "")
    return any_of(
        text is not None and same(given, _signature(text, token))
        for text in signed
        for token in live_secrets(secrets, "auth_token")
    )


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the signature header that Twilio would send to `request.url` with this body."""
    signed = _signed_text(request.url, request) or ""
    return {SIGNATURE_HEADER: _signature(signed, secrets.get("auth_token", "").strip())}


def _signed_text(url: str, request: Request) -> str | None:
    """Return the text that is signed, or None when the body isn't the one that the URL names, or can't be read."""
    try:
        named = dict(parse_qsl(urlsplit(url).query, max_num_fields=MAX_FORM_FIELDS)).get("bodySHA256")
        if named is not None:
            return url if same(named.lower(), hashlib.sha256(request.body).hexdigest()) else None
        pairs = parse_qsl(
            request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS
        )
    except ValueError:
        return None
    # A name that comes twice is signed with each of its values, once each.
    return url + "".join(name + value for name, value in sorted(set(pairs)))


def _spellings(url: str) -> list[str]:
    """Return the URL as it is, without its port, and with its scheme's own port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return [url]
    host = parts.netloc.removesuffix(f":{port}") if port else parts.netloc
    default = _PORTS.get(parts.scheme.lower())
    spellings = [url, parts._replace(netloc=host).geturl()]
    if not port and default:
        spellings.append(parts._replace(netloc=f"{host}:{default}").geturl())
    return list(dict.fromkeys(spellings))


def _signature(signed: str, token: str) -> str:
    digest = hmac.new(secret_bytes(token), secret_bytes(signed), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


PROVIDER = Provider(
    name="twilio",
    title="Twilio Programmable Messaging",
    docs_url="https://www.twilio.com/docs/messaging/guides/webhook-request",
    secret_fields=(SecretField("auth_token", "Twilio Console, Account Info, Auth Token. It signs every webhook."),),
    verify=verify,
    parse=parse,
    sign=sign,
    # An empty answer is Twilio's error 11200, and any other text would be sent to the person as a reply.
    answer=("application/xml", b"<Response></Response>"),
    click_id_paths=("ReferralCtwaClid",),
    sample_paths=SamplePaths(
        message_ids=("MessageSid", "SmsMessageSid", "SmsSid"),
        phones=("From", "WaId"),
        click_ids=("ReferralCtwaClid",),
    ),
)
