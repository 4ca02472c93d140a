"""Intake that fails for what is no webhook's fault: none is counted as having crashed it, and all are read later."""

import psycopg
import pytest

from tests.integration.workers.world import World


def test_a_schema_that_does_not_fit_the_code_is_no_webhooks_fault(world: World) -> None:
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_ads(channel, 3)
    world.execute("alter table messages rename column kind to renamed")

    with pytest.raises(psycopg.errors.UndefinedColumn):
        world.intake()

    assert world.rows("select distinct state, crashes from webhooks") == [{"state": "new", "crashes": 0}]
    world.execute("alter table messages rename column renamed to kind")
    world.intake()
    assert world.states() == ["pending"] * 3


def test_a_lock_that_is_held_too_long_is_no_webhooks_fault(world: World) -> None:
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_ads(channel, 3)

    with psycopg.connect(world.url) as conn:
        conn.execute("lock table messages in access exclusive mode")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            world.intake()

    assert world.rows("select distinct state, crashes from webhooks") == [{"state": "new", "crashes": 0}]
