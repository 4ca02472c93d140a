"""What a rule makes of an occasion, over its whole vocabulary; and what a definition must not say."""

import contextlib
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.rule_definitions import DefinitionError, check_definition, read_definition
from shared.domain.rules import Facts, Fired, Marks, Scope, Trigger, fires
from shared.domain.signals import Author, Order

ORDER = Order(order_id="A-7", value=Decimal("104.90"), currency="BRL", contents=({"id": "SHOE", "quantity": 1},))
LEAD = {"event": "QualifiedLead"}


def facts(*happened: Trigger, **given: Any) -> Facts:
    return Facts(happened=frozenset(happened), **given)


def fired(when: dict[str, Any], then: dict[str, Any], occasion: Facts) -> Fired | None:
    return fires(read_definition({"when": when, "then": then}), occasion)


INBOUND = facts(Trigger.INBOUND, text="Olá, está CONFIRMADO! Total: R$ 1.234,56, pedido #99")
OUTGOING = facts(Trigger.OUTGOING, text=INBOUND.text, author=Author.HUMAN)


@pytest.mark.parametrize(
    ("when", "occasion", "expected"),
    [
        ({"on": "inbound", "keywords": "confirmado"}, INBOUND, True),
        ({"on": "inbound", "keywords": ["nope", "confirmádo"]}, INBOUND, True),
        ({"on": "inbound", "keywords": "confirma"}, INBOUND, False),
        ({"on": "inbound", "pattern": r"pedido #\d+"}, INBOUND, True),
        ({"on": "inbound", "keywords": "confirmado"}, OUTGOING, False),
        ({"on": "inbound", "keywords": "x"}, facts(Trigger.INBOUND), False),
        ({"on": "outgoing", "keywords": "confirmado"}, OUTGOING, True),
        ({"on": "outgoing", "keywords": "confirmado", "by": "human"}, OUTGOING, True),
        ({"on": "outgoing", "keywords": "confirmado", "by": "automation"}, OUTGOING, False),
        ({"on": "stage", "is": "Won"}, facts(Trigger.STAGE, names=("won",)), True),
        ({"on": "stage", "is": "won"}, facts(Trigger.STAGE, names=("lost",)), False),
        ({"on": "stage", "is": "won"}, facts(Trigger.TAG, names=("won",)), False),
        ({"on": "tag", "is": ["vip", "Qualificado"]}, facts(Trigger.TAG, names=("QUALIFICADO",)), True),
        ({"on": "template", "is": "order_ok"}, facts(Trigger.TEMPLATE, names=("order_ok",)), True),
        ({"on": "order"}, facts(Trigger.ORDER, Trigger.INBOUND, order=ORDER), True),
        ({"on": "message_number", "number": 3}, facts(Trigger.NUMBER, number=3), True),
        ({"on": "message_number", "number": 3}, facts(Trigger.NUMBER, number=4), False),
        ({"on": "first_reply"}, facts(Trigger.FIRST_REPLY), True),
        ({"on": "media"}, facts(Trigger.MEDIA), True),
        ({"on": "payment"}, facts(Trigger.MEDIA), False),
        ({"on": "automatic_event", "is": "LeadSubmitted"}, facts(Trigger.AUTOMATIC, names=("Lead",)), True),
    ],
)
def test_a_rule_fires_on_what_it_says_and_nothing_else(when: dict[str, Any], occasion: Facts, expected: bool) -> None:
    assert (fired(when, LEAD, occasion) is not None) is expected


