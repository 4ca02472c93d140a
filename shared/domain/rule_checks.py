"""What of a rule goes together, and what makes sales of what may be none. Pure."""

from collections.abc import Mapping
from typing import Any

from shared.capi.event_names import inside_name
from shared.domain.keywords import fold
from shared.domain.rules import Scope, Trigger
from shared.domain.sentences import sentence

PURCHASE = "Purchase"
_CONFIRM = sentence(
    "must be true for this: the rule would report sales on the strength of words alone, and Meta would learn from every"
    " wrong one. An order message, a stage, a tag, or a value taken from a message of yours is surer"
)
_TEXTUAL = frozenset({Trigger.INBOUND, Trigger.OUTGOING})
#: What has a text that a value can be taken from.
_SPEAKING = frozenset({*_TEXTUAL, Trigger.TEMPLATE, Trigger.ORDER, Trigger.MEDIA, Trigger.PAYMENT, Trigger.FIRST_REPLY})
_NAMED = frozenset({Trigger.STAGE, Trigger.TAG, Trigger.TEMPLATE, Trigger.AUTOMATIC})
#: What happens by no message of ours: it can't be once for each.
WITHOUT_MESSAGE = frozenset({Trigger.STAGE, Trigger.TAG})
#: What a business does on purpose or Meta says: a sale needs no second word.
_SURE = frozenset({Trigger.STAGE, Trigger.TAG, Trigger.ORDER, Trigger.AUTOMATIC})
#: What is said of the conversion, so that without one it says nothing.
_OF_EVENT = ("value", "currency", "delay", "once", "order_pattern")


def check_when(when: Mapping[str, Any], problems: dict[str, list[str]]) -> None:
    """Notes in `problems` what is missing or too much in a `when`."""
    on = Trigger(when["on"])
    if on in _TEXTUAL and ("keywords" in when) == ("pattern" in when):
        problems["keywords"] = [sentence("{on} needs either keywords or a pattern", on=on)]
    if on not in _TEXTUAL:
        for name in ("keywords", "pattern"):
            if name in when:
                problems[name] = [f"only inbound and outgoing look for it, {on} doesn't"]
    if "is" in problems or ("is_" in when) != (on in _NAMED):
        problems["is"] = [
            sentence("{on} needs it", on=on) if on in _NAMED else sentence("{on} has no name to compare with", on=on)
        ]
    if ("number" in when) != (on is Trigger.NUMBER):
        problems["number"] = [
            sentence("{on} needs it", on=on) if on is Trigger.NUMBER else sentence("only message_number counts")
        ]
    if when["by"] != "any" and on is not Trigger.OUTGOING:
        problems["by"] = ["only outgoing messages are told by who wrote them"]


def check_then(when: Mapping[str, Any], then: Mapping[str, Any], problems: dict[str, list[str]]) -> None:
    """Notes in `problems` what of a `then` doesn't go with itself or with its `when`."""
    on, value = Trigger(when["on"]), then.get("value")
    _check_marks(when, then, problems)
    if value is not None:
        sources = [name for name in ("fixed", "pattern", "order") if value.get(name)]
        if len(sources) != 1:
            problems["value"] = [sentence("needs one of fixed, pattern and order")]
        elif "pattern" in sources and on not in _SPEAKING:
            problems["value"] = [sentence("{on} has no text to take it from", on=on)]
        elif "order" in sources and on not in (Trigger.ORDER, Trigger.AUTOMATIC):
            problems["value"] = [sentence("{on} has no order to take it from", on=on)]
    if "order_pattern" in then and on not in _SPEAKING:
        problems["order_pattern"] = [sentence("{on} has no text to take it from", on=on)]
    once = then.get("once")
    if once == Scope.ORDER and on is not Trigger.ORDER and "order_pattern" not in then:
        problems["once"] = [
            sentence("once per order needs an order message, or an order_pattern that finds its number")
        ]
    if once == Scope.MESSAGE and on in WITHOUT_MESSAGE:
        problems["once"] = [sentence("{on} happens without a message: say click or contact", on=on)]
    if "order_pattern" in then and once not in (None, Scope.ORDER):
        problems["order_pattern"] = [sentence("is for once: order")]
    if needs_confirmation(when, then) and not then["confirm_purchase"]:
        problems["confirm_purchase"] = [_CONFIRM]


def _check_marks(when: Mapping[str, Any], then: Mapping[str, Any], problems: dict[str, list[str]]) -> None:
    if not {"event", "stage", "add_tags", "remove_tags"} & then.keys():
        problems["event"] = [sentence("say what follows: event, stage, add_tags or remove_tags")]
    elif "event" not in then:
        problems |= {name: [sentence("is of a conversion: say its event too")] for name in _OF_EVENT if name in then}
    if both := set(then.get("add_tags", ())) & set(then.get("remove_tags", ())):
        problems["remove_tags"] = [
            sentence("would take off what add_tags puts on: {tags}", tags=", ".join(sorted(both)))
        ]
    if when["on"] == Trigger.STAGE and "stage" in then and fold(then["stage"]) in map(fold, when.get("is_", ())):
        problems["stage"] = [sentence("is the stage that the rule looks at: the contact is there already")]


def event_name(then: Mapping[str, Any]) -> str | None:
    """Our name of the event that a rule makes; None when it makes none."""
    return inside_name(then["event"]) if "event" in then else None


def needs_confirmation(when: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Whether it makes sales of what may be none: of what a person wrote, or of words without an amount."""
    on = Trigger(when["on"])
    if event_name(then) != PURCHASE or on in _SURE:
        return False
    takes_amount = bool(then.get("value", {}).get("pattern"))
    return not (on in (Trigger.OUTGOING, Trigger.TEMPLATE) and takes_amount)
