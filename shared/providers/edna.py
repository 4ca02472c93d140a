"""edna: one message a request.

Documentation: https://docs.edna.io/kb/edna-pulse-08-08-24 (the referral, with a whole callback as an example)

| what | where |
|---|---|
| click id | none |
| ad or post | `messageContent.referral.{sourceId,sourceType,sourceUrl,headline,body}` |
| sender | `subscriber.identifier`, digits |
| time | `receivedAt`, ISO 8601 |
| text | `messageContent.{text,caption}` |
| business number | `subject`, the name of the channel at edna |

edna documents no proof of its callbacks. A header of our choice is the whole proof.
"""

from collections.abc import Mapping

from shared.providers.base import Collector, Json, Parsed, Provider, Request, SamplePaths
from shared.providers.body import iso_time, mapping, read_object
from shared.providers.inbound import Inbound, keep_message
from shared.providers.proofs import StaticToken
from shared.providers.referral import CAMEL, read_referral

_TOKEN = StaticToken()


def parse(request: Request) -> Parsed:
    """Return the message of a callback, or what it was instead. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    if "messageContent" in body:
        _read_message(body, found)
    elif body:
        found.ignore("statuses" if "status" in body else "unparsed")
    return found.parsed()


def _read_message(body: Mapping[str, Json], found: Collector) -> None:
    content = body.get("messageContent")
    if not isinstance(content, dict):
        return found.ignore("malformed")
    return keep_message(
        Inbound(
            message_id=body.get("id"),
            kind=content.get("type"),
            sender=mapping(body.get("subscriber")).get("identifier"),
            business=body.get("subject"),
            referral=read_referral(mapping(content.get("referral")), CAMEL),
            sent_at=iso_time(body.get("receivedAt")),
            text=content.get("text") or content.get("caption"),
        ),
        found,
    )


PROVIDER = Provider(
    name="edna",
    title="edna",
    docs_url="https://docs.edna.io/kb/edna-pulse-08-08-24",
    secret_fields=_TOKEN.fields("in edna's callback settings, or set by a proxy in front of us"),
    verify=_TOKEN.verify,
    parse=parse,
    sign=_TOKEN.sign,
    verify_needs_body=False,
    sample_paths=SamplePaths(
        message_ids=("id", "requestId"),
        times=("receivedAt", "statusAt"),
        phones=("subscriber.identifier",),
    ),
)
