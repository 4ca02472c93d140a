"""Rules: when something happens in a chat, then it is a conversion, a stage or a tag. Everything is pure.

A rule is data (`shared.domain.rule_definitions` reads it); `fires` says what one rule makes of one occasion.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from shared.domain.amounts import Decimals, read_amount
from shared.domain.keywords import fold, holds
from shared.domain.patterns import Pattern
from shared.domain.signals import Author, Order


class Trigger(StrEnum):
    """What a rule looks at."""

    INBOUND = "inbound"
    OUTGOING = "outgoing"
    STAGE = "stage"
    TAG = "tag"
    TEMPLATE = "template"
    ORDER = "order"
    NUMBER = "message_number"
    FIRST_REPLY = "first_reply"
    MEDIA = "media"
    PAYMENT = "payment"
    AUTOMATIC = "automatic_event"


class Scope(StrEnum):
    """How often a rule makes a conversion."""

    CLICK = "click"
    CONTACT = "contact"
    ORDER = "order"
    MESSAGE = "message"


@dataclass(frozen=True, kw_only=True)
class Value:
    """Where the value comes from: an amount that is always the same, the text, or the order."""

    fixed: Decimal | None = None
    pattern: Pattern | None = None
    decimals: Decimals = Decimals.AUTO
    from_order: bool = False


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What a rule writes onto the contact: the stage it comes to, tags put on and taken off."""

    stage: str | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def changes(self) -> list[tuple[str, str]]:
        """Each as (kind, value), in the words of `contact_changes`."""
        stages = [("stage", self.stage)] if self.stage is not None else []
        return [*stages, *(("tag_added", tag) for tag in self.add), *(("tag_removed", tag) for tag in self.remove)]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One rule, as validated. `keywords` and `names` are folded; `by` None: whoever of the business wrote.

    `event_name` None: it makes no conversion, and only marks the contact.
    """

    on: Trigger
    event_name: str | None
    once: Scope
    keywords: tuple[str, ...] = ()
    pattern: Pattern | None = None
    names: frozenset[str] = frozenset()
    by: Author | None = None
    number: int | None = None
    value: Value | None = None
    currency: str | None = None
    delay: timedelta | None = None
    order_pattern: Pattern | None = None
    marks: Marks = Marks()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One occasion. `happened` are the triggers it may answer to; `names` the stage, tag, template or event.

    `number` counts the messages of the person, from the ad message on if there is one.
    """

    happened: frozenset[Trigger]
    text: str | None = field(default=None, repr=False)
    author: Author | None = None
    names: tuple[str, ...] = ()
    number: int | None = None
    order: Order | None = field(default=None, repr=False)
    value: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fired:
    """What a rule makes of an occasion. A `currency` of None is the channel's; without an event it only marks."""

    event_name: str | None
    once: Scope
    marks: Marks = Marks()
    value: Decimal | None = None
    currency: str | None = None
    order_id: str | None = None
    contents: tuple[Mapping[str, Any], ...] | None = None
    delay: timedelta | None = None


def fires(rule: Definition, facts: Facts) -> Fired | None:
    """What the rule makes of this occasion, or None."""
    if rule.on not in facts.happened or not _is_meant(rule, facts):
        return None
    value = _value(rule, facts)
    order = facts.order
    order_id = rule.order_pattern.find(facts.text) if rule.order_pattern and facts.text else None
    order_id = (order_id or "").strip()[:200] or (order.order_id if order else None)
    currency = rule.currency
    if currency is None and value is not None and rule.value and rule.value.from_order:
        currency = (order.currency if order else None) or facts.currency
    return Fired(
        event_name=rule.event_name,
        marks=rule.marks,
        # Without an order's number, each message is an order of its own.
        once=Scope.MESSAGE if rule.once is Scope.ORDER and not order_id else rule.once,
        value=value,
        currency=currency,
        order_id=order_id if rule.once is Scope.ORDER else None,
        contents=order.contents if order and order.contents else None,
        delay=rule.delay,
    )


def _is_meant(rule: Definition, facts: Facts) -> bool:
    if rule.by is not None and facts.author is not rule.by:
        return False
    if rule.number is not None and facts.number != rule.number:
        return False
    if rule.names and not any(fold(name) in rule.names for name in facts.names):
        return False
    if rule.keywords or rule.pattern:
        return facts.text is not None and _speaks(rule, facts.text)
    return True


def _speaks(rule: Definition, text: str) -> bool:
    if rule.pattern is not None and rule.pattern.find(text) is None:
        return False
    if not rule.keywords:
        return True
    folded = fold(text)
    return any(holds(folded, keyword) for keyword in rule.keywords)


def _value(rule: Definition, facts: Facts) -> Decimal | None:
    source = rule.value
    if source is None:
        return None
    if source.fixed is not None:
        return source.fixed
    if source.pattern is not None:
        written = source.pattern.find(facts.text) if facts.text else None
        return read_amount(written, source.decimals) if written else None
    if facts.order is not None:
        return facts.order.value
    return facts.value
