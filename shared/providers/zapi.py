"""Z-API: one flat object a request; `ReceivedCallback` brings one message, the ad block at the top.

Documentation: https://developer.z-api.io/en/webhooks/on-message-received (attributes and an example for each type).

| what | where |
|---|---|
| click id | `externalAdReply.ctwaClid` |
| ad or post | `externalAdReply.{sourceId,sourceType,sourceUrl,title,body,mediaType,thumbnailUrl}` |
| sender | `phone`, digits, or `<digits>@lid` when the number is hidden; `senderLid`, `chatLid` |
| time | `momment`, milliseconds |
| text | `text.message`, `{image,video,document}.caption`, `{buttonsResponseMessage,listResponseMessage}.message` |
| sent by the business | `fromMe`; with `fromApi` a program wrote it, else a person; to `phone` |
| business number | `instanceId` |

Z-API signs nothing and sends no headers of our choice. Though no page says so, it was seen to send the instance's token
in a header `z-api-token`; else the channel's token goes behind the webhook's URL, as its last part. Either is the whole
proof.
"""

from collections.abc import Mapping, Sequence

from shared.domain.signals import Author
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
from shared.providers.body import boolean, mapping, read_object, text, unix_milliseconds
from shared.providers.proofs import StaticToken, any_of, live_secrets, same
from shared.providers.web_message import WebMessage, keep_message
from shared.providers.web_protocol import Content

#: The callbacks but `ReceivedCallback`, and why they are left out.
OTHER_CALLBACKS = {
    "connectedcallback": "channel_state",
    "deliverycallback": "api_send",
    "disconnectedcallback": "channel_state",
    "messagestatuscallback": "statuses",
    "presencechatcallback": "presences",
}
#: Flags of a `ReceivedCallback` that make it no message from one person.
FLAGS = {
    "isGroup": "group",
    "isNewsletter": "newsletter",
    "broadcast": "broadcast",
    "isEdit": "edit",
    # The message itself comes in a second callback with the same id. Whether an ad brought it isn't known before.
    "waitingMessage": "placeholder",
}
#: `notification` marks notices of WhatsApp; those whose first word has a reason of its own.
NOTICES = {
    "CALL": "calls",
    "CHAT": "labels",
    "GROUP": "groups",
    "MEMBERSHIP": "groups",
    "NEWSLETTER": "newsletter",
    "REVOKE": "revoke",
    "REVOKED": "groups",
}
#: Contents that answer or change an earlier message.
NOT_A_MESSAGE = {
    "eventResponse": "action",
    "pinMessage": "action",
    "pollVote": "action",
    "reaction": "reaction",
}
#: The contents of the documentation's examples.
CONTENTS = (
    *(
        "audio",
        "buttonsMessage",
        "buttonsResponseMessage",
        "carouselMessage",
        "contact",
        "contacts",
        "document",
        "event",
    ),
    *("hydratedTemplate", "image", "list", "listResponseMessage", "location", "newsletterAdminInvite", "order"),
    *("pixKeyMessage", "poll", "product", "ptv", "requestPayment", "reviewAndPay", "reviewOrder", "sendPayment"),
    *("sticker", "text", "video"),
)

#: The field of each content that holds what was typed or tapped.
TEXTS = {
    "text": "message",
    "image": "caption",
    "video": "caption",
    "document": "caption",
    "buttonsResponseMessage": "message",
    "listResponseMessage": "message",
    "hydratedTemplate": "message",
}

_HEADER = StaticToken("z-api-token")


def parse(request: Request) -> Parsed:
    """Return the live message of a webhook, or what was left out. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    callback = (text(body.get("type"), 64) or "").lower()
    if callback == "receivedcallback":
        _read_message(body, found)
    elif callback:
        found.ignore(OTHER_CALLBACKS.get(callback, "other_event_type"))
    elif body:
        found.ignore("unparsed")
    return found.parsed()


def _read_message(body: Mapping[str, Json], found: Collector) -> None:
    names = [body.get(name) for name in ("phone", "senderLid", "chatLid")]
    kind = next((name for name in CONTENTS if body.get(name) is not None), None)
    return keep_message(
        WebMessage(
            message_id=body.get("messageId"),
            from_me=body.get("fromMe"),
            by_api=body.get("fromApi"),
            names=names,
            recipients=[body.get("phone"), body.get("chatLid")],
            author=Author.HUMAN,
            text=_text(body),
            content=Content(kind, _why_no_message(body)),
            contexts=({"externalAdReply": body.get("externalAdReply")},),
            status_reply=boolean(body.get("isStatusReply")) is True,
            sent_at=unix_milliseconds(body.get("momment")),
            channel_ref=body.get("instanceId"),
        ),
        found,
    )


def _text(body: Mapping[str, Json]) -> str | None:
    """What was typed or tapped, in the content that the callback carries."""
    written = (mapping(body.get(content)).get(name) for content, name in TEXTS.items())
    return next((found for one in written if (found := text(one))), None)


def _why_no_message(body: Mapping[str, Json]) -> str | None:
    for flag, reason in FLAGS.items():
        if boolean(body.get(flag)):
            return reason
    if (text(body.get("phone")) or "").endswith("-group"):
        return "group"
    notice = text(body.get("notification"), 64)
    if notice:
        return NOTICES.get(notice.upper().partition("_")[0], "system")
    return next((reason for name, reason in NOT_A_MESSAGE.items() if mapping(body.get(name))), None)


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the request carries a token of the channel, in its header or as the last part of its URL."""
    in_url = request.path.strip("/")
    by_url = any_of(same(in_url, token) for token in live_secrets(secrets, "token"))
    return _HEADER.verify(request, secrets) or by_url


PROVIDER = Provider(
    name="zapi",
    title="Z-API",
    docs_url="https://developer.z-api.io/en/webhooks/on-message-received",
    secret_fields=(
        SecretField(
            "token",
            "Put it behind the webhook's URL, as its last part; or use the instance's token, which Z-API sends itself.",
            generated=True,
        ),
        SecretField("header", "Name of the header with that token.", required=False, default=_HEADER.header),
    ),
    verify=verify,
    parse=parse,
    sign=_HEADER.sign,
    subpaths=True,
    verify_needs_body=False,
    click_id_paths=("externalAdReply.ctwaClid",),
    sample_paths=SamplePaths(
        message_ids=("messageId", "ids.*"),
        times=("momment",),
        phones=("phone",),
        click_ids=("externalAdReply.ctwaClid",),
    ),
)
