"""The ids of Wasapi's ad events, which have none; its payloads are fixtures (test_every_provider)."""

import json
from typing import Any

import pytest

from shared.providers import parse_body
from tests.unit.shared.providers.cases import load


def id_of(**changes: Any) -> str:
    body = load("wasapi/ad")
    body["data"].update(changes)
    (message,) = parse_body("wasapi", json.dumps(body).encode()).messages
    return message.message_id


def test_a_repeated_ad_event_is_the_same_message() -> None:
    assert id_of(version=2, media_type="video", image_url="https://media.example/again.jpg") == id_of()


@pytest.mark.parametrize("changed", ["ctwa_clid", "source_id", "contact_phone", "bsuid", "message"])
def test_another_click_person_or_text_is_another_message(changed: str) -> None:
    assert id_of(**{changed: "15550100199"}) != id_of()


def test_an_id_says_nothing_of_the_person() -> None:
    assert "15550100163" not in id_of()
    assert "US." not in id_of()


def test_metas_id_goes_before_one_that_is_made_up() -> None:
    assert id_of(wam_id="wamid.SYNTH") == "wamid.SYNTH"
