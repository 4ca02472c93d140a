"""What goes to Meta about a person: little by default, more where a dataset says so, nothing from some places."""

import json

import pytest

from shared.capi.matching import hash_email, hash_phone
from tests.integration.workers.world import World

PHONE = "5531998877665"
EMAIL = "maria@example.com"


def lead(world: World, *, phone: str = PHONE, **dataset: object) -> int:
    channel = world.add_channel(dataset_id=world.add_dataset(**dataset))
    world.receive_sample(channel, phone=phone)
    world.intake()
    return channel


def sent(world: World) -> list[dict]:
    world.send()
    return [event for _, _, content in world.graph.posted for event in content["data"]]


def add_email(world: World) -> None:
    world.execute(
        "insert into contact_identities (contact_id, workspace, kind, hash_key, hash, ciphertext)"
        " select id, workspace, 'email', 'k', 'h', %s from contacts",
        world.runtime.secret_ring.seal(EMAIL.encode()),
    )


def test_by_default_meta_gets_the_click_id_and_the_account_and_nothing_else(world):
    lead(world)
    add_email(world)
    [event] = sent(world)
    assert set(event["user_data"]) == {"ctwa_clid", "whatsapp_business_account_id"}
    assert "data_processing_options" not in event


def test_a_dataset_that_says_so_sends_hashes_and_keeps_none(world):
    lead(world, send_phone=True, send_email=True, limited_data_use={"country": 1, "state": 1000})
    add_email(world)
    [event] = sent(world)
    assert event["user_data"]["ph"] == list(hash_phone(PHONE))
    assert event["user_data"]["em"] == list(hash_email(EMAIL))
    assert event["data_processing_options"] == ["LDU"]
    kept = json.dumps(world.rows("select body from capi_requests"))
    assert not any(hashed in kept for hashed in (*hash_phone(PHONE), *hash_email(EMAIL)))


def test_a_number_that_is_none_is_left_out_and_the_event_goes(world):
    lead(world, phone="123", send_phone=True)
    [event] = sent(world)
    assert "ph" not in event["user_data"]
    assert world.states() == ["accepted"]


def test_a_number_that_no_key_opens_is_left_out_and_the_event_goes(world):
    lead(world, send_phone=True)
    world.execute("update contact_identities set ciphertext = 'damaged'")
    [event] = sent(world)
    assert "ph" not in event["user_data"]


@pytest.mark.parametrize(
    ("phone", "policy", "restricted", "state"),
    [
        ("4915112345678", "send", None, "pending"),
        ("4915112345678", "skip", None, "skipped"),
        ("4915112345678", "skip", ["BR"], "pending"),
        (PHONE, "skip", ["BR"], "skipped"),
        (PHONE, "skip", None, "pending"),
    ],
)
def test_a_region_that_is_held_back_is_so_from_birth(world, phone, policy, restricted, state):
    lead(world, phone=phone, region_policy=policy, restricted_countries=restricted)
    [delivery] = world.deliveries()
    assert (delivery["state"], delivery["reason"]) == (state, "region" if state == "skipped" else None)


def test_a_region_that_is_held_back_since_is_found_out_before_sending(world):
    lead(world, phone="447911123456")
    assert world.states() == ["pending"]
    world.execute("update datasets set region_policy = 'skip'")
    assert sent(world) == []
    [delivery] = world.deliveries()
    assert (delivery["state"], delivery["reason"], delivery["attempts"]) == ("skipped", "region", 0)


def test_a_contact_has_the_country_of_the_number_whenever_that_comes(world):
    channel = world.add_channel(dataset_id=world.add_dataset(), provider="meta_cloud")
    world.receive_sample(channel, "organic", provider="meta_cloud", phone="819012345678")
    world.intake()
    assert [row["country"] for row in world.rows("select country from contacts")] == ["JP"]
