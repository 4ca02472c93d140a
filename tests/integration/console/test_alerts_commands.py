"""`ctwa alerts`: looking, acknowledging, thresholds, and routes that really get a test."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from standardwebhooks import Webhook

from workers.alerts import evaluate
from workers.notices import send_due


@pytest.fixture
def paused(cli, world):
    """An open alert: a dataset that somebody paused."""
    world.add_channel(dataset_id=world.add_dataset("acme"))
    cli("datasets", "pause", "acme")
    evaluate(world.runtime)
    return world


def audited(cli, action):
    return cli.rows("select * from audit_log where action = %s", action)


def test_without_alerts_nothing_needs_you(cli):
    assert "Nothing needs you." in cli("alerts").output
    assert cli.json("alerts") == []


def test_an_open_alert_is_listed_shown_and_counted_by_status(cli, paused):
    [row] = cli.json("alerts")
    assert (row["kind"], row["subject"], row["state"], row["workspace"]) == (
        "dataset_paused",
        "dataset:acme",
        "open",
        "default",
    )
    assert row["words"].startswith("Dataset acme is paused")
    assert cli.json("alerts", "show", "1") == row
    assert "Resume it" in cli("alerts", "show", "1").output
    assert "dataset_paused" in cli("alerts").output
    assert [one["id"] for one in cli.json("status", code=1)["alerts"]] == [1]
    assert "1, 0 of them acknowledged" in cli("status", code=1).output


def test_acknowledging_and_resolving_are_audited_and_said_once(cli, paused):
    assert "Alert 1 is acknowledged." in cli("alerts", "ack", "1").output
    assert "already" in cli("alerts", "ack", "1").output
    assert cli.json("alerts")[0]["acknowledged_by"].startswith("cli:")
    assert "Alert 1 is resolved." in cli("alerts", "resolve", "1").output
    assert "over already" in cli("alerts", "resolve", "1").output
    assert cli.json("alerts") == []
    assert [row["state"] for row in cli.json("alerts", "--all")] == ["resolved"]
    assert "There are no alerts." in cli("alerts", "--all", "--kind", "failed").output
    for action in ("alert.acknowledge", "alert.resolve"):
        [entry] = audited(cli, action)
        assert (entry["subject"], entry["workspace"], entry["detail"]["kind"]) == (
            "alert:1",
            "default",
            "dataset_paused",
        )
    evaluate(paused.runtime)
    assert [row["id"] for row in cli.json("alerts")] == [2]


@pytest.mark.parametrize("command", ["show", "ack", "resolve"])
def test_an_alert_that_is_not_there_is_told(cli, command):
    assert "There is no alert 77." in cli("alerts", command, "77", code=2).output


def rule(cli, kind, *more):
    return next(row for row in cli.json("alerts", "rules", *more) if row["kind"] == kind)


def test_a_threshold_is_set_for_all_or_for_one_workspace_and_put_back(cli):
    cli.execute("insert into workspaces (name) values ('b')")
    assert rule(cli, "failed")["threshold"] == 5
    assert "threshold 12.5 %" in cli("alerts", "set", "failed", "--threshold", "12.5").output
    cli("alerts", "set", "failed", "--threshold", "50", "--workspace", "b")
    assert (rule(cli, "failed")["threshold"], rule(cli, "failed", "--workspace", "b")["threshold"]) == (12.5, 50)
    cli("alerts", "set", "failed", "--off")
    assert (rule(cli, "failed")["enabled"], rule(cli, "failed")["threshold"]) == (False, 12.5)
    cli("alerts", "set", "failed", "--on", "--threshold", "default")
    assert rule(cli, "failed") | {"changed": None} == {
        "kind": "failed", "title": "Events rejected, in 15 minutes", "enabled": True, "threshold": 5, "unit": "%",
        "default": 5, "changed": None,
    }  # fmt: skip
    assert len(audited(cli, "alert_rule.set")) == 4
    assert "THRESHOLD" in cli("alerts", "rules").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("failed",), "Say --threshold"),
        (("failed", "--threshold", "101"), "from 0 to 100"),
        (("failed", "--threshold", "-1"), "from 0 to 100"),
        (("failed", "--threshold", "NaN"), "from 0 to 100"),
        (("failed", "--threshold", "many"), "is a number"),
        (("test_mode", "--threshold", "1"), "has no threshold"),
        (("nonsense", "--on"), "Invalid value"),
        (("failed", "--off", "--workspace", "nowhere"), "no workspace"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(cli, arguments, words):
    assert words in cli("alerts", "set", *arguments, code=2).output
    assert cli.rows("select * from alert_rules") == []


@contextmanager
def postman(world) -> Iterator[None]:
    """Sends notices as the sweeper does, while a command waits for one."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.05):
            send_due(world.runtime)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_webhook_route_is_added_tried_listed_and_removed(cli, world, httpserver):
    httpserver.expect_request("/hook/secret-path").respond_with_data("")
    url = httpserver.url_for("/hook/secret-path")
    said = cli("alerts", "routes", "add", "ops", "--kind", "webhook", "--allow-private", stdin=url).output
    secret = next(word for word in said.split() if word.startswith("whsec_"))
    with postman(world):
        assert "It arrived." in cli("alerts", "routes", "test", "ops").output
    request, _ = httpserver.log[0]
    assert Webhook(secret).verify(request.data, dict(request.headers))["type"] == "alerts.test"
    [row] = cli.json("alerts", "routes")
    assert (row["name"], row["kind"], row["workspace"], row["last"]["state"]) == ("ops", "webhook", None, "sent")
    stored = json.dumps([*cli.rows("select * from alert_routes"), *cli.rows("select * from audit_log")], default=str)
    for hidden in ("secret-path", secret):
        assert hidden not in stored
        assert hidden not in cli("alerts", "routes").output
    assert "say --yes" in cli("alerts", "routes", "remove", "ops", code=2).output
    cli("alerts", "routes", "remove", "ops", "--yes")
    assert cli.json("alerts", "routes") == []
    actions = [row["action"] for row in cli.rows("select action from audit_log order by id")]
    assert actions == ["alert_route.add", "alert_route.test", "alert_route.remove"]


