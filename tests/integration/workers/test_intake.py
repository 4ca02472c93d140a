"""Intake over a real database: what becomes of webhooks, whatever comes and however often."""

import dataclasses
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from shared.db.webhooks import recover_webhooks
from shared.providers import PROVIDERS
from workers import intake


def test_an_ad_message_becomes_one_touchpoint_one_lead_and_one_pending_delivery(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel)
    assert world.intake() == 1
    (touchpoint,) = world.rows("select * from touchpoints")
    (conversion,) = world.rows("select * from conversions")
    (delivery,) = world.deliveries()
    assert touchpoint["class"] == "ad"
    assert conversion["touchpoint_id"] == touchpoint["id"]
    assert conversion["business_key"] == f"click:{touchpoint['click_hash']}"
    assert delivery["state"] == "pending"
    assert delivery["event_id"] == touchpoint["conversion_token"]


def test_an_organic_message_makes_a_contact_and_nothing_to_report(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel, "organic")
    world.intake()
    counts = [
        len(world.rows(f"select 1 from {table}")) for table in ("contacts", "messages", "touchpoints", "conversions")
    ]
    assert counts == [1, 1, 0, 0]
    assert world.deliveries() == []


def test_an_ad_without_a_click_id_counts_as_a_lead_and_is_not_sent(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel, "ad_without_click_id")
    world.intake()
    (delivery,) = world.deliveries()
    assert (delivery["state"], delivery["reason"]) == ("skipped", "no_click_id")


