"""Test event codes: sent until their time is over, and what goes out with one is left out of every total."""

from datetime import UTC, datetime, timedelta

from tests.integration.workers.world import graph_error


def dataset_with_code(world, **lasts):
    until = datetime.now(UTC) + timedelta(**lasts)
    return world.add_dataset(test_event_code="TEST1", test_event_until=until)


def codes(world):
    return [content.get("test_event_code") for _, _, content in world.graph.posted]


def test_events_carry_the_code_and_count_as_tests_from_the_moment_they_are_sent(world):
    world.receive_sample(world.add_channel(dataset_id=dataset_with_code(world, hours=1)))
    world.intake()
    assert [row["is_test"] for row in world.deliveries()] == [False]
    world.send()
    assert codes(world) == ["TEST1"]
    assert [(row["state"], row["is_test"]) for row in world.deliveries()] == [("accepted", True)]
    [request] = world.rows("select body from capi_requests")
    assert request["body"]["test_event_code"] == "TEST1"


def test_a_code_whose_time_is_over_is_not_sent(world):
    world.receive_sample(world.add_channel(dataset_id=dataset_with_code(world, seconds=-1)))
    world.intake()
    world.send()
    assert codes(world) == [None]
    assert [(row["state"], row["is_test"]) for row in world.deliveries()] == [("accepted", False)]


def test_a_code_that_ends_within_a_claim_is_not_sent_once_more_and_the_events_count_again(world):
    world.receive_ads(world.add_channel(dataset_id=dataset_with_code(world, hours=1)), 2)
    world.intake()

    def refuse_the_first(events):
        if len(events) == 1:
            return None
        world.execute("update datasets set test_event_until = now()")
        return graph_error(400, 100, 2804087)

    world.graph.rule = refuse_the_first
    world.send()
    assert codes(world) == ["TEST1", None, None]
    assert [(row["state"], row["is_test"]) for row in world.deliveries()] == [("accepted", False)] * 2


def test_a_delivery_of_test_data_stays_a_test_without_any_code(world):
    world.receive_sample(world.add_channel(dataset_id=world.add_dataset(is_test=True)))
    world.intake()
    world.send()
    assert [(row["state"], row["is_test"]) for row in world.deliveries()] == [("accepted", True)]
