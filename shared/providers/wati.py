"""Wati: one event a request.

Documentation: https://docs.wati.io/reference/message-received-bsuid and
https://docs.wati.io/v2.5/reference/new-contact-message

| what | where |
|---|---|
| click id | not documented, never read |
| ad | `sourceId`, `sourceUrl`; `sourceType` is a number, also on ordinary messages, and proves nothing |
| sender | `waId` (digits; may be missing), `bsuid`, `parentBsuid` |
| time | `timestamp` (seconds, as text), else `created` (ISO 8601) |
| business number | `channelPhoneNumber` |
| text | `text` |
| sent by the business | `sessionMessageSent`, `templateMessageSent` with `templateName`; to `waId`, `bsuid` |

Wati documents no proof of its webhooks. A header of our choice, or basic authentication in the URL, is the whole proof.
"""

from collections.abc import Mapping

from shared.domain.signals import Author
from shared.providers.base import Collector, Json, Parsed, Provider, Request, SamplePaths
from shared.providers.body import boolean, iso_time, read_object, text, unix_seconds
from shared.providers.inbound import Inbound, keep_message
from shared.providers.outgoing import Sent, keep_outgoing
from shared.providers.proofs import StaticToken
from shared.providers.referral import CAMEL, read_referral

#: The events that bring a message from a person; `_bsuid` behind them means that the BSUID comes first.
INBOUND = frozenset({"message", "newContactMessageReceived"})
#: Other events by how they begin (a version such as `_v2` follows).
OTHER_EVENTS = {
    "sentMessage": "statuses",
    "templateMessageFailed": "statuses",
}
#: What the business sent: https://docs.wati.io/v2.5/reference/template-message-sent
SENT = ("templateMessageSent", "sessionMessageSent")
#: Of the parts of a referral, Wati has these two, beside the message's own fields.
AD_FIELDS = ("sourceId", "sourceUrl")

_TOKEN = StaticToken()


def parse(request: Request) -> Parsed:
    """Return the message of an event, or what it was instead. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    event = text(body.get("eventType"), 128)
    if event and event.removesuffix("_bsuid") in INBOUND:
        _read_message(body, found)
    elif event and event.startswith(SENT):
        _read_sent(body, event, found)
    elif event:
        reasons = [reason for start, reason in OTHER_EVENTS.items() if event.startswith(start)]
        found.ignore(reasons[0] if reasons else "other_event_type")
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _read_message(body: Mapping[str, Json], found: Collector) -> None:
    if boolean(body.get("owner")):
        return found.ignore("from_me")
    return keep_message(
        Inbound(
            message_id=body.get("whatsappMessageId") or body.get("id"),
            kind=body.get("type"),
            sender=body.get("waId"),
            bsuid=body.get("bsuid"),
            parent_bsuid=body.get("parentBsuid"),
            business=body.get("channelPhoneNumber"),
            referral=read_referral({key: body.get(key) for key in AD_FIELDS}, CAMEL),
            sent_at=unix_seconds(body.get("timestamp")) or iso_time(body.get("created")),
            text=body.get("text"),
        ),
        found,
    )


def _read_sent(body: Mapping[str, Json], event: str, found: Collector) -> None:
    """Keep what the business sent. Wati doesn't say whether a person or a flow wrote it, so only templates are told."""
    is_template = event.startswith("templateMessageSent")
    keep_outgoing(
        Sent(
            message_id=body.get("whatsappMessageId") or body.get("id"),
            author=Author.AUTOMATION if is_template else Author.UNKNOWN,
            recipients=[body.get("waId")],
            bsuid=body.get("bsuid"),
            parent_bsuid=body.get("parentBsuid"),
            kind=body.get("type"),
            text=body.get("text"),
            template=body.get("templateName") if is_template else None,
            sent_at=unix_seconds(body.get("timestamp")) or iso_time(body.get("created")),
        ),
        "from_me",
        found,
    )


PROVIDER = Provider(
    name="wati",
    title="Wati",
    docs_url="https://docs.wati.io/reference/message-received-bsuid",
    secret_fields=_TOKEN.fields("set by a proxy in front of us, or use basic authentication in the URL"),
    verify=_TOKEN.verify,
    parse=parse,
    sign=_TOKEN.sign,
    verify_needs_body=False,
    sample_paths=SamplePaths(
        message_ids=("whatsappMessageId", "id"),
        times=("timestamp", "created"),
        phones=("waId",),
        bsuids=("bsuid",),
    ),
)