def test_a_redelivered_message_makes_no_second_lead(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    for _ in range(5):
        world.receive_sample(channel, now=datetime(2026, 11, 22, tzinfo=UTC), message_id="M.SAME000-0001")
    world.intake()
    world.receive_sample(channel, now=datetime(2026, 11, 22, tzinfo=UTC), message_id="M.SAME000-0001")
    world.intake()
    assert len(world.deliveries()) == 1
    counted = world.rows("select sum(messages) as messages, sum(duplicates) as duplicates from webhooks")[0]
    assert (counted["messages"], counted["duplicates"]) == (6, 5)


def test_the_same_click_in_two_messages_is_one_lead_and_two_touchpoints(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel, message_id="M.FIRST00-0001", click_id="Af" + "x" * 60, phone="15550100001")
    world.receive_sample(channel, message_id="M.SECOND0-0002", click_id="Af" + "x" * 60, phone="15550100001")
    world.intake()
    assert len(world.rows("select 1 from touchpoints")) == 2
    assert len(world.rows("select 1 from conversions")) == 1
    assert len(world.deliveries()) == 1


def test_many_workers_with_the_same_hundred_webhooks_make_one_lead(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    now = datetime.now(UTC)
    for _ in range(100):
        world.receive_sample(channel, now=now, message_id="M.SAME000-0001")
    workers = [threading.Thread(target=world.intake) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    while world.intake():
        pass
    assert len(world.deliveries()) == 1
    assert len(world.rows("select 1 from contacts")) == 1
    assert {row["state"] for row in world.rows("select state from webhooks")} == {"done"}


def test_a_click_id_that_comes_later_completes_the_touchpoint_and_releases_its_delivery(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    now = datetime.now(UTC)
    world.receive_sample(channel, "ad_without_click_id", now=now, message_id="M.SAME000-0001", phone="15550100001")
    world.intake()
    assert world.states() == ["skipped"]
    world.receive_sample(channel, "ad", now=now, message_id="M.SAME000-0001", phone="15550100001")
    world.intake()
    assert world.states() == ["pending"]
    (conversion,) = world.rows("select * from conversions")
    (touchpoint,) = world.rows("select * from touchpoints")
    assert conversion["business_key"].startswith("ad:")
    assert conversion["click_hash"] == touchpoint["click_hash"]


def test_an_ad_block_in_a_second_webhook_of_a_message_is_not_lost(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    now = datetime.now(UTC)
    world.receive_sample(channel, "organic", now=now, message_id="M.SAME000-0001", phone="15550100001")
    world.intake()
    world.receive_sample(channel, "ad", now=now, message_id="M.SAME000-0001", phone="15550100001")
    world.intake()
    assert world.states() == ["pending"]
    assert [row["class"] for row in world.rows("select class from messages")] == ["ad"]


def test_the_same_message_id_on_two_channels_is_two_messages(world):
    dataset = world.add_dataset()
    for name in ("sales", "support"):
        channel = world.add_channel(name, dataset_id=dataset)
        world.receive_sample(channel, "organic", message_id="M.SAME000-0001", phone="15550100001")
    world.intake()
    assert len(world.rows("select 1 from messages")) == 2
    assert len(world.rows("select 1 from contacts")) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"\xff\xfe\xff", None), (b"[" * 100_000, "too_deep"), (b"", "empty_body"), (b'{"a": NaN}', "bad_number")],
)
def test_a_body_that_cannot_be_read_is_kept_as_rejected_with_its_reason(world, body, reason):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive(channel, body)
    world.receive_sample(channel)
    world.intake()
    rejected = world.rows("select * from webhooks where state = 'rejected'")
    assert len(rejected) == 1
    assert reason in (None, rejected[0]["reason"])
    assert world.runtime.secret_ring.open(rejected[0]["body"]) == body
    assert world.states() == ["pending"]


def test_a_webhook_that_kills_its_worker_is_found_and_no_other_is_blamed(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    for number in range(20):
        world.receive_sample(channel, phone=f"155501000{number:02d}")
    culprit = world.rows("select id from webhooks order by received_at limit 1")[0]["id"]
    for _ in range(200):
        waiting = world.rows("select 1 from webhooks where state = 'new'")
        if not waiting:
            break
        _work_once_and_die_of(world, culprit)
    (rejected,) = world.rows("select id, reason from webhooks where state = 'rejected'")
    assert (rejected["id"], rejected["reason"]) == (culprit, "crashed_intake")
    assert len(world.deliveries()) == 19


def _work_once_and_die_of(world, culprit):
    """One claim; a worker that reads the culprit dies, and its lease runs out."""
    reads = intake._read

    def read(webhook, channel, ring, *, alone):
        result = reads(webhook, channel, ring, alone=alone)
        if webhook.id == culprit and result.reason is None:
            raise KeyboardInterrupt
        return result

    intake._read = read
    try:
        intake._drain_once(world.runtime, days=3)
    except KeyboardInterrupt:
        world.execute("update webhooks set lease_until = now() - interval '1 second' where state = 'claimed'")
        with world.runtime.pool.connection() as conn:
            recover_webhooks(conn)
    finally:
        intake._read = reads


def test_an_old_message_is_kept_with_its_time_and_its_delivery_is_expired_at_birth(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    old = datetime.now(UTC) - timedelta(days=10)
    world.receive_sample(channel, now=old)
    world.intake()
    (touchpoint,) = world.rows("select * from touchpoints")
    assert abs(touchpoint["occurred_at"] - old) < timedelta(seconds=2)
    assert world.states() == ["expired"]


def test_a_time_in_the_future_does_not_become_the_event_time(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel, now=datetime.now(UTC) + timedelta(days=2))
    world.intake()
    (delivery,) = world.deliveries()
    assert delivery["event_time"] <= datetime.now(UTC)


def test_a_channel_without_a_dataset_keeps_the_lead_and_sends_nothing(world):
    channel = world.add_channel(dataset_id=None)
    world.receive_sample(channel)
    world.intake()
    assert len(world.rows("select 1 from conversions")) == 1
    assert world.deliveries() == []


def test_sending_off_makes_deliveries_skipped_as_disabled(world):
    channel = world.add_channel(dataset_id=world.add_dataset(sending="off"))
    world.receive_sample(channel)
    world.intake()
    (delivery,) = world.deliveries()
    assert (delivery["state"], delivery["reason"]) == ("skipped", "disabled")


def test_no_identity_and_no_body_is_readable_in_the_tables(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel, phone="15550104242")
    world.intake()
    stored = json.dumps(
        [
            {key: str(value) for key, value in row.items()}
            for table in ("contacts", "contact_identities", "messages", "webhooks")
            for row in world.rows(f"select * from {table}")
        ]
    )
    assert "15550104242" not in stored
    assert b"15550104242".hex() not in stored


def test_identities_of_one_person_gather_on_one_contact(world):
    channel = world.add_channel(provider="meta_cloud", dataset_id=world.add_dataset())
    for number, sender in enumerate(
        [{"from": "15550100125"}, {"from": "15550100125", "from_user_id": "US.1"}, {"from_user_id": "US.1"}]
    ):
        message = {**sender, "id": f"wamid.{number}", "timestamp": "1795000000", "type": "text", "text": {"body": "x"}}
        value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "2"}, "messages": [message]}
        envelope = {
            "object": "whatsapp_business_account",
            "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
        }
        world.receive(channel, json.dumps(envelope).encode())
        world.intake()
    assert len(world.rows("select 1 from contacts")) == 1
    assert sorted(row["kind"] for row in world.rows("select kind from contact_identities")) == ["bsuid", "phone"]


def test_in_a_flood_those_that_crashed_once_get_their_turn(world, monkeypatch):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel, phone="15550109999")
    world.execute("update webhooks set crashes = 1, batch_cap = 50")
    claim = intake.claim_webhooks

    def flooded(conn, **options):
        world.receive_sample(channel, "organic")
        return claim(conn, **options)

    monkeypatch.setattr(intake, "claim_webhooks", flooded)
    ends = time.monotonic() + 20
    while world.rows("select 1 from webhooks where state = 'new' and crashes > 0"):
        assert time.monotonic() < ends
        intake.drain(world.runtime, seconds=0.5)
    assert world.states() == ["pending"]


def test_a_batch_that_ran_out_of_time_is_tried_again_and_nobody_in_it_is_rejected(world, monkeypatch):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_ads(channel, 3)
    provider = PROVIDERS["whapi"]

    def out_of_time(request):
        raise SoftTimeLimitExceeded

    monkeypatch.setitem(PROVIDERS, "whapi", dataclasses.replace(provider, parse=out_of_time))
    with pytest.raises(SoftTimeLimitExceeded):
        world.intake()
    monkeypatch.setitem(PROVIDERS, "whapi", provider)
    world.execute("update webhooks set lease_until = now() - interval '1 second' where state = 'claimed'")
    with world.runtime.pool.connection() as conn:
        assert recover_webhooks(conn) == 3
    world.intake()
    assert world.states() == ["pending"] * 3