@pytest.mark.parametrize(
    ("when", "then", "occasion", "expected"),
    [
        ({"on": "stage", "is": "won"}, LEAD, facts(Trigger.STAGE, names=("won",)),
         Fired(event_name="QualifiedLead", once=Scope.CLICK)),
        ({"on": "stage", "is": "won"}, {"event": "Purchase", "value": {"fixed": 49.9}, "currency": "EUR"},
         facts(Trigger.STAGE, names=("won",)),
         Fired(event_name="Purchase", once=Scope.CLICK, value=Decimal("49.9"), currency="EUR")),
        ({"on": "outgoing", "keywords": "confirmado"},
         {"event": "Purchase", "value": {"pattern": r"total: R\$ ([\d.,]+)"}, "delay": "30min"}, OUTGOING,
         Fired(event_name="Purchase", once=Scope.MESSAGE, value=Decimal("1234.56"), delay=timedelta(minutes=30))),
        ({"on": "outgoing", "keywords": "confirmado"},
         {"event": "Purchase", "value": {"pattern": r"total: R\$ ([\d.,]+)"}, "order_pattern": r"pedido #(\d+)"},
         OUTGOING, Fired(event_name="Purchase", once=Scope.ORDER, value=Decimal("1234.56"), order_id="99")),
        ({"on": "outgoing", "keywords": "confirmado"},
         {"event": "Purchase", "value": {"pattern": r"soma ([\d.,]+)"}}, OUTGOING,
         Fired(event_name="Purchase", once=Scope.MESSAGE)),
        ({"on": "order"}, {"event": "Purchase", "value": {"order": True}}, facts(Trigger.ORDER, order=ORDER),
         Fired(event_name="Purchase", once=Scope.ORDER, value=Decimal("104.90"), currency="BRL", order_id="A-7",
               contents=ORDER.contents)),
        ({"on": "order"}, {"event": "OrderCreated", "value": {"order": True}},
         facts(Trigger.ORDER, order=Order(value=Decimal(5), currency="EUR")),
         Fired(event_name="OrderCreated", once=Scope.MESSAGE, value=Decimal(5), currency="EUR")),
        ({"on": "automatic_event", "is": "Purchase"}, {"event": "Purchase", "value": {"order": True}},
         facts(Trigger.AUTOMATIC, names=("Purchase",), value=Decimal(25), currency="BRL"),
         Fired(event_name="Purchase", once=Scope.MESSAGE, value=Decimal(25), currency="BRL")),
        ({"on": "first_reply"}, {"event": "LeadSubmitted", "once": "contact"}, facts(Trigger.FIRST_REPLY),
         Fired(event_name="Lead", once=Scope.CONTACT)),
        ({"on": "first_reply"}, {"event": "Lead", "stage": "talking"}, facts(Trigger.FIRST_REPLY),
         Fired(event_name="Lead", once=Scope.CLICK, marks=Marks(stage="talking"))),
        ({"on": "media"}, {"add_tags": "sent a picture", "remove_tags": ["cold", "silent"]}, facts(Trigger.MEDIA),
         Fired(event_name=None, once=Scope.CLICK, marks=Marks(add=("sent a picture",), remove=("cold", "silent")))),
    ],
)  # fmt: skip
def test_a_rule_makes_the_conversion_it_says(
    when: dict[str, Any], then: dict[str, Any], occasion: Facts, expected: Fired
) -> None:
    assert fired(when, then, occasion) == expected or fired({**when}, {**then, "confirm_purchase": True}, occasion) == (
        expected
    )


