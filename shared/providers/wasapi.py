"""Wasapi: one event a request, `{event, data}`.

Documentation: https://api-docs.wasapi.io/docs/webhooks-publicidad-de-facebook (ads) and
https://api-docs.wasapi.io/docs/webhooks-eventos-de-mensaje (messages).

| what | where, below `data` |
|---|---|
| click id | `ctwa_clid` of `message_facebook_advertising` |
| ad or post | `source_id`, `source_type`, `source_url`, `headline`, `body`, `media_type` of it |
| its media | `image_url`, `video_url` of it |
| sender | `contact_phone` (null when hidden) and `bsuid` of it; `wa_id` (phone or BSUID) of `receive_message` |
| time | not documented |
| text | `message` |
| business number | `from_id` of `receive_message`, Wasapi's id of the line |

A message of an ad comes in both events. Messages have Meta's id, `wam_id`, which Wasapi calls the best key to tell
duplicates by; the ad event isn't documented to have it, so where it is missing an id is made of what the event says,
the same for every repetition.

Wasapi signs nothing that is documented. A header of our choice is the whole proof.
"""

import hashlib
from collections.abc import Mapping

from shared.providers.base import Collector, Json, Parsed, Provider, Request, SamplePaths
from shared.providers.body import identifier, read_object, text
from shared.providers.inbound import Inbound, keep_message
from shared.providers.proofs import StaticToken
from shared.providers.referral import read_referral

AD_EVENT = "message_facebook_advertising"
OTHER_EVENTS = {
    "send_bot_message": "from_me",
    "send_message": "from_me",
    "status_message": "statuses",
    "wa_flow_sent": "from_me",
}
#: What `type` of receive_message says of a message that isn't from a person.
NOT_INBOUND = {"out": "from_me", "system": "system"}
#: What makes an ad event the same event when it comes again.
SAME_EVENT = ("ctwa_clid", "source_id", "source_url", "contact_phone", "bsuid", "message")

_TOKEN = StaticToken()


def parse(request: Request) -> Parsed:
    """Return the message of an event, or what it was instead. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    event = text(body.get("event"), 128)
    data = body.get("data")
    if event not in (AD_EVENT, "receive_message"):
        if body:
            found.ignore(OTHER_EVENTS.get(event, "other_event_type") if event else "unparsed")
    elif not isinstance(data, dict):
        found.ignore("malformed")
    elif event == AD_EVENT:
        _read_ad(data, found)
    else:
        _read_message(data, found)
    return found.parsed()


def _read_ad(data: Mapping[str, Json], found: Collector) -> None:
    keep_message(
        Inbound(
            message_id=data.get("wam_id") or _made_up_id(data),
            kind=None,
            sender=data.get("contact_phone"),
            bsuid=data.get("bsuid"),
            referral=read_referral(data),
            text=data.get("message"),
        ),
        found,
    )


def _made_up_id(data: Mapping[str, Json]) -> str:
    parts = [identifier(data.get(key)) or text(data.get(key)) or "" for key in SAME_EVENT]
    return "ad-event." + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:40]


def _read_message(data: Mapping[str, Json], found: Collector) -> None:
    direction = text(data.get("type"), 64)
    if direction in NOT_INBOUND:
        return found.ignore(NOT_INBOUND[direction])
    return keep_message(
        Inbound(
            message_id=data.get("wam_id") or data.get("id"),
            kind=data.get("message_type"),
            sender=data.get("wa_id"),
            business=data.get("from_id"),
            text=data.get("message"),
        ),
        found,
    )


PROVIDER = Provider(
    name="wasapi",
    title="Wasapi",
    docs_url="https://api-docs.wasapi.io/docs/webhooks-publicidad-de-facebook",
    secret_fields=_TOKEN.fields("Wasapi, webhook settings, or a proxy in front of us"),
    verify=_TOKEN.verify,
    parse=parse,
    sign=_TOKEN.sign,
    verify_needs_body=False,
    click_id_paths=("data.ctwa_clid",),
    sample_paths=SamplePaths(
        message_ids=("data.wam_id",),
        phones=("data.contact_phone", "data.wa_id"),
        bsuids=("data.bsuid",),
        click_ids=("data.ctwa_clid",),
    ),
)
