"""Looking: deliveries, the trace of one, webhooks, status."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.capi.payload import shorten_click_id
from tests.integration.console.commands import Cli
from tests.integration.workers.world import World, graph_error

PHONE = "15550103344"
CLICK = "AfCANARYclickid" + "x" * 90


@pytest.fixture
def main_dataset(world: World) -> int:
    return world.add_dataset(meta_id="1200000000000001")


@pytest.fixture
def sales(world: World, main_dataset: int) -> int:
    return world.add_channel("sales", dataset_id=main_dataset)


def receive_ad(world: World, channel: int, **changes: Any) -> None:
    world.receive_sample(channel, **{"phone": PHONE, "click_id": CLICK, **changes})


def test_an_accepted_lead_is_traced_from_webhook_to_answer(cli: Cli, world: World, sales: int) -> None:
    receive_ad(world, sales)
    world.intake()
    world.send()
    [row] = cli.json("deliveries")
    assert (row["state"], row["event_name"], row["dataset"], row["channel"]) == ("accepted", "Lead", "main", "sales")
    found = cli.json("delivery", str(row["id"]))
    assert found["webhook"]["body"] == "kept"
    assert found["message"]["class"] == "ad"
    assert found["touchpoint"]["click_id"] == shorten_click_id(CLICK)
    assert found["conversion"]["attribution"] == "click_id"
    [delivery] = found["deliveries"]
    [attempt] = delivery["attempts"]
    assert (attempt["http_status"], attempt["events_received"], attempt["outcome"]) == (200, 1, "received")
    assert attempt["event"]["event_id"] == row["event_id"]
    assert delivery["words"]
    text = cli("delivery", str(row["id"])).output
    for word in ("Webhook", "Message", "Touchpoint", "Conversion", "ACCEPTED", "HTTP 200", "What to do:"):
        assert word in text


def test_every_id_of_a_message_leads_to_the_same_trace(cli: Cli, world: World, sales: int) -> None:
    receive_ad(world, sales)
    world.intake()
    [row] = cli.json("deliveries")
    by_id = cli.json("delivery", str(row["id"]))
    [message] = cli.rows("select message_id from messages")
    for other in (row["event_id"], row["conversion_id"], message["message_id"]):
        assert cli.json("delivery", other) == by_id
    assert "Nothing has that id" in cli("delivery", "999999", code=2).stderr


def test_people_and_clicks_are_masked_unless_revealed_and_that_is_audited(cli: Cli, world: World, sales: int) -> None:
    receive_ad(world, sales)
    world.intake()
    world.send()
    hidden = [cli(*args).output for args in (("deliveries",), ("deliveries", "--json"), ("delivery", "1"))]
    hidden.append(cli("delivery", "1", "--json").output)
    assert not any(PHONE in text or CLICK in text for text in hidden)
    assert "+1555•••3344" in hidden[2]
    assert cli.rows("select from audit_log where action = 'trace.reveal'") == []
    revealed = cli("delivery", "1", "--reveal").output
    assert PHONE in revealed
    assert CLICK in revealed
    [line] = cli.rows("select actor, subject from audit_log where action = 'trace.reveal'")
    assert line["subject"] == "delivery:1"
    assert line["actor"].startswith("cli:")


def test_an_organic_message_says_why_it_is_not_reported(cli: Cli, world: World, sales: int) -> None:
    world.receive_sample(sales, "organic")
    world.intake()
    assert cli.json("deliveries") == []
    [message] = cli.rows("select message_id from messages")
    found = cli.json("delivery", message["message_id"])
    assert found["deliveries"] == []
    assert "never reported" in found["words"]


def test_a_second_message_of_a_click_points_to_the_lead_that_was_counted(cli: Cli, world: World, sales: int) -> None:
    receive_ad(world, sales)
    receive_ad(world, sales, phone="15550109999", now=datetime.now(UTC) + timedelta(seconds=1))
    world.intake()
    messages = cli.rows("select message_id from messages order by id")
    first, second = (cli.json("delivery", message["message_id"]) for message in messages)
    assert first["conversion"]["id"] == second["conversion"]["id"]
    assert {first["conversion"]["other_message"], second["conversion"]["other_message"]} == {False, True}


def test_a_channel_without_a_dataset_says_that_nothing_could_be_sent(cli: Cli, world: World) -> None:
    receive_ad(world, world.add_channel("lonely", dataset_id=None))
    world.intake()
    [message] = cli.rows("select message_id from messages")
    found = cli.json("delivery", message["message_id"])
    assert found["conversion"]
    assert "no dataset" in found["words"]


def test_a_skipped_lead_says_why_in_plain_words(cli: Cli, world: World, sales: int) -> None:
    world.receive_sample(sales, "ad_without_click_id")
    world.intake()
    [row] = cli.json("deliveries", "--status", "skipped", "--reason", "no_click_id")
    [delivery] = cli.json("delivery", str(row["id"]))["deliveries"]
    assert "no click id" in delivery["words"]


def test_a_paused_dataset_is_the_reason_shown_for_what_waits_on_it(cli: Cli, world: World, sales: int) -> None:
    receive_ad(world, sales)
    world.intake()
    world.graph.script.append(graph_error(401, 190))
    world.send()
    [row] = cli.json("deliveries")
    assert row["state"] == "pending"
    [delivery] = cli.json("delivery", str(row["id"]))["deliveries"]
    assert "paused" in delivery["words"]
    assert "token" in (delivery["words"] + delivery["next_step"]).lower()
    assert "code 190" in cli("delivery", str(row["id"])).output
    status = json.loads(cli("status", "--json", code=1).stdout)
    [paused] = status["paused_datasets"]
    assert (paused["name"], paused["reason"]) == ("main", "token")


def test_a_dry_run_shows_what_it_would_have_sent_as_waiting(cli: Cli, world: World) -> None:
    channel = world.add_channel("dry", dataset_id=world.add_dataset("dry", sending="dry-run"))
    receive_ad(world, channel)
    world.intake()
    world.send()
    [row] = cli.json("deliveries")
    assert row["dry_run_at"]
    assert row["next_attempt_at"] is None
    assert "Dry run" in cli("delivery", str(row["id"])).output
    cli("datasets", "set", "dry", "--sending", "on")
    world.send()
    assert cli.json("deliveries")[0]["state"] == "accepted"


def test_switching_sending_off_skips_what_waits_in_the_same_step(cli: Cli, world: World, sales: int) -> None:
    receive_ad(world, sales)
    world.intake()
    assert "Deliveries moved by it: 1" in cli("datasets", "set", "main", "--sending", "off").output
    [row] = cli.json("deliveries")
    assert (row["state"], row["reason"]) == ("skipped", "disabled")


def test_a_deleted_body_is_said_with_the_day_if_upkeep_wrote_it_down(cli: Cli, world: World, sales: int) -> None:
    receive_ad(world, sales)
    world.intake()
    cli.execute("delete from webhooks")
    assert "raw body deleted" in cli("delivery", "1").output
    cli.execute(
        "insert into audit_log (at, actor, action, subject) select '2026-11-22T04:00Z', 'upkeep', 'webhooks.drop',"
        " to_char(webhook_received_at at time zone 'UTC', '\"webhooks_\"YYYYMMDD') from messages"
    )
    assert "raw body deleted on 2026-11-22T04:00:00Z" in cli("delivery", "1").output


def test_deliveries_are_filtered_by_everything_that_was_asked_for(cli: Cli, world: World, sales: int) -> None:
    test_channel = world.add_channel("trial", dataset_id=world.add_dataset("other", is_test=True), is_test=True)
    receive_ad(world, sales)
    receive_ad(world, test_channel, click_id=CLICK + "2", phone="15550107777")
    world.receive_sample(sales, "ad_without_click_id", phone="15550108888")
    world.intake()

    def states(*args: str) -> list[str]:
        return [row["state"] for row in cli.json("deliveries", *args)]

    assert sorted(states()) == ["pending", "pending", "skipped"]
    assert states("--status", "skipped") == ["skipped"]
    assert sorted(states("--status", "skipped", "--status", "pending")) == ["pending", "pending", "skipped"]
    assert states("--dataset", "other") == ["pending"]
    assert sorted(states("--channel", "sales")) == ["pending", "skipped"]
    assert sorted(states("--no-test")) == ["pending", "skipped"]
    assert states("--since", "2020-01-01", "--limit", "1") in (["pending"], ["skipped"])
    assert states("--since", (datetime.now(UTC) + timedelta(hours=1)).isoformat()) == []
    assert "test" in cli("deliveries", "--dataset", "other").output
    cli("deliveries", "--since", "yesterday", code=2)
    cli("deliveries", "--dataset", "nope", code=2)


def test_a_webhook_that_cannot_be_read_says_why_and_can_be_opened(cli: Cli, world: World, sales: int) -> None:
    world.receive(sales, b'{"token": "canary", "broken')
    world.intake()
    [row] = cli.json("webhooks", "--state", "rejected", "--channel", "sales")
    assert row["reason"] == "not_json"
    assert row["words"]
    assert row["next_step"]
    assert "broken" not in cli("webhook", row["id"]).output
    assert "broken" in cli("webhook", row["id"], "--body").output
    [line] = cli.rows("select subject from audit_log where action = 'webhook.body'")
    assert line["subject"] == f"webhook:{row['id']}"


def test_an_opened_body_is_whole_but_for_secrets_and_pictures(cli: Cli, world: World, sales: int) -> None:
    picture = "/9j/" + "A" * 500
    world.receive(sales, json.dumps({"messages": [], "auth_token": "canary", "jpegThumbnail": picture}).encode())
    world.intake()
    [row] = cli.json("webhooks")
    body = cli.json("webhook", row["id"], "--body")["body"]
    assert body == {"messages": [], "auth_token": "[removed]", "jpegThumbnail": "[504 characters]"}


def test_webhooks_count_what_they_held(cli: Cli, world: World, sales: int) -> None:
    world.receive_sample(sales, "statuses")
    receive_ad(world, sales)
    world.intake()
    rows = cli.json("webhooks")
    assert sorted(row["messages"] for row in rows) == [0, 1]
    assert any(one["reason"] == "statuses" and one["words"] for row in rows for one in row["ignored"])
    assert "1 statuses" in cli("webhooks").output
    cli("webhook", "no-id", code=2)
    cli("webhook", "00000000-0000-7000-8000-000000000000", code=2)


def test_status_is_fine_only_when_everything_is(cli: Cli, world: World, sales: int, valkey_url: str) -> None:
    report = json.loads(cli("status", "--json", code=1, REDIS_URL=valkey_url).stdout)
    assert [problem["what"] for problem in report["problems"]] == ["No sweeper has ever run on this database."]
    cli.execute("insert into heartbeats (process) values ('sweeper')")
    report = json.loads(cli("status", "--json", REDIS_URL=valkey_url).stdout)
    assert report["ok"] is True
    assert report["redis"] == "ok"
    assert "All is well" in cli("status", REDIS_URL=valkey_url).output


def test_status_says_what_is_away(cli: Cli, world: World, sales: int) -> None:
    report = json.loads(cli("status", "--json", code=1, REDIS_URL="redis://127.0.0.1:1/0").stdout)
    assert report["redis"] == "away"
    report = json.loads(cli("status", "--json", code=1, DATABASE_URL="postgresql://x:canary@127.0.0.1:1/x").stdout)
    assert report["database"] == "away"
    assert "canary" not in json.dumps(report)


def test_status_leaves_test_rows_out_of_its_totals(cli: Cli, world: World, sales: int) -> None:
    trial = world.add_channel("trial", dataset_id=world.add_dataset("other", is_test=True), is_test=True)
    receive_ad(world, sales)
    receive_ad(world, trial, click_id=CLICK + "2", phone="15550107777")
    world.intake()
    world.send()
    world.send()
    report = json.loads(cli("status", "--json", code=1).stdout)
    assert report["deliveries"] == {"accepted": 1}
    assert report["test_deliveries"] == 1
