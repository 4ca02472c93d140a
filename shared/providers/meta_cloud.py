"""Meta's WhatsApp Cloud API: entries of changes; a change's `field` says what it is about, not its content.

Documentation:
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/ (and
its neighbours automatic_events, history, smb_message_echoes).

Below `entry[].changes[].value`:

| what | where |
|---|---|
| click id | `messages[].referral.ctwa_clid`; absent for ads in WhatsApp Status and on coexistence numbers |
| ad or post | `messages[].referral.{source_id,source_type,source_url,headline,body,media_type}` |
| its media | `messages[].referral.{image_url,video_url}` |
| sender | `messages[].{from,from_user_id,from_parent_user_id}`; no `from` for people with a username |
| more of them | `contacts[].{wa_id,user_id,parent_user_id}`, matched by `wa_id` or `user_id` |
| time | `messages[].timestamp`, seconds, as text or number |
| business number | `metadata.phone_number_id` |
| automatic events | `automatic_events[].{id,event_name,timestamp,ctwa_clid}` |
| their value | `automatic_events[].custom_data.{currency,value}`, the value being price x 1000 |
| text, order | `messages[].{text.body,button.text,image.caption,…}`, `messages[].order.product_items[]` |
| sent from the app | `message_echoes[].{from,to,to_user_id,id,timestamp,type}` of the field `smb_message_echoes` |

Authentic is what carries `X-Hub-Signature-256`, the HMAC-SHA256 of the body under the app's secret.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from shared.domain.messages import (
    AutomaticEvent,
    Message,
    classify,
    clean_click_id,
)
from shared.domain.signals import Author
from shared.providers.addresses import AddressKind, phone_digits, read_address
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
from shared.providers.body import (
    amount,
    identifier,
    mapping,
    raw_text,
    read_object,
    text,
    unix_seconds,
)
from shared.providers.content import cloud_order, cloud_text
from shared.providers.inbound import NOT_A_MESSAGE
from shared.providers.outgoing import Sent, keep_outgoing
from shared.providers.proofs import any_of, hmac_hex, live_secrets, same
from shared.providers.referral import read_referral

SIGNATURE_HEADER = "X-Hub-Signature-256"

#: Fields that are left out whole, whatever they hold. `history` also delivers media in a `messages` list of
#: the very shape that live messages have.
OTHER_FIELDS = {
    "history": "history",
    "message_echoes": "echo",
    "smb_app_state_sync": "contact_sync",
    "user_id_update": "user_id_update",
}
#: What a change of the field `messages` may hold besides messages.
OTHER_PARTS = {
    "statuses": "statuses",
    "errors": "errors",
    "user_actions": "user_actions",
}

#: What the business writes in its WhatsApp app, where a number is used in both (coexistence).
ECHOES = "smb_message_echoes"

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)
_CHALLENGE = re.compile(r"[0-9A-Za-z_-]{1,128}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


def parse(request: Request) -> Parsed:
    """Return the live messages and automatic events of a webhook. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    if body and body.get("object") != "whatsapp_business_account":
        found.ignore("other_object")
        return found.parsed()
    for entry in found.objects(body.get("entry")):
        for change in found.objects(entry.get("changes")):
            _read_change(change, found)
    return found.parsed()


def _read_change(change: Mapping[str, Json], found: Collector) -> None:
    field = change.get("field")
    if not isinstance(field, str) or field not in ("messages", "automatic_events", ECHOES):
        return found.ignore(OTHER_FIELDS.get(field, "other_field") if isinstance(field, str) else "malformed")
    value = change.get("value")
    if not isinstance(value, dict):
        return found.ignore("malformed")
    if field == ECHOES:
        return _read_echoes(value, found)
    if field == "automatic_events":
        for event in found.objects(value.get("automatic_events")):
            _read_automatic_event(event, found)
        return None
    metadata = mapping(value.get("metadata"))
    contacts = _contacts(value)
    for message in found.objects(value.get("messages")):
        _read_message(message, metadata, contacts, found)
    for part, reason in OTHER_PARTS.items():
        content = value.get(part)
        found.ignore(reason, len(content) if isinstance(content, list) else int(bool(content)))
    return None


def _read_echoes(value: Mapping[str, Json], found: Collector) -> None:
    """Keep what was written in the app. A change that holds none counts as one."""
    if not isinstance(value.get("message_echoes"), list):
        return found.ignore("echo")
    for echo in found.objects(value.get("message_echoes")):
        keep_outgoing(
            Sent(
                message_id=echo.get("id"),
                author=Author.HUMAN,
                recipients=() if echo.get("group_id") else (echo.get("to"),),
                bsuid=None if echo.get("group_id") else echo.get("to_user_id"),
                kind=echo.get("type"),
                text=cloud_text(echo),
                sent_at=unix_seconds(echo.get("timestamp")),
            ),
            "echo",
            found,
        )
    return None


