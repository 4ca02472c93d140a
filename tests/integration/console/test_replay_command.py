"""`ctwa webhooks replay`: forecasts by today's adapters, and reads again without doubling anything."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.crypto import generate_key
from shared.domain.reasons import explain
from shared.queue import Work, make_redis
from tests.integration.console.commands import Cli
from tests.integration.workers.world import World


@pytest.fixture
def sales(world: World) -> int:
    return world.add_channel("sales", dataset_id=world.add_dataset())


def ids(cli: Cli) -> list[str]:
    return [str(row["id"]) for row in cli.rows("select id from webhooks order by received_at, id")]


def snapshot(cli: Cli) -> list[Any]:
    tables = {"webhooks": "id", "messages": "id", "deliveries": "id", "audit_log": "id"}
    return [cli.rows(f"select * from {table} order by {key}") for table, key in tables.items()]


def as_rejected(cli: Cli) -> None:
    """As if the adapter could read nothing of what came so far."""
    cli.execute("update webhooks set state = 'rejected', reason = 'adapter_failed'")
    for table in ("deliveries", "conversions", "first_touches", "touchpoints", "messages"):
        cli.execute(f"delete from {table}")


def test_a_dry_run_says_what_a_mended_adapter_reads_and_changes_nothing(cli: Cli, world: World, sales: int) -> None:
    world.receive_sample(sales)
    world.intake()
    as_rejected(cli)
    world.receive(sales, b"not json")
    world.receive_sample(sales, "organic", phone="15550101111")
    world.intake()
    before = snapshot(cli)
    result = cli.json("webhooks", "replay", "--channel", "sales", "--dry-run")
    assert result == {
        "dry_run": True,
        "replayed": 0,
        "limit_reached": False,
        "requests": 0,
        "forecast": {
            "webhooks": 2,
            "readable_now": 1,
            "unreadable": [{"reason": "not_json", "words": explain("not_json").words, "count": 1}],
            "messages": {"known": 0, "new": [{"class": "ad", "count": 1}], "upgraded": []},
        },
    }
    output = cli("webhooks", "replay", "--channel", "sales", "--dry-run").output
    assert "readable now, rejected before: 1" in output
    assert "new, ad: 1" in output
    assert snapshot(cli) == before


def test_what_was_forecast_comes_true_once_and_is_written_down(
    cli: Cli, world: World, sales: int, valkey_url: str
) -> None:
    world.receive_sample(sales)
    world.intake()
    as_rejected(cli)
    redis = make_redis(valkey_url)
    redis.flushall()
    assert cli.json("webhooks", "replay", *ids(cli), "--yes", REDIS_URL=valkey_url)["replayed"] == 1
    assert redis.llen(Work.INTAKE.value) == 1
    redis.close()
    [line] = cli.rows("select actor, action, subject, detail from audit_log")
    assert line["actor"].startswith("cli:")
    assert (line["action"], line["subject"]) == ("webhooks.replay", "webhooks")
    assert line["detail"] == {"count": 1, "ids": ids(cli)}
    assert cli.json("webhooks", "replay", *ids(cli), "--yes")["replayed"] == 0
    world.intake()
    world.send()
    assert world.states() == ["accepted"]
    forecast = cli.json("webhooks", "replay", *ids(cli), "--dry-run")["forecast"]
    assert forecast["messages"] == {"known": 1, "new": [], "upgraded": []}
    cli("webhooks", "replay", *ids(cli), "--yes")
    world.intake()
    world.send()
    assert world.states() == ["accepted"]
    assert len(world.graph.posted) == 1
    assert len(cli.rows("select from audit_log")) == 2


def test_a_message_that_now_says_more_of_its_ad_is_an_upgrade(cli: Cli, world: World, sales: int) -> None:
    world.receive_sample(sales)
    world.intake()
    as_organic = "update messages set class = 'organic'"
    gone = [f"delete from {table}" for table in ("deliveries", "conversions", "first_touches", "touchpoints")]
    for query in (*gone, as_organic):
        cli.execute(query)
    result = cli.json("webhooks", "replay", "--state", "done", "--yes")
    assert result["forecast"]["messages"]["upgraded"] == [{"from": "organic", "to": "ad", "count": 1}]
    world.intake()
    [message] = cli.rows("select class from messages")
    assert message["class"] == "ad"
    assert world.states() == ["pending"]


@pytest.mark.parametrize(
    ("change", "environ", "reason"),
    [
        ("update webhooks set source_id = 999", {}, "unknown_provider"),
        ("select", {"SECRET_KEYS": generate_key()}, "cannot_decrypt"),
        ("update webhooks set state = 'rejected', reason = 'not_json'", {}, None),
    ],
)
def test_what_stands_against_reading_again_is_said(
    cli: Cli, world: World, sales: int, change: str, environ: Mapping[str, str], reason: str | None
) -> None:
    world.receive_sample(sales)
    world.intake()
    cli.execute(change)
    forecast = cli.json("webhooks", "replay", *ids(cli), "--dry-run", **environ)["forecast"]
    assert [one["reason"] for one in forecast["unreadable"]] == ([reason] if reason else [])


def test_webhooks_are_chosen_by_id_state_channel_and_time(cli: Cli, world: World, sales: int) -> None:
    other = world.add_channel("other", dataset_id=None)
    now = datetime.now(UTC)
    for hours, (channel, body) in enumerate([(sales, b"no"), (other, b"no"), (sales, None), (sales, b"no")]):
        if body is None:
            world.receive_sample(channel)
        else:
            world.receive(channel, body, received_at=now - timedelta(hours=hours))
    world.intake()

    def chosen(*args: str) -> int:
        count: int = cli.json("webhooks", "replay", *args, "--dry-run")["forecast"]["webhooks"]
        return count

    assert chosen("--state", "rejected") == 3
    assert chosen("--state", "done", "--state", "rejected") == 4
    assert chosen("--channel", "other") == 1
    assert chosen("--since", "90min") == 2
    assert chosen("--until", "30min") == 2
    assert chosen("--since", "90min", "--until", "30min") == 1
    assert chosen("--until", "30min", "--limit", "1") == 1
    assert chosen(*ids(cli)) == 4
    assert chosen(*ids(cli), "--state", "done") == 1
    assert len(cli.json("webhooks", "--until", "30min")) == 2
    assert "Say which" in cli("webhooks", "replay", "--yes", code=2).stderr
    assert "after replay" in cli("webhooks", "--channel", "sales", "replay", "--yes", code=2).stderr
    missing = "00000000-0000-7000-8000-000000000000"
    assert missing in cli("webhooks", "replay", ids(cli)[0], missing, "--yes", code=2).stderr
    assert "Nobody is here to ask" in cli("webhooks", "replay", "--state", "done", code=2).stderr


def test_a_webhook_that_intake_has_not_read_is_left_to_it(cli: Cli, world: World, sales: int) -> None:
    world.receive_sample(sales)
    assert cli.json("webhooks", "replay", *ids(cli), "--yes")["replayed"] == 0
    assert cli.rows("select from audit_log") == []


def test_requests_of_the_api_are_read_again_and_change_nothing(cli, world):
    world.add_channel(dataset_id=world.add_dataset())
    report_file = {"contact": {"phone": "15550100001"}, "stage": "won"}
    [space] = cli.rows("select id from workspaces")
    sealed = cli.secret_ring.seal(json.dumps(report_file).encode())
    cli.execute(
        "insert into webhooks (id, received_at, source, source_id, method, path, headers, body, body_bytes)"
        " values (gen_random_uuid(), now(), 'import', %s, 'POST', 'contacts/stage', '{}', %s, 1)",
        space["id"], sealed,
    )  # fmt: skip
    world.intake()
    found = cli.json("webhooks", "replay", "--state", "done", "--yes")
    assert (found["requests"], found["replayed"], found["forecast"]["unreadable"]) == (1, 1, [])
    world.intake()
    assert [row["state"] for row in cli.rows("select state from submissions")] == ["stored"]
    assert len(cli.rows("select from contact_changes")) == 1
