"""Whapi.Cloud: a JSON object whose arrays depend on the event; messages are in `messages[]`.

Documentation:
https://support.whapi.cloud/help-desk/receiving/webhooks/incoming-webhooks-format/incoming-message and the
OpenAPI file, component WebhookPayload, https://whapi.readme.io/. That `context.ad.ctwa` is the click id is
said at https://whapi.cloud/blog/track-click-to-whatsapp-ctwa-clid (the OpenAPI file calls it "Call to
action").

| what | where |
|---|---|
| click id | `messages[].context.ad.ctwa` |
| ad or post | `messages[].context.ad.source.{id,type,url}`, `.title`, `.body`, `.media_type`, `.media_url` |
| conversion token, app | `messages[].context.conversion.{data,source}` |
| sender | `messages[].from`, else `messages[].chat_id` (in a one-to-one chat, the chat is the person) |
| time | `messages[].timestamp`, seconds |
| business number | `channel_id` |
| text | `messages[].{text.body,link_preview.body,….caption,reply.….title,order.text}` |
| order | `messages[].order.{order_id,currency}`; the unit of its total is not documented, so it isn't read |
| sent by the business | `messages[].from_me`; `source` `mobile` or `web` is a person, `api` a program; to `chat_id` |
| labels | `chats_updates[].{before_update,after_update}.labels[].{id,name}` |

Whapi signs nothing. It sends static headers of our choice, and they are the whole proof.
"""

from collections.abc import Mapping

from shared.domain.messages import (
    Message,
    MessageClass,
    Referral,
    classify,
    clean_click_id,
)
from shared.domain.signals import Author, Order
from shared.providers.addresses import Address, AddressKind, read_address
from shared.providers.base import (
    Collector,
    Json,
    Parsed,
    Provider,
    Request,
    SamplePaths,
)
from shared.providers.body import (
    boolean,
    identifier,
    mapping,
    raw_text,
    read_object,
    text,
    unix_seconds,
    whole_text,
)
from shared.providers.inbound import NOT_ONE_TO_ONE
from shared.providers.outgoing import Sent, keep_label, keep_outgoing
from shared.providers.proofs import StaticToken

#: Everything but `messages` that the OpenAPI file names in WebhookPayload, and why it is left out.
OTHER_PARTS = {
    "calls": "calls",
    "chats": "chats",
    "chats_removed": "chats",
    "chats_updates": "chats",
    "contacts": "contacts",
    "contacts_updates": "contacts",
    "errors": "errors",
    "groups": "groups",
    "groups_participants": "groups",
    "groups_updates": "groups",
    "health": "channel_state",
    "labels": "labels",
    "labels_removed": "labels",
    "messages_removed": "revoke",
    "messages_removed_all": "revoke",
    "messages_updates": "message_update",
    "presences": "presences",
    "qr": "channel_state",
    "statuses": "statuses",
    "user": "channel_state",
}
#: The event types of the OpenAPI file that don't carry live messages.
OTHER_EVENTS = frozenset(
    {
        "ack",
        "calls",
        "channel",
        "chat",
        "chats",
        "contacts",
        "groups",
        "labels",
        "presences",
        "service",
        "status",
        "statuses",
        "users",
    }
)
#: What the event's method makes of `messages[]`. `put` is another delivery of what `post` brings, with the
#: same ids.
NOT_LIVE = {"patch": "message_update", "delete": "revoke"}
#: Message types that are not a new message from a person; `action` is told apart by its own type.
NOT_A_MESSAGE = {
    "reaction": "reaction",
    "story": "status_story",
    "system": "system",
    "pin": "action",
}
#: The fields of a content that hold what was typed or tapped, the first that is there.
TEXTS = ("body", "caption", "text", "title")
ACTIONS = {"edit": "edit", "edited": "edit", "delete": "revoke", "reaction": "reaction"}
#: `source` says which kind of device sent the message.
NOT_FROM_A_PERSON = {"api": "api_send", "system": "system"}
#: Who of the business sent a message of ours, by `source`.
AUTHORS = {
    "api": Author.AUTOMATION,
    "mobile": Author.HUMAN,
    "web": Author.HUMAN,
}
#: `conversion.source`, a word of the WhatsApp protocol, names the app in which the ad was shown.
SOURCE_APPS = {"fb": "facebook", "ig": "instagram"}


def parse(request: Request) -> Parsed:
    """Return the live messages of a webhook and what was left out. Raises UnparsableError."""
    found = Collector()
    body = read_object(request, found)
    channel_ref = identifier(body.get("channel_id"))
    refused = _why_not_live(request, body)
    for message in found.objects(body.get("messages")):
        if refused:
            found.ignore(refused)
        else:
            _read_message(message, channel_ref, found)
    for update in _updates(body):
        _read_labels(update, found)
    for part in body.keys() & OTHER_PARTS.keys():
        found.ignore(OTHER_PARTS[part], _size(body[part]))
    if body and not body.keys() & ({"messages", "event", "channel_id"} | OTHER_PARTS.keys()):
        found.ignore("unparsed")
    return found.parsed()