def test_a_test_that_does_not_arrive_says_why_and_what_to_do(cli, world):
    cli("alerts", "routes", "add", "mail", "--kind", "email", stdin="ops@example.test")
    with postman(world):
        result = cli("alerts", "routes", "test", "mail", code=1)
    assert "no mail server" in result.output
    assert "SMTP_URL" in result.output
    [row] = cli.json("alerts", "routes")
    assert row["shown"] == "o…@example.test"
    assert row["last"]["reason"] == "smtp_not_set"


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("ops", "--kind", "webhook"), "http://hooks.example.com", "not https"),
        (("ops", "--kind", "slack"), "hooks.example.com", "not an address"),
        (("ops", "--kind", "email"), "ops at example", "must be like"),
        (("ops", "--kind", "email"), "a@example.com, b@example.com", "must be like"),
        (("ops", "--kind", "email"), "", "is empty"),
        (("", "--kind", "email"), "ops@example.com", "name begins"),
        (("ops", "--kind", "email", "--workspace", "nowhere"), "ops@example.com", "no workspace"),
    ],
)
def test_a_route_that_cannot_be_used_is_refused(cli, arguments, stdin, words):
    assert words in cli("alerts", "routes", "add", *arguments, stdin=stdin, code=2).output
    assert cli.rows("select * from alert_routes") == []


def test_a_name_is_taken_once_and_an_own_secret_is_checked(cli, tmp_path):
    cli("alerts", "routes", "add", "ops", "--kind", "slack", stdin="https://hooks.slack.example/services/T/B/x")
    assert "already" in cli("alerts", "routes", "add", "ops", "--kind", "email", stdin="a@example.com", code=2).output
    file = tmp_path / "secret"
    file.write_text("short")
    given = ("alerts", "routes", "add", "own", "--kind", "webhook", "--secret-file", str(file))
    assert "whsec_" in cli(*given, stdin="https://hooks.example.com", code=2).output
    file.write_text("whsec_" + "A" * 44)
    assert "shown this once" not in cli(*given, stdin="https://hooks.example.com").output
