"""A rule as a form: what is written comes back as it was, and what isn't of the choice isn't sent."""

import re
from decimal import Decimal

from console.web.rule_form import LABELS, RECIPES, TRIGGERS, form_of, said_of
from shared.domain.amounts import read_amount
from shared.domain.rule_definitions import check_definition
from shared.domain.rules import Trigger

RULES = [
    *(recipe for _, recipe in RECIPES.values()),
    {
        "when": {"on": "outgoing", "pattern": "pedido (\\d+)", "by": "automation"},
        "then": {
            "event": "Purchase", "value": {"pattern": "total ([0-9.,]+)", "decimals": "comma"}, "currency": "BRL",
            "delay": "30min", "order_pattern": "pedido (\\d+)",
        },
    },
    {"when": {"on": "message_number", "number": 5}, "then": {"event": "Lead", "value": {"fixed": "49.90"}}},
    {"when": {"on": "stage", "is": ["won"]}, "then": {"stage": "old", "add_tags": ["a", "b"], "remove_tags": ["c"]}},
    {"when": {"on": "inbound", "keywords": ["paid"]}, "then": {"event": "Purchase", "confirm_purchase": True}},
]  # fmt: skip


def test_a_rule_comes_back_from_its_form():
    for rule in RULES:
        written = check_definition(rule).written
        said = said_of(form_of({"name": "it", "channel": None, **written}))
        assert (said["name"], said["channel"]) == ("it", None)
        assert check_definition({part: said[part] for part in ("when", "then")}).written == written


def test_fields_of_another_choice_are_left_out():
    form = form_of({"name": "it", **check_definition(RULES[0]).written}) | {"is": "old", "number": "7", "fixed": "5"}
    assert said_of(form)["when"] == {"on": "outgoing", "keywords": ["agendado"], "by": "human"}
    assert said_of(form | {"event": ""})["then"] == {}
    assert said_of(form | {"on": "message_number", "number": "many"})["when"]["number"] == 0


def test_every_trigger_and_field_has_a_name():
    used = {f"{part}.{one}" for rule in RULES for part in ("when", "then") for one in rule[part]}
    assert set(TRIGGERS) == set(Trigger)
    assert used <= set(LABELS)


def test_an_amount_without_a_pattern_is_the_first_number_as_people_write_it():
    form = {"on": "inbound", "look": "keywords", "keywords": "paid", "event": "Purchase", "value": "pattern"}
    pattern = said_of(form)["then"]["value"]["pattern"]
    for text, amount in (("paid 1.234,50", "1234.50"), ("Paid R$ 99, thanks", "99"), ("paid (45.90).", "45.90")):
        assert read_amount(re.search(pattern, text)[1]) == Decimal(amount)
