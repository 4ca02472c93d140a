"""What rules may answer to in messages of every provider's kinds."""

import pytest

from shared.domain.messages import Message, MessageClass
from shared.domain.occasions import facts_of, facts_of_outgoing
from shared.domain.rules import Trigger
from shared.domain.signals import Author, Order, OutgoingMessage


@pytest.mark.parametrize(
    ("kind", "trigger"),
    [
        ("image", Trigger.MEDIA),
        ("IMAGE", Trigger.MEDIA),
        ("imageMessage", Trigger.MEDIA),
        ("ImageMessage", Trigger.MEDIA),
        ("voice", Trigger.MEDIA),
        ("sendPayment", Trigger.PAYMENT),
        ("sendPaymentMessage", Trigger.PAYMENT),
        ("order", Trigger.ORDER),
        ("orderMessage", Trigger.ORDER),
    ],
)
def test_a_kind_is_told_in_every_providers_words(kind: str, trigger: Trigger) -> None:
    facts = facts_of(Message(message_id="m", message_class=MessageClass.ORGANIC, kind=kind))
    assert facts.happened == {trigger}


def test_a_text_of_a_person_is_inbound_and_counted_where_it_was_counted() -> None:
    message = Message(message_id="m", message_class=MessageClass.ORGANIC, kind="text", text="x", order=Order())
    assert facts_of(message, number=2).happened == {Trigger.INBOUND, Trigger.NUMBER, Trigger.ORDER}
    blank = Message(message_id="m", message_class=MessageClass.ORGANIC, kind=None)
    assert facts_of(blank).happened == frozenset()


def test_a_message_of_the_business_answers_to_other_triggers() -> None:
    sent = OutgoingMessage(message_id="m", author=Author.AUTOMATION, text="x", template="t", kind="image")
    facts = facts_of_outgoing(sent, is_first_reply=False)
    assert (facts.happened, facts.names) == ({Trigger.OUTGOING, Trigger.TEMPLATE}, ("t",))
    assert Trigger.FIRST_REPLY in facts_of_outgoing(sent, is_first_reply=True).happened
