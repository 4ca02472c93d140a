"""What adapters show for the rules alone: texts, orders, what the business sent, labels. The rows are fixtures."""

from decimal import Decimal

import pytest

from shared.domain.signals import Author, Order
from shared.providers import parse_body
from shared.providers.base import Parsed
from tests.unit.shared.providers.cases import bodies, provider_of

SENT = {
    "evolution/api_send": (Author.AUTOMATION, "x", "15550100145", None),
    "evolution/from_me": (Author.HUMAN, "x", "15550100146", None),
    "gowa/from_me": (Author.HUMAN, "Hi", "15550100181", None),
    "green_api/api_send": (Author.AUTOMATION, "hello", "15550100167", None),
    "green_api/outgoing": (Author.HUMAN, "hello", "15550100167", None),
    "meta_cloud/echoes_of_the_app": (Author.HUMAN, "Your table is booked", "15550100125", None),
    "uazapi/sent_by_api": (Author.AUTOMATION, "Hi", "15550100165", None),
    "waha/message_any_by_api": (Author.AUTOMATION, "Hi", "15550100153", None),
    "waha/sent_from_the_phone": (Author.HUMAN, "Total: R$ 1.234,56", "15550100153", None),
    "wati/session_message": (Author.UNKNOWN, "Hi, is this still on?", "15550100136", None),
    "wati/template_sent": (Author.AUTOMATION, "Thank you! Total 1,234.56 EUR", "15550100136", "order_confirmation"),
    "whapi/api_send": (Author.AUTOMATION, "Hi, is this still on?", "15550100123", None),
    "wuzapi/from_me": (Author.HUMAN, "Hi", "15550100177", None),
    "ycloud/echo_of_the_app": (Author.HUMAN, "See you tomorrow", "15550100134", None),
    "zapi/sent_by_api": (Author.AUTOMATION, "Hi", "15550100152", None),
}
LABELS = {
    "evolution/label_added": [("31", True, "15550100145")],
    "waha/label_added": [("Paid", True, "15550100153")],
    "waha/label_removed_without_name": [("6", False, "15550100153")],
    "whapi/labels_on_a_chat": [("Order complete", True, "15550100123"), ("Order complete", False, "15550100123")],
}
#: Providers whose organic sample holds a text that rules can read.
SPEAKING = sorted(case for case in bodies() if case.endswith("/organic"))


def parsed(case: str) -> Parsed:
    return parse_body(provider_of(case), bodies()[case].read_bytes())


@pytest.mark.parametrize("case", SENT)
def test_what_the_business_sent_is_kept_for_rules_and_counted_as_no_message(case: str) -> None:
    found = parsed(case)
    assert found.messages == ()
    assert sum(found.ignored.values()) >= 1
    sent = found.outgoing[0]
    assert (sent.author, sent.text, sent.phone, sent.template) == SENT[case]


@pytest.mark.parametrize("case", LABELS)
def test_a_label_on_a_chat_with_one_person_is_kept(case: str) -> None:
    found = parsed(case)
    assert [(change.label, change.added, change.phone) for change in found.labels] == LABELS[case]
    assert found.ignored


@pytest.mark.parametrize("case", SPEAKING)
def test_every_provider_shows_the_text_of_a_plain_message(case: str) -> None:
    (message,) = parsed(case).messages
    assert message.text


@pytest.mark.parametrize("case", sorted(bodies()))
def test_no_text_and_no_order_stands_in_a_row_or_a_repr(case: str) -> None:
    found = parsed(case)
    for message in found.messages:
        assert "text" not in message.as_row()
        assert "text=" not in repr(message)
        assert "order=" not in repr(message)
    for sent in found.outgoing:
        assert not any(f"{name}=" in repr(sent) for name in ("text", "order", "phone", "lid", "bsuid"))


def test_an_order_of_products_is_worth_the_sum_of_its_items() -> None:
    first, mixed, button, image = parsed("meta_cloud/orders").messages
    assert first.order == Order(
        value=Decimal("104.90"),
        currency="BRL",
        contents=(
            {"id": "SHOE-42", "quantity": 2, "item_price": Decimal("49.9")},
            {"id": "LACE", "quantity": 1, "item_price": Decimal("5.10")},
        ),
    )
    assert (first.text, button.text, image.text) == ("Please by Friday", "Yes, book it", "my receipt")
    assert mixed.order is not None
    assert (mixed.order.value, mixed.order.currency) == (None, None)


def test_a_cart_of_the_web_protocol_is_worth_its_thousandths() -> None:
    (message,) = parsed("evolution/cart").messages
    assert message.order == Order(order_id="SYNTHORDER1", value=Decimal("104.900"), currency="BRL")


def test_reactions_of_the_business_are_no_messages() -> None:
    assert [sent.message_id for sent in parsed("meta_cloud/echoes_of_the_app").outgoing] == ["wamid.SYNTH910"]


def test_a_group_is_nobody_to_keep_a_message_for() -> None:
    body = b"""{"event": "message.any", "session": "s", "payload": {"id": "true_120363000000000001@g.us_3EB0",
        "from": "15550100999@c.us", "to": "120363000000000001@g.us", "fromMe": true, "source": "app", "body": "x"}}"""
    assert parse_body("waha", body).outgoing == ()
