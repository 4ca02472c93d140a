"""A worker whose own clock is wrong: the age of an event is judged by Postgres's, as leases and retries are."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.integration.workers.world import World


@pytest.mark.parametrize(("days", "age"), [(-1, 0), (1, 6)])
def test_a_worker_whose_clock_is_wrong_rejects_and_expires_nothing(world: World, days: int, age: int) -> None:
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel, now=datetime.now(UTC) - timedelta(days=age))

    with time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=True):
        world.intake()
        world.send()

    assert world.states() == ["accepted"]
