"""A rule as a form: what its fields say of `when` and `then`, and what fields an existing rule fills. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext

from console.web.typed import typed_number
from shared.domain.rules import Trigger

#: What an amount is read by when nobody says a pattern: a number, with signs within.
FIRST_NUMBER = r"([0-9][0-9.,]*)"
#: What a rule looks at, as a marketer would say it.
TRIGGERS = {
    Trigger.INBOUND: lazy_gettext("a person writes"),
    Trigger.OUTGOING: lazy_gettext("the business writes"),
    Trigger.TAG: lazy_gettext("a contact gets a tag or label"),
    Trigger.STAGE: lazy_gettext("a contact comes to a stage"),
    Trigger.TEMPLATE: lazy_gettext("a template is sent"),
    Trigger.ORDER: lazy_gettext("an order or cart comes"),
    Trigger.FIRST_REPLY: lazy_gettext("somebody of the business answers for the first time"),
    Trigger.NUMBER: lazy_gettext("a person has written so many messages"),
    Trigger.MEDIA: lazy_gettext("a picture, voice note, video or file comes"),
    Trigger.PAYMENT: lazy_gettext("a payment comes"),
    Trigger.AUTOMATIC: lazy_gettext("Meta detects an event itself"),
}
ONCE = {
    "": lazy_gettext("as usual for its event"),
    "click": lazy_gettext("once for each ad click"),
    "contact": lazy_gettext("once for each contact"),
    "order": lazy_gettext("once for each order"),
    "message": lazy_gettext("for every message"),
}
#: Field of a problem in a definition -> what the form calls it.
LABELS = {
    "when.on": lazy_gettext("When"),
    "when.keywords": lazy_gettext("Words"),
    "when.pattern": lazy_gettext("Pattern"),
    "when.is": lazy_gettext("Which ones"),
    "when.number": lazy_gettext("How many messages"),
    "when.by": lazy_gettext("Written by"),
    "then.event": lazy_gettext("Conversion"),
    "then.stage": lazy_gettext("Stage"),
    "then.add_tags": lazy_gettext("Tags put on"),
    "then.remove_tags": lazy_gettext("Tags taken off"),
    "then.value": lazy_gettext("Value"),
    "then.currency": lazy_gettext("Currency"),
    "then.delay": lazy_gettext("Wait before it is sent"),
    "then.once": lazy_gettext("How often"),
    "then.order_pattern": lazy_gettext("Pattern of the order's number"),
    "then.confirm_purchase": lazy_gettext("Report sales on words alone"),
}
#: What each recipe fills in.
RECIPES: Mapping[str, tuple[Any, Mapping[str, Any]]] = {
    "words": (
        lazy_gettext("Qualified lead, by what your team writes"),
        {
            "when": {"on": "outgoing", "keywords": ["agendado"], "by": "human"},
            "then": {"event": "QualifiedLead"},
        },
    ),
    "label": (
        lazy_gettext("Qualified lead, by a label"),
        {"when": {"on": "tag", "is": ["Lead"]}, "then": {"event": "QualifiedLead"}},
    ),
    "answered": (
        lazy_gettext("A lead that somebody has answered"),
        {"when": {"on": "first_reply"}, "then": {"event": "QualifiedLead"}},
    ),
    "asked": (
        lazy_gettext("A tag, by what a person asks"),
        {"when": {"on": "inbound", "keywords": ["preço", "precio", "price"]}, "then": {"add_tags": ["price"]}},
    ),
    "cart": (
        lazy_gettext("Purchase, by a cart"),
        {"when": {"on": "order"}, "then": {"event": "Purchase", "value": {"order": True}}},
    ),
}
#: Triggers of which `is` names something, and of which words are looked for.
_NAMED = frozenset({Trigger.STAGE, Trigger.TAG, Trigger.TEMPLATE, Trigger.AUTOMATIC})
_TEXTUAL = frozenset({Trigger.INBOUND, Trigger.OUTGOING})
_SEVERAL = re.compile(r"[\n\r]+")


def said_of(form: Mapping[str, str]) -> dict[str, Any]:
    """RuleSchema's values: what isn't of the chosen trigger, or empty, is left out."""
    when, then = _when(form), _then(form)
    return {"name": _text(form, "name"), "channel": _text(form, "channel") or None, "when": when, "then": then}


def _when(form: Mapping[str, str]) -> dict[str, Any]:
    on = _text(form, "on")
    when: dict[str, Any] = {"on": on}
    if on in _TEXTUAL:
        name = "pattern" if form.get("look") == "pattern" else "keywords"
        given: Any = _text(form, "pattern") if name == "pattern" else _lines(form, "keywords")
        when |= {name: given} if given else {}
    if on == Trigger.OUTGOING:
        when["by"] = _text(form, "by") or "any"
    if on in _NAMED and (names := _lines(form, "is")):
        when["is"] = names
    if on == Trigger.NUMBER and (number := _text(form, "number")):
        when["number"] = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 0
    return when


def _then(form: Mapping[str, str]) -> dict[str, Any]:
    then: dict[str, Any] = {name: text for name in ("event", "stage") if (text := _text(form, name))}
    then |= {name: tags for name in ("add_tags", "remove_tags") if (tags := _lines(form, name))}
    if "event" not in then:
        return then
    then |= {name: text for name in ("delay", "once", "order_pattern") if (text := _text(form, name))}
    if currency := _text(form, "currency"):
        then["currency"] = currency.upper()
    match form.get("value"):
        case "fixed":
            then["value"] = {"fixed": str(typed_number(_text(form, "fixed")))}
        case "pattern":
            decimals = _text(form, "decimals") or "auto"
            then["value"] = {"pattern": _text(form, "value_pattern") or FIRST_NUMBER, "decimals": decimals}
        case "order":
            then["value"] = {"order": True}
    if form.get("confirm_purchase") == "1":
        then["confirm_purchase"] = True
    return then


def form_of(rule: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the form that say what a rule says; `rule` is in RuleSchema's words."""
    when, then = rule["when"], rule["then"]
    value = then.get("value") or {}
    kind = next((name for name in ("fixed", "pattern", "order") if value.get(name)), "")
    return {
        "name": rule.get("name") or "",
        "channel": rule.get("channel") or "",
        "on": when["on"],
        "look": "pattern" if "pattern" in when else "keywords",
        "keywords": "\n".join(when.get("keywords", ())),
        "pattern": when.get("pattern", ""),
        "is": "\n".join(when.get("is", ())),
        "by": when.get("by", "any"),
        "number": str(when.get("number", "")),
        **{name: then.get(name) or "" for name in ("event", "stage", "currency", "delay", "once", "order_pattern")},
        "add_tags": "\n".join(then.get("add_tags", ())),
        "remove_tags": "\n".join(then.get("remove_tags", ())),
        "value": kind,
        "fixed": str(value.get("fixed", "")),
        "value_pattern": value.get("pattern") or "",
        "decimals": value.get("decimals", "auto"),
        "confirm_purchase": "1" if then.get("confirm_purchase") else "",
    }


def _text(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def _lines(form: Mapping[str, str], name: str) -> list[str]:
    return [line.strip() for line in _SEVERAL.split(form.get(name, "")) if line.strip()]