@pytest.mark.parametrize(
    ("when", "then", "path"),
    [
        ({"on": "keyword"}, LEAD, ("when", "on")),
        ({"on": "inbound"}, LEAD, ("when", "keywords")),
        ({"on": "inbound", "keywords": "a", "pattern": "a"}, LEAD, ("when", "keywords")),
        ({"on": "inbound", "keywords": []}, LEAD, ("when", "keywords")),
        ({"on": "inbound", "keywords": "!!" * 101}, LEAD, ("when", "keywords")),
        ({"on": "inbound", "pattern": "(a"}, LEAD, ("when", "pattern")),
        ({"on": "stage"}, LEAD, ("when", "is")),
        ({"on": "stage", "is": "won", "keywords": "x"}, LEAD, ("when", "keywords")),
        ({"on": "order", "is": "x"}, LEAD, ("when", "is")),
        ({"on": "message_number"}, LEAD, ("when", "number")),
        ({"on": "message_number", "number": 0}, LEAD, ("when", "number")),
        ({"on": "order", "number": 2}, LEAD, ("when", "number")),
        ({"on": "inbound", "keywords": "a", "by": "human"}, LEAD, ("when", "by")),
        ({"on": "order", "also": 1}, LEAD, ("when", "also")),
        ({"on": "order"}, {"event": "Subscribe"}, ("then", "event")),
        ({"on": "order"}, {"event": "Lead", "value": {}}, ("then", "value")),
        ({"on": "order"}, {"event": "Lead", "value": {"fixed": 1, "order": True}}, ("then", "value")),
        ({"on": "order"}, {"event": "Lead", "value": {"fixed": -1}}, ("then", "value")),
        ({"on": "stage", "is": "a"}, {"event": "Lead", "value": {"pattern": "x"}}, ("then", "value")),
        ({"on": "stage", "is": "a"}, {"event": "Lead", "value": {"order": True}}, ("then", "value")),
        ({"on": "stage", "is": "a"}, {"event": "Lead", "once": "message"}, ("then", "once")),
        ({"on": "stage", "is": "a"}, {"event": "Lead", "once": "order"}, ("then", "once")),
        ({"on": "order"}, {"event": "Lead", "delay": "8d"}, ("then", "delay")),
        ({"on": "order"}, {"event": "Lead", "delay": 30}, ("then", "delay")),
        ({"on": "order"}, {"event": "Lead", "currency": "euro"}, ("then", "currency")),
        ({"on": "inbound", "keywords": "paid"}, {"event": "Purchase"}, ("then", "confirm_purchase")),
        ({"on": "inbound", "keywords": "paid"}, {"event": "Purchase", "value": {"pattern": r"(\d+)"}},
         ("then", "confirm_purchase")),
        ({"on": "outgoing", "keywords": "paid"}, {"event": "Purchase", "value": {"fixed": 5}},
         ("then", "confirm_purchase")),
        ({"on": "template", "is": "ok"}, {"event": "Purchase"}, ("then", "confirm_purchase")),
        ({"on": "media"}, {"event": "Purchase"}, ("then", "confirm_purchase")),
        ({"on": "media"}, {}, ("then", "event")),
        ({"on": "media"}, {"stage": "  "}, ("then", "stage")),
        ({"on": "media"}, {"add_tags": []}, ("then", "add_tags")),
        ({"on": "media"}, {"add_tags": [None]}, ("then", "add_tags")),
        ({"on": "media"}, {"remove_tags": "x" * 101}, ("then", "remove_tags")),
        ({"on": "media"}, {"add_tags": "a", "remove_tags": ["b", "a"]}, ("then", "remove_tags")),
        ({"on": "stage", "is": "Won"}, {"stage": "won"}, ("then", "stage")),
        ({"on": "media"}, {"stage": "a", "value": {"fixed": 5}}, ("then", "value")),
        ({"on": "media"}, {"stage": "a", "once": "click"}, ("then", "once")),
    ],
)  # fmt: skip
def test_what_a_rule_must_not_say_is_named_by_its_path(
    when: dict[str, Any], then: dict[str, Any], path: tuple[str, str]
) -> None:
    with pytest.raises(DefinitionError) as raised:
        check_definition({"when": when, "then": then})
    assert path[1] in raised.value.problems[path[0]]


@pytest.mark.parametrize(
    ("when", "then"),
    [
        ({"on": "inbound", "keywords": ["Paid", 5]}, {"event": "Purchase", "confirm_purchase": True}),
        ({"on": "outgoing", "pattern": "a", "by": "human"}, {"event": "LeadSubmitted", "delay": "90min"}),
        ({"on": "order"}, {"event": "Purchase", "value": {"order": True}}),
        ({"on": "template", "is": "ok"}, {"event": "Purchase", "value": {"pattern": r"(\d+)", "decimals": "comma"}}),
        ({"on": "media"}, {"event": "Lead", "stage": "seen", "add_tags": "a", "remove_tags": ["b"]}),
    ],
)
def test_the_full_form_of_a_definition_is_json_and_means_the_same(when: dict[str, Any], then: dict[str, Any]) -> None:
    checked = check_definition({"when": when, "then": then})
    again = check_definition(json.loads(json.dumps(checked.written)))
    assert again == checked
    assert checked.written["then"]["once"] == checked.definition.once.value


def test_an_on_that_yaml_took_for_a_boolean_is_an_on() -> None:
    written: dict[Any, Any] = {"when": {True: "order"}, "then": LEAD}
    assert check_definition(written).definition.on is Trigger.ORDER


def test_sales_by_words_alone_are_confirmed_and_warned_of() -> None:
    (first, second) = check_definition(
        {"when": {"on": "inbound", "keywords": "paid"}, "then": {"event": "Purchase", "confirm_purchase": True}}
    ).warnings
    assert "words alone" in first
    assert "waits until a value" in second


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda one: (
    st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(["when", "then", "on", "event", "is", "value"]), one)
), max_leaves=12))  # fmt: skip
def test_any_json_is_a_rule_or_is_refused(written: Any) -> None:
    with contextlib.suppress(DefinitionError):
        made = check_definition(written).definition
        assert made.event_name or made.marks.changes()