def _why_not_live(request: Request, body: Mapping[str, Json]) -> str | None:
    """Return why `messages[]` of this webhook aren't live messages, or None when they are.

    The event is in the body (its second key is called `method` in the OpenAPI file and `event` in the
    samples), in the path in path mode, and in the HTTP verb in method mode. None of them can be relied on to
    be there.
    """
    event = mapping(body.get("event"))
    path_kind, _, path_method = request.path.strip("/").partition("/")
    kind = (text(event.get("type")) or path_kind).lower()
    method = text(event.get("method")) or text(event.get("event")) or path_method or request.method
    if kind in OTHER_EVENTS:
        return "other_event"
    return NOT_LIVE.get(method.lower())


def _read_message(message: Mapping[str, Json], channel_ref: str | None, found: Collector) -> None:
    message_id = identifier(message.get("id"))
    if message_id is None:
        return found.ignore("no_message_id")
    chat = read_address(identifier(message.get("chat_id")))
    author = read_address(identifier(message.get("from")))
    kind = text(message.get("type"), 64)
    reason = _why_not_read(message, kind, chat, author)
    if reason in ("from_me", "api_send") and chat:
        return _read_sent(message, message_id, reason, found)
    if reason:
        return found.ignore(reason)
    people = _people(author, chat)
    if not people:
        return found.ignore("no_sender")
    context = mapping(message.get("context"))
    referral = _read_referral(context)
    if referral and (text(context.get("quoted_type")) or "").lower() in (
        "story",
        "status",
    ):
        # A reply to a status repeats the ad block of an earlier conversation; nothing was tapped now.
        found.ignore("stale_ad_block")
        referral = None
    return found.add_message(
        Message(
            message_id=message_id,
            message_class=classify(referral),
            referral=referral,
            phone=people.get(AddressKind.PHONE),
            lid=people.get(AddressKind.LID),
            provider_id=people.get(AddressKind.ID) if len(people) == 1 else None,
            kind=kind,
            sent_at=unix_seconds(message.get("timestamp")),
            channel_ref=channel_ref,
            text=_text(message),
            order=_order(mapping(message.get("order"))),
        )
    )


def _read_sent(message: Mapping[str, Json], message_id: str, reason: str, found: Collector) -> None:
    """Keep a message of the business's own; in a one-to-one chat, the chat is the person."""
    if (text(message.get("type"), 64) or "").lower() in {*NOT_A_MESSAGE, "action"}:
        return found.ignore(reason)
    source = (text(message.get("source")) or "").lower()
    return keep_outgoing(
        Sent(
            message_id=message_id,
            author=AUTHORS.get(source, Author.UNKNOWN),
            recipients=[message.get("chat_id")],
            kind=message.get("type"),
            text=_text(message),
            order=_order(mapping(message.get("order"))),
            sent_at=unix_seconds(message.get("timestamp")),
        ),
        reason,
        found,
    )


def _text(message: Mapping[str, Json]) -> str | None:
    """What was typed or tapped: the body or caption of the content named after the type, or a reply's title."""
    kind = (text(message.get("type"), 64) or "").lower()
    content = mapping(message.get(kind))
    if kind == "reply":
        content = mapping(content.get("buttons_reply")) or mapping(content.get("list_reply"))
    return next((found for name in TEXTS if (found := text(content.get(name)))), None)


def _order(order: Mapping[str, Json]) -> Order | None:
    currency = (text(order.get("currency"), 3) or "").upper()
    known = len(currency) == 3 and currency.isascii() and currency.isalpha()
    return Order(order_id=identifier(order.get("order_id")), currency=currency if known else None) if order else None


