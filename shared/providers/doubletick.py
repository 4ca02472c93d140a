"""DoubleTick: one event a request, whose name is not in the body.

Documentation: https://doubletick.readme.io/reference/webhooks (payloads) and
https://docs.doubletick.io/docs/register-new-webhook (events, headers).

| what | where |
|---|---|
| click id | `referralObject.ctwa_clid`, only in the event CALL_TO_WHATSAPP_MESSAGE_RECEIVED |
| ad or post | `referralObject.{source_id,source_type,source_url,headline,body,media_type}` |
| its media | `referralObject.{image_url,video_url}` |
| sender | `from`, digits, with `+` in some events |
| time | `receivedAt`, ISO 8601 |
| business number | `to` |
| text | `message.text` |

One message of an ad comes in up to three events (MESSAGE_RECEIVED, CALL_TO_WHATSAPP_MESSAGE_RECEIVED, NEW_LEAD) with
the same `messageId`, so it counts once, and the ad completes it whichever comes first.

DoubleTick signs nothing. It sends headers of our choice, and they are the whole proof.
"""

from collections.abc import Mapping

from shared.providers.base import Collector, Json, Parsed, Provider, Request, SamplePaths
from shared.providers.body import iso_time, mapping, read_object, text
from shared.providers.inbound import Inbound, keep_message
from shared.providers.proofs import StaticToken
from shared.providers.referral import read_referral

_TOKEN = StaticToken()


def parse(request: Request) -> Parsed:
    """Return the message of an event, or what it was instead. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    if body:
        _read_event(body, found)
    return found.parsed()


def _read_event(body: Mapping[str, Json], found: Collector) -> None:
    if not body.keys() & {"messageId", "dtMessageId"}:
        return found.ignore("no_message_id" if "message" in body else "unparsed")
    message = body.get("message")
    if message is None and body.get("referralObject") is None:
        # A status update has the ids and a status, and no message.
        return found.ignore("statuses" if "status" in body else "unparsed")
    if not isinstance(message, dict | None):
        return found.ignore("malformed")
    if (text(body.get("integrationType"), 64) or "WHATSAPP").upper() != "WHATSAPP":
        return found.ignore("other_channel")
    return keep_message(
        Inbound(
            message_id=body.get("messageId") or body.get("dtMessageId"),
            kind=mapping(message).get("type"),
            sender=body.get("from"),
            business=body.get("to"),
            referral=read_referral(mapping(body.get("referralObject"))),
            sent_at=iso_time(body.get("receivedAt")),
            text=mapping(message).get("text"),
        ),
        found,
    )


PROVIDER = Provider(
    name="doubletick",
    title="DoubleTick",
    docs_url="https://doubletick.readme.io/reference/webhooks",
    secret_fields=_TOKEN.fields("DoubleTick, webhook registration, headers"),
    verify=_TOKEN.verify,
    parse=parse,
    sign=_TOKEN.sign,
    verify_needs_body=False,
    click_id_paths=("referralObject.ctwa_clid",),
    sample_paths=SamplePaths(
        message_ids=("messageId", "dtMessageId"),
        times=("receivedAt", "statusTimestamp"),
        phones=("from",),
        click_ids=("referralObject.ctwa_clid",),
    ),
)
