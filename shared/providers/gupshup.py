"""Gupshup: Meta's Cloud API webhooks (payload version v3), or Gupshup's own envelope (v2).

Documentation: https://docs.gupshup.io/docs/text and https://docs.gupshup.io/docs/other (v2),
https://partner-docs.gupshup.io/reference/put_partner-app-appid-subscription-subscriptionid (versions, headers). A v3
body is the Cloud API's (see meta_cloud) with `gs_app_id` beside `object`.

v2 documents nothing of an ad: no click id and no ad id, so every message is organic. Where it is:

| what | where |
|---|---|
| sender | `payload.source`, else `payload.sender.phone`, digits |
| time | `timestamp`, milliseconds |
| text | `payload.payload.text` |
| business number | `app`, the name of the Gupshup app |

Gupshup signs nothing. It sends a header of our choice, and that is the whole proof.
"""

from collections.abc import Mapping

from shared.providers import meta_cloud
from shared.providers.base import Collector, Json, Parsed, Provider, Request
from shared.providers.body import mapping, read_object, text, unix_milliseconds
from shared.providers.inbound import Inbound, keep_message
from shared.providers.proofs import StaticToken

#: The types of v2 events that carry no message from a person.
OTHER_EVENTS = {
    "account-event": "other_event_type",
    "billing-event": "other_event_type",
    "message-event": "statuses",
    "system-event": "other_event_type",
    "template-event": "other_event_type",
    "user-event": "other_event_type",
}

_TOKEN = StaticToken()


def parse(request: Request) -> Parsed:
    """Return the live messages of a webhook of either version. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    if "object" in body or "entry" in body:
        return meta_cloud.parse(request)
    if body:
        _read_event(body, found)
    return found.parsed()


def _read_event(body: Mapping[str, Json], found: Collector) -> None:
    kind = text(body.get("type"), 64)
    if kind in OTHER_EVENTS:
        return found.ignore(OTHER_EVENTS[kind])
    payload = body.get("payload")
    if kind != "message":
        return found.ignore("unparsed")
    if not isinstance(payload, dict):
        return found.ignore("malformed")
    return keep_message(
        Inbound(
            message_id=payload.get("id"),
            kind=payload.get("type"),
            sender=payload.get("source") or mapping(payload.get("sender")).get("phone"),
            business=body.get("app"),
            sent_at=unix_milliseconds(body.get("timestamp")),
            text=mapping(payload.get("payload")).get("text"),
        ),
        found,
    )


PROVIDER = Provider(
    name="gupshup",
    title="Gupshup",
    docs_url="https://docs.gupshup.io/docs/text",
    secret_fields=_TOKEN.fields("Gupshup, app settings, Webhooks, subscription, Headers"),
    verify=_TOKEN.verify,
    parse=parse,
    sign=_TOKEN.sign,
    verify_needs_body=False,
    click_id_paths=meta_cloud.PROVIDER.click_id_paths,
    sample_paths=meta_cloud.PROVIDER.sample_paths,
)