def _contacts(value: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    """Return the change's contacts by each of their names. They needn't be in the order of the messages."""
    listed = value.get("contacts")
    contacts: dict[str, Mapping[str, Json]] = {}
    for contact in listed if isinstance(listed, list) else []:
        details = mapping(contact)
        for name in (
            phone_digits(identifier(details.get("wa_id"))),
            identifier(details.get("user_id")),
        ):
            if name:
                contacts.setdefault(name, details)
    return contacts


def _read_message(
    message: Mapping[str, Json],
    metadata: Mapping[str, Json],
    contacts: Mapping[str, Mapping[str, Json]],
    found: Collector,
) -> None:
    message_id = identifier(message.get("id"))
    if message_id is None:
        return found.ignore("no_message_id")
    kind = text(message.get("type"), 64)
    if (kind or "").lower() in NOT_A_MESSAGE:
        return found.ignore(NOT_A_MESSAGE[(kind or "").lower()])
    if message.get("group_id"):
        return found.ignore("group")
    sender = read_address(identifier(message.get("from")))
    phone = sender.value if sender and sender.kind is AddressKind.PHONE else None
    if phone and phone == phone_digits(identifier(metadata.get("display_phone_number"))):
        return found.ignore("from_me")
    bsuid = identifier(message.get("from_user_id"))
    contact = contacts.get(phone or "") or contacts.get(bsuid or "") or {}
    phone = phone or phone_digits(identifier(contact.get("wa_id")))
    bsuid = bsuid or identifier(contact.get("user_id"))
    if not (phone or bsuid or sender):
        return found.ignore("no_sender")
    referral = read_referral(mapping(message.get("referral")))
    return found.add_message(
        Message(
            message_id=message_id,
            message_class=classify(referral),
            referral=referral,
            phone=phone,
            bsuid=bsuid,
            parent_bsuid=identifier(message.get("from_parent_user_id")) or identifier(contact.get("parent_user_id")),
            provider_id=sender.value if sender and not (phone or bsuid) else None,
            kind=kind,
            sent_at=unix_seconds(message.get("timestamp")),
            channel_ref=identifier(metadata.get("phone_number_id")),
            text=cloud_text(message),
            order=cloud_order(message),
        )
    )


def _read_automatic_event(event: Mapping[str, Json], found: Collector) -> None:
    message_id = identifier(event.get("id"))
    event_name = text(event.get("event_name"), 64)
    if message_id is None:
        return found.ignore("no_message_id")
    if event_name is None:
        return found.ignore("malformed")
    details = mapping(event.get("custom_data"))
    thousandths = amount(details.get("value"))
    currency = (text(details.get("currency")) or "").upper()
    return found.add_event(
        AutomaticEvent(
            message_id=message_id,
            event_name=event_name,
            click_id=clean_click_id(raw_text(event.get("ctwa_clid")))[0],
            value=None if thousandths is None else thousandths / 1000,
            currency=currency if _CURRENCY.fullmatch(currency) else None,
            at=unix_seconds(event.get("timestamp")),
        )
    )


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the body's signature was made with any of the channel's app secrets."""
    match = _SIGNATURE.fullmatch(request.headers.get(SIGNATURE_HEADER.lower(), ""))
    given = match[1] if match else ""
    return any_of(same(given, hmac_hex(secret, request.body)) for secret in live_secrets(secrets, "app_secret"))


def handshake(request: Request, secrets: Sequence[Secrets]) -> str | None:
    """Return the challenge to answer when the verify token is one of the channel's, else None.

    The challenge goes back to whoever asks, so only characters that no browser could take for a page are
    accepted.
    """
    try:
        query = parse_qs(request.query, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return None
    mode, challenge, token = (query.get(f"hub.{name}", []) for name in ("mode", "challenge", "verify_token"))
    if len(mode) != 1 or len(challenge) != 1 or len(token) != 1:
        return None
    authentic = any_of(same(token[0], expected) for expected in live_secrets(secrets, "verify_token"))
    if authentic and mode[0] == "subscribe" and _CHALLENGE.fullmatch(challenge[0]):
        return challenge[0]
    return None


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the signature header that Meta would send with this body."""
    return {SIGNATURE_HEADER: "sha256=" + hmac_hex(secrets.get("app_secret", "").strip(), request.body)}


_VALUE = "entry.*.changes.*.value"

PROVIDER = Provider(
    name="meta_cloud",
    title="Meta WhatsApp Cloud API",
    docs_url="https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/",
    secret_fields=(
        SecretField(
            "app_secret",
            "App dashboard, App settings, Basic, App secret. It signs every webhook.",
        ),
        SecretField(
            "verify_token",
            "Put it into WhatsApp, Configuration, Verify token; Meta sends it once, when the URL is saved.",
            generated=True,
        ),
    ),
    verify=verify,
    parse=parse,
    sign=sign,
    handshake=handshake,
    methods=frozenset({"GET", "POST"}),
    click_id_paths=(
        f"{_VALUE}.messages.*.referral.ctwa_clid",
        f"{_VALUE}.automatic_events.*.ctwa_clid",
    ),
    sample_paths=SamplePaths(
        message_ids=(f"{_VALUE}.messages.*.id", f"{_VALUE}.statuses.*.id"),
        times=(f"{_VALUE}.messages.*.timestamp", f"{_VALUE}.statuses.*.timestamp"),
        phones=(
            f"{_VALUE}.messages.*.from",
            f"{_VALUE}.contacts.*.wa_id",
            f"{_VALUE}.statuses.*.recipient_id",
        ),
        bsuids=(f"{_VALUE}.messages.*.from_user_id", f"{_VALUE}.contacts.*.user_id"),
        click_ids=(f"{_VALUE}.messages.*.referral.ctwa_clid",),
    ),
)
