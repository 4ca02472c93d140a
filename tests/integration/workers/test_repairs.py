"""Repairs by hand, over a real database: each does what it says once, however often it is said."""

import pytest

from shared.capi.answers import no_answer
from shared.db.repairs import Resolution, hurry, reinstate, replay_webhooks, resolve_unknown
from tests.integration.workers.world import graph_error

WEEK = 6.5 * 86400


def unknown_delivery(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel)
    world.intake()
    world.execute("update conversions set value = 10, currency = 'EUR'")
    world.execute("update deliveries set has_value = true")
    world.graph.script.append(no_answer("ReadTimeout"))
    world.send()
    return world.deliveries()[0]["id"]


@pytest.mark.parametrize(
    ("resolution", "state", "posts"),
    [(Resolution.ACCEPTED, "accepted", 1), (Resolution.NOT_TAKEN, "accepted", 2), (Resolution.RESEND, "accepted", 2)],
)
def test_an_unknown_delivery_is_settled_as_a_person_says(world, resolution, state, posts):
    delivery = unknown_delivery(world)
    with world.runtime.pool.connection() as conn:
        assert resolve_unknown(conn, [delivery], resolution) == [delivery]
        assert resolve_unknown(conn, [delivery], resolution) == []
    world.send()
    assert world.states() == [state]
    assert len(world.graph.posted) == posts


def test_a_rejected_delivery_goes_again_when_told_to_and_an_old_or_accepted_one_does_not(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_ads(channel, 3)
    world.intake()
    first, second, third = (row["id"] for row in world.deliveries())
    world.execute("update deliveries set next_attempt_at = now() + interval '1 hour' where id = %s", third)
    world.graph.rule = lambda events: graph_error(400, 100, 2804087)
    world.execute("update deliveries set batch_cap = 1")
    world.send()
    world.execute("update deliveries set event_time = now() - interval '6 days 13 hours' where id = %s", second)
    with world.runtime.pool.connection() as conn:
        assert reinstate(conn, [first, second], youngest_seconds=WEEK) == [first]
    world.graph.rule = None
    world.send()
    with world.runtime.pool.connection() as conn:
        assert reinstate(conn, [first], youngest_seconds=WEEK) == []
    assert world.deliveries()[0]["state"] == "accepted"


def test_what_waits_for_its_next_attempt_can_be_hurried(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel)
    world.intake()
    world.execute("update deliveries set next_attempt_at = now() + interval '1 hour'")
    (delivery,) = world.deliveries()
    with world.runtime.pool.connection() as conn:
        assert hurry(conn, [delivery["id"]]) == [delivery["id"]]
        assert hurry(conn, [delivery["id"]]) == []


def test_a_replayed_webhook_is_read_again_and_doubles_nothing(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel)
    world.receive(channel, b"not json")
    world.intake()
    world.send()
    ids = [row["id"] for row in world.rows("select id from webhooks")]
    with world.runtime.pool.connection() as conn:
        assert replay_webhooks(conn, ids) == 2
    assert world.intake() == 2
    world.send()
    assert world.states() == ["accepted"]
    assert len(world.graph.posted) == 1
    assert sorted(row["state"] for row in world.rows("select state from webhooks")) == ["done", "rejected"]
