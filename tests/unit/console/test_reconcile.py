import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.reconcile import ENVELOPE, ENVELOPE_BYTES, _envelopes
from shared.providers import parse_body


def a_message(number: int, size: int = 0) -> dict[str, Any]:
    return {
        "id": f"id{number:06d}-message",
        "from_me": False,
        "type": "text",
        "chat_id": "15550100123@s.whatsapp.net",
        "from": "15550100123",
        "timestamp": 1790000000,
        "text": {"body": "x" * size},
    }


@given(st.lists(st.integers(0, 200_000), max_size=120))
def test_every_message_is_in_exactly_one_envelope_of_bounded_size(sizes: list[int]) -> None:
    messages = [a_message(number, size) for number, size in enumerate(sizes)]
    bodies = list(_envelopes(messages))
    assert [message for body in bodies for message in json.loads(body)["messages"]] == messages
    for body in bodies:
        assert len(json.loads(body)["messages"]) <= ENVELOPE
        assert len(body) <= ENVELOPE_BYTES


@pytest.mark.parametrize("size", [10, ENVELOPE_BYTES * 2])
def test_an_envelope_is_read_by_the_adapter_of_the_webhooks(size: int) -> None:
    [body] = _envelopes([a_message(1, size)])
    [message] = parse_body("whapi", body).messages
    assert message.message_id == "id000001-message"
