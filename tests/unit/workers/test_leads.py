"""What a stored ad message becomes: its touchpoint, its conversion, and the first state of its delivery."""

import dataclasses
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.db.channels import IntakeChannel
from shared.domain.attribution import hash_click_id
from shared.domain.deliveries import HOLD_BATCH, LARGEST_BATCH
from shared.domain.messages import Message, MessageClass, Referral
from workers import leads
from workers.leads import AdMessage

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLICK = Referral(click_id="Afclick", source_id="120", conversion_data="token==", headline="h", flags=("f",))
NO_CLICK = dataclasses.replace(CLICK, click_id=None)


def channel(**changes):
    blank = {field.name: None for field in dataclasses.fields(IntakeChannel)}
    facts = {
        "id": 3, "workspace": "default", "provider": "whapi", "post_policy": "ignore", "is_test": False,
        "dataset_id": 5, "dataset_meta_id": "1200", "dataset_sending": "on", "dataset_unknown_policy": {},
    }  # fmt: skip
    return IntakeChannel(**blank | facts | changes)


def ad(referral=CLICK, *, message_class=MessageClass.AD, occurred_at=NOW, **changes):
    message = Message(message_id="m", message_class=message_class, referral=referral)
    return AdMessage(row_id=1, contact_id=7, channel=channel(**changes), message=message, occurred_at=occurred_at)


def delivery_of(one, *, now=NOW, consent=None):
    return leads._delivery(leads._conversion(one, leads._lead(one), 9), one, consent=consent, now=now)


def test_a_click_is_a_lead_that_is_ready_to_send():
    delivery = delivery_of(ad())
    assert (delivery.state, delivery.reason, delivery.dataset_id) == ("pending", None, 5)
    assert delivery.business_key == f"click:{hash_click_id('Afclick')}"
    assert delivery.event_time == NOW
    assert not delivery.has_value


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({"referral": NO_CLICK}, "skipped", "no_click_id"),
        ({"dataset_sending": "off"}, "skipped", "disabled"),
        ({"dataset_sending": "dry-run"}, "pending", None),
        ({"occurred_at": NOW - timedelta(days=6, hours=11)}, "pending", None),
        ({"occurred_at": NOW - timedelta(days=6, hours=13)}, "expired", "expired"),
        ({"message_class": MessageClass.POST, "post_policy": "send"}, "pending", None),
    ],
)
def test_the_first_state_of_a_delivery_says_why_it_waits_or_never_goes(changes, state, reason):
    delivery = delivery_of(ad(**changes))
    assert (delivery.state, delivery.reason) == (state, reason)


def test_a_post_makes_a_touchpoint_and_no_lead_unless_it_is_wanted():
    assert leads._lead(ad(message_class=MessageClass.POST)) is None
    assert leads._touchpoint(ad(message_class=MessageClass.POST)).click_id == "Afclick"


@pytest.mark.parametrize(
    ("policy", "cap"), [({}, LARGEST_BATCH), ({"Lead": "hold"}, HOLD_BATCH), (None, LARGEST_BATCH)]
)
def test_what_is_held_when_unknown_goes_in_small_batches(policy, cap):
    assert delivery_of(ad(dataset_unknown_policy=policy)).batch_cap == cap


def test_the_providers_conversion_token_is_the_event_id_of_a_click_and_of_nothing_else():
    assert delivery_of(ad()).event_id == "token=="
    assert delivery_of(ad(NO_CLICK)).event_id != "token=="
    made_up = delivery_of(ad(dataclasses.replace(CLICK, conversion_data="né")))
    assert len(made_up.event_id) == 32


def test_the_same_message_read_anywhere_has_the_same_event_id_and_key():
    plain = dataclasses.replace(CLICK, conversion_data=None)
    first, second = delivery_of(ad(plain)), delivery_of(ad(plain), now=NOW + timedelta(hours=1))
    assert (first.event_id, first.business_key) == (second.event_id, second.business_key)
    assert isinstance(first.conversion_id, UUID)
    assert delivery_of(ad(plain, dataset_meta_id="1201")).event_id != first.event_id


def test_a_touchpoint_keeps_what_the_message_said_of_its_ad():
    touchpoint = leads._touchpoint(ad())
    assert (touchpoint.click_id, touchpoint.click_hash) == ("Afclick", hash_click_id("Afclick"))
    assert (touchpoint.ad_id, touchpoint.headline, touchpoint.flags) == ("120", "h", ["f"])
    assert touchpoint.conversion_token == "token=="
    without = leads._touchpoint(ad(NO_CLICK))
    assert (without.click_id, without.click_hash) == (None, None)


@pytest.mark.parametrize("is_test", [True, False])
def test_what_comes_of_a_test_channel_is_marked_all_the_way(is_test):
    one = ad(is_test=is_test)
    made = [leads._touchpoint(one), leads._conversion(one, leads._lead(one), 9), delivery_of(one)]
    assert [thing.is_test for thing in made] == [is_test] * 3


def test_no_click_id_shows_in_the_repr_of_what_is_stored():
    one = ad()
    for thing in (leads._touchpoint(one), leads._conversion(one, leads._lead(one), 9), one.message):
        assert "Afclick" not in repr(thing)
