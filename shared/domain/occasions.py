"""What rules may answer to in a message, as facts. Pure."""

from shared.domain.messages import Message
from shared.domain.rules import Facts, Trigger
from shared.domain.signals import OutgoingMessage

#: Kinds of messages in every provider's words, in lower case and without `message` behind them.
MEDIA = frozenset(
    {"audio", "document", "file", "gif", "image", "ptt", "ptv", "short", "sticker", "video", "video_note", "voice"}
)
PAYMENT = frozenset({"payment", "sendpayment"})
ORDER = "order"


def facts_of(message: Message, *, number: int | None = None) -> Facts:
    """What a message of a person says. `number` is its place among theirs, where it was counted."""
    kind = (message.kind or "").lower().removesuffix("message").rstrip("_")
    happened = {
        Trigger.INBOUND: message.text is not None,
        Trigger.ORDER: message.order is not None or kind == ORDER,
        Trigger.MEDIA: kind in MEDIA,
        Trigger.PAYMENT: kind in PAYMENT,
        Trigger.NUMBER: number is not None,
    }
    return Facts(
        happened=frozenset(trigger for trigger, is_so in happened.items() if is_so),
        text=message.text,
        number=number,
        order=message.order,
    )


def facts_of_outgoing(message: OutgoingMessage, *, is_first_reply: bool) -> Facts:
    """What a message of the business says. The first reply is the first that a person wrote after an ad message."""
    happened = {
        Trigger.OUTGOING: message.text is not None,
        Trigger.TEMPLATE: message.template is not None,
        Trigger.FIRST_REPLY: is_first_reply,
    }
    return Facts(
        happened=frozenset(trigger for trigger, is_so in happened.items() if is_so),
        text=message.text,
        author=message.author,
        names=(message.template,) if message.template else (),
    )
