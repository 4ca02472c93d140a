"""`ctwa status`: what it counts and warns of, over a real database."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.console.commands import Cli
from tests.integration.workers.world import World


@pytest.fixture
def sales(world: World) -> int:
    return world.add_channel("sales", dataset_id=world.add_dataset())


def status(cli: Cli, **environ: str) -> Any:
    """The report; without a sweeper there is always something to say."""
    return json.loads(cli("status", "--json", code=1, **environ).stdout)


def test_unknown_outcomes_are_named_with_the_oldest_ones_age(cli: Cli, world: World, sales: int) -> None:
    world.receive_ads(sales, 2)
    world.intake()
    cli.execute(
        "update deliveries set state = 'unknown', reason = 'no_answer', next_attempt_at = null,"
        " unknown_since = now() - id * interval '1 hour'"
    )
    report = status(cli)
    assert report["unknown"]["count"] == 2
    assert report["unknown"]["oldest_seconds"] == pytest.approx(7200, abs=60)
    assert "2, the oldest for 2 h" in cli("status", code=1).output


@pytest.mark.parametrize(
    ("held", "sending", "warns"),
    [
        ("update datasets set pause_reason = 'by_hand', paused_at = now(), paused_until = '9999-12-31'", "on", True),
        ("update datasets set sending = 'dry-run'", "on", True),
        ("select", "off", True),
        ("select", "on", False),
    ],
)
def test_what_is_held_is_warned_of_a_day_before_it_expires(
    cli: Cli, world: World, sales: int, held: str, sending: str, warns: bool
) -> None:
    world.receive_ads(sales, 3)
    world.intake()
    for number, age in enumerate(("5 days 13 hours", "5 days 11 hours", "6 days"), start=1):
        cli.execute("update deliveries set event_time = now() - %s::interval where id = %s", age, number)
    cli.execute(held)
    expiring = status(cli, SENDING=sending)["expiring"]
    assert [(one["dataset"], one["count"]) for one in expiring] == [("main", 2)] * warns
    for one in expiring:
        left = datetime.fromisoformat(one["soonest"]) - datetime.now(UTC)
        assert timedelta(hours=11) < left < timedelta(hours=12, seconds=1)


def test_the_duplicates_that_were_stopped_today_are_counted(cli: Cli, world: World, sales: int) -> None:
    moment = datetime.now(UTC)
    for _ in range(3):
        world.receive_sample(sales, now=moment)
        world.intake()
    # The same fact in another workspace that reports to the same dataset.
    cli.execute(
        "insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, source, attribution,"
        " business_key) select gen_random_uuid(), 'other', contact_id, channel_id, event_name, occurred_at, source,"
        " attribution, business_key from conversions"
    )
    cli.execute(
        "insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, state,"
        " reason, finished_at) select c.id, d.dataset_id, d.event_name, d.business_key, d.event_id, d.event_time,"
        " 'skipped', 'duplicate', now() from deliveries d, conversions c where c.workspace = 'other'"
    )
    assert status(cli)["duplicates_stopped"] == {"messages": 2, "conversions": 1}
    assert "2 messages, 1 conversions" in cli("status", code=1).output
    cli.execute("update webhooks set received_at = now() - interval '25 hours'")
    cli.execute("update deliveries set created_at = now() - interval '25 hours'")
    assert status(cli)["duplicates_stopped"] == {"messages": 0, "conversions": 0}


def test_a_failed_probe_is_named_unless_a_pause_says_the_same(cli: Cli, world: World, sales: int) -> None:
    cli.execute("update datasets set probe_result = 'ok'")
    assert status(cli)["failed_probes"] == []
    cli.execute("update datasets set probe_result = 'no_answer'")
    [failed] = status(cli)["failed_probes"]
    assert (failed["name"], failed["reason"]) == ("main", "no_answer")
    assert "probe of dataset main failed" in cli("status", code=1).output
    cli("datasets", "pause", "main")
    assert status(cli)["failed_probes"] == []
