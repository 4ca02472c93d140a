"""DoubleTick's events of one message; its payloads are fixtures (test_every_provider)."""

from shared.domain.messages import Message, MessageClass
from shared.providers import parse_body
from tests.unit.shared.providers.cases import bodies


def message_of(case: str) -> Message:
    (message,) = parse_body("doubletick", bodies()[f"doubletick/{case}"].read_bytes()).messages
    return message


def test_every_event_of_one_message_has_the_same_id_and_person() -> None:
    events = [message_of(case) for case in ("ad", "same_message_received_event", "new_lead_event")]
    assert len({(message.message_id, message.phone, message.sent_at) for message in events}) == 1
    assert [message.message_class for message in events] == [
        MessageClass.AD,
        MessageClass.ORGANIC,
        MessageClass.ORGANIC,
    ]