def _updates(body: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    listed = body.get("chats_updates")
    return [mapping(update) for update in listed] if isinstance(listed, list) else []


def _read_labels(update: Mapping[str, Json], found: Collector) -> None:
    """Keep the labels in which a chat differs before and after. Whapi says them whole both times, and no time.

    https://support.whapi.cloud/help-desk/receiving/webhooks/incoming-webhooks-format/other/labels
    """
    if "labels" not in _words(update.get("changes")):
        return
    after = mapping(update.get("after_update"))
    now, before = _labels(after), _labels(mapping(update.get("before_update")))
    for label_id in [*(now.keys() - before.keys()), *(before.keys() - now.keys())]:
        added = label_id in now
        name = now[label_id] if added else before[label_id]
        keep_label(after.get("id"), name, added=added, at=None, found=found)


def _words(listed: Json) -> list[Json]:
    return listed if isinstance(listed, list) else []


def _labels(chat: Mapping[str, Json]) -> dict[str, str]:
    """A chat's labels: name, or the id where there is none, by id."""
    found: dict[str, str] = {}
    for item in _words(chat.get("labels")):
        label_id = identifier(mapping(item).get("id"))
        if label_id:
            found[label_id] = text(mapping(item).get("name"), 100) or label_id
    return found


def _why_not_read(
    message: Mapping[str, Json],
    kind: str | None,
    chat: Address | None,
    author: Address | None,
) -> str | None:
    """Return why this isn't a live message from a person, or None when it is.

    `from_me` is required by the OpenAPI file. A message without it is inbound unless its author isn't
    the person of the chat; one in which it is something else than a boolean is not read.
    """
    from_me = message.get("from_me")
    outgoing = boolean(from_me)
    if outgoing is None and from_me not in (None, ""):
        return "malformed"
    if outgoing is None:
        outgoing = _is_by_the_other_side(author, chat)
    if outgoing:
        return "from_me"
    for address in (chat, author):
        if address and address.kind in NOT_ONE_TO_ONE:
            return NOT_ONE_TO_ONE[address.kind]
        if address and address.digits == "0":  # WhatsApp's own account
            return "system"
    source = (text(message.get("source")) or "").lower()
    if source in NOT_FROM_A_PERSON:
        return NOT_FROM_A_PERSON[source]
    if (kind or "").lower() == "action":
        action = text(mapping(message.get("action")).get("type")) or ""
        return ACTIONS.get(action.lower(), "action")
    return NOT_A_MESSAGE.get((kind or "").lower())


def _is_by_the_other_side(author: Address | None, chat: Address | None) -> bool:
    """Say whether two phones are named, and the author's isn't the chat's: then it is the business's own."""
    if author is None or chat is None:
        return False
    return author.kind is chat.kind is AddressKind.PHONE and author.value != chat.value


def _people(author: Address | None, chat: Address | None) -> dict[AddressKind, str]:
    """Return the sender's names. The author goes before the chat, for the chat may be known by another name.

    When the number is hidden, the chat is a LID; digits of `from` that only repeat it are no phone number.
    """
    if author and chat and chat.kind is AddressKind.LID and author.digits == chat.digits:
        author = chat
    people: dict[AddressKind, str] = {}
    for address in (author, chat):
        if address:
            people.setdefault(address.kind, address.value)
    return people


def _read_referral(context: Mapping[str, Json]) -> Referral | None:
    """Return what `context.ad` names, or None; `context.quoted_content` is another message's: not read."""
    ad = mapping(context.get("ad"))
    source = mapping(ad.get("source"))
    conversion = mapping(context.get("conversion"))
    click_id, flags = clean_click_id(raw_text(ad.get("ctwa")))
    app = (text(conversion.get("source")) or "").lower().partition("_")[0]
    source_type = text(source.get("type"), 64)
    referral = Referral(
        click_id=click_id,
        source_id=identifier(source.get("id")),
        source_type=source_type.lower() if source_type else None,
        source_url=whole_text(source.get("url")),
        headline=text(ad.get("title")),
        body=text(ad.get("body")),
        media_type=text(ad.get("media_type"), 64),
        media_url=whole_text(ad.get("media_url")),
        source_app=SOURCE_APPS.get(app),
        conversion_data=whole_text(conversion.get("data")),
        flags=flags,
    )
    return None if classify(referral) is MessageClass.ORGANIC else referral


def _size(part: Json) -> int:
    """Return how many things a part holds; a part that is one object or id counts as one."""
    if isinstance(part, list):
        return len(part)
    return 1 if part else 0


_TOKEN = StaticToken()
verify = _TOKEN.verify
sign = _TOKEN.sign

PROVIDER = Provider(
    name="whapi",
    title="Whapi.Cloud",
    docs_url="https://support.whapi.cloud/help-desk/receiving/webhooks/incoming-webhooks-format/incoming-message",
    secret_fields=_TOKEN.fields("Whapi, channel settings, Webhooks, Headers"),
    verify=verify,
    parse=parse,
    sign=sign,
    methods=frozenset({"POST", "PUT", "PATCH", "DELETE"}),
    subpaths=True,
    verify_needs_body=False,
    click_id_paths=("messages.*.context.ad.ctwa",),
    sample_paths=SamplePaths(
        message_ids=("messages.*.id", "statuses.*.id"),
        times=("messages.*.timestamp", "statuses.*.timestamp"),
        phones=("messages.*.from", "messages.*.chat_id", "statuses.*.recipient_id"),
        click_ids=("messages.*.context.ad.ctwa",),
        tokens=("messages.*.context.conversion.data",),
    ),
)
