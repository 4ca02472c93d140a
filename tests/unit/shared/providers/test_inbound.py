"""What counts as a message from a person, whichever provider says it."""

from dataclasses import replace

import pytest

from shared.domain.messages import MessageClass, Referral
from shared.providers.base import Collector, Parsed
from shared.providers.inbound import Inbound, keep_message

WRITTEN = Inbound(message_id="m1", kind="TEXT", sender="+1 555 010-0123", business="whatsapp:+15550100999")


def kept(written: Inbound) -> Parsed:
    found = Collector()
    keep_message(written, found)
    return found.parsed()


def test_a_message_is_kept_with_its_names_in_one_form() -> None:
    (message,) = kept(WRITTEN).messages
    assert (message.phone, message.kind, message.channel_ref) == ("15550100123", "text", "15550100999")
    assert message.message_class is MessageClass.ORGANIC


def test_an_ad_is_classified_by_its_referral() -> None:
    (message,) = kept(replace(WRITTEN, referral=Referral(source_id="1202"))).messages
    assert message.message_class is MessageClass.AD_WITHOUT_CLICK_ID


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"message_id": None}, "no_message_id"),
        ({"message_id": ["m1"]}, "no_message_id"),
        ({"kind": "Reaction"}, "reaction"),
        ({"kind": "edit"}, "edit"),
        ({"kind": "revoke"}, "revoke"),
        ({"kind": "system"}, "system"),
        ({"sender": None}, "no_sender"),
        ({"sender": " "}, "no_sender"),
        ({"sender": {"id": 1}}, "no_sender"),
        ({"sender": "120363000000000001@g.us"}, "group"),
        ({"sender": "status@broadcast"}, "status_story"),
        ({"sender": "120363000000000002@newsletter"}, "newsletter"),
        ({"sender": "1700000000@broadcast"}, "broadcast"),
        ({"sender": "15550100999"}, "from_me"),
    ],
)
def test_what_is_no_message_from_a_person_is_counted(changes: dict[str, object], reason: str) -> None:
    parsed = kept(replace(WRITTEN, **changes))
    assert parsed.messages == ()
    assert parsed.ignored == {reason: 1}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"bsuid": "US.1001"}, ("15550100123", "US.1001", None, None)),
        ({"sender": None, "bsuid": "US.1001"}, (None, "US.1001", None, None)),
        ({"sender": "US.1001"}, (None, "US.1001", None, None)),
        ({"sender": "US.1001", "bsuid": "US.1001"}, (None, "US.1001", None, None)),
        ({"sender": "98765432101234@lid"}, (None, None, "98765432101234@lid", None)),
        ({"sender": "someone"}, (None, None, None, "someone")),
        ({"sender": "someone", "bsuid": "US.1001"}, (None, "US.1001", None, None)),
    ],
)
def test_a_sender_is_known_by_the_names_that_were_given(
    changes: dict[str, object], names: tuple[str | None, ...]
) -> None:
    (message,) = kept(replace(WRITTEN, **changes)).messages
    assert (message.phone, message.bsuid, message.lid, message.provider_id) == names
