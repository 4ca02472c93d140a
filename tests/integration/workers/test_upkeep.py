"""Upkeep over a real database."""

from datetime import UTC, datetime, timedelta

from workers.upkeep import prune

KEEP_DAYS = 30


def test_each_dropped_day_is_written_down_once(world):
    old = datetime.now(UTC).date() - timedelta(days=KEEP_DAYS + 2)
    world.execute("select make_webhook_days(%s, 2)", old)
    dropped = [f"webhooks_{old + timedelta(days=n):%Y%m%d}" for n in range(2)]
    assert prune(world.runtime)["days_dropped"] == 2
    assert prune(world.runtime)["days_dropped"] == 0
    lines = world.rows("select actor, action, subject from audit_log order by subject")
    assert lines == [{"actor": "upkeep", "action": "webhooks.drop", "subject": day} for day in dropped]


def test_a_day_with_unfinished_webhooks_stays_and_nothing_is_written_down(world):
    old = datetime.now(UTC) - timedelta(days=KEEP_DAYS + 2)
    world.execute("select make_webhook_days(%s, 1)", old.date())
    world.receive(world.add_channel(dataset_id=None), b"{}", received_at=old)
    assert prune(world.runtime)["days_dropped"] == 0
    assert world.rows("select from audit_log") == []
