"""Infobip: batches of messages in `results[]`.

Documentation: https://www.infobip.com/docs/api/channels/whatsapp/whatsapp-inbound-messages/receive-whatsapp-inbound-messages
and https://www.infobip.com/docs/whatsapp/message-types-and-templates/inbound-messages

| what | where |
|---|---|
| click id | `results[].message.referral.ctwaClickId` |
| ad or post | `results[].message.referral.{sourceId,sourceType,sourceUrl,headline,body}`; `AD`, `POST`, `UNKNOWN` |
| its media | `results[].message.referral.referralMedia.{type,url}` |
| sender | `results[].from`, digits |
| time | `results[].receivedAt`, ISO 8601 with zone |
| business number | `results[].to` |
| text | `results[].message.{text,caption}` |

Infobip signs nothing. It sends the authorization header that is set on the subscription, and that is the whole proof.
"""

from collections.abc import Mapping
from dataclasses import replace

from shared.providers.base import Collector, Json, Parsed, Provider, Request, SamplePaths
from shared.providers.body import iso_time, mapping, read_object, text
from shared.providers.inbound import Inbound, keep_message
from shared.providers.proofs import StaticToken
from shared.providers.referral import CAMEL, read_referral

REFERRAL = replace(CAMEL, click_id="ctwaClickId", image_url="mediaUrl", video_url="mediaUrl")

_TOKEN = StaticToken("Authorization")


def parse(request: Request) -> Parsed:
    """Return the messages of a batch and what was left out. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    for result in found.objects(body.get("results")):
        _read_result(result, found)
    if body and "results" not in body:
        found.ignore("unparsed")
    return found.parsed()


def _read_result(result: Mapping[str, Json], found: Collector) -> None:
    integration = text(result.get("integrationType"), 64) or "WHATSAPP"
    if integration.upper() != "WHATSAPP":
        return found.ignore("other_channel")
    message = result.get("message")
    # Delivery and seen reports are posted in the same envelope, and have no message.
    if message is None and result.keys() & {"status", "sentAt", "doneAt", "seenAt"}:
        return found.ignore("statuses")
    if not isinstance(message, dict):
        return found.ignore("malformed")
    referral = mapping(message.get("referral"))
    media = mapping(referral.get("referralMedia"))
    media_parts = {"mediaType": media.get("type"), "mediaUrl": media.get("url")}
    return keep_message(
        Inbound(
            message_id=result.get("messageId"),
            kind=message.get("type"),
            sender=result.get("from"),
            business=result.get("to"),
            referral=read_referral({**referral, **media_parts}, REFERRAL),
            sent_at=iso_time(result.get("receivedAt")),
            text=message.get("text") or message.get("caption"),
        ),
        found,
    )


PROVIDER = Provider(
    name="infobip",
    title="Infobip",
    docs_url="https://www.infobip.com/docs/whatsapp/message-types-and-templates/inbound-messages",
    secret_fields=_TOKEN.fields("Infobip, Subscriptions Management, security settings"),
    verify=_TOKEN.verify,
    parse=parse,
    sign=_TOKEN.sign,
    verify_needs_body=False,
    click_id_paths=("results.*.message.referral.ctwaClickId",),
    sample_paths=SamplePaths(
        message_ids=("results.*.messageId",),
        times=("results.*.receivedAt", "results.*.doneAt"),
        phones=("results.*.from",),
        click_ids=("results.*.message.referral.ctwaClickId",),
    ),
)
