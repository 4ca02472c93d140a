"""The doctor over stored traffic: real webhooks, read by real workers, judged as the console's role."""

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from shared.db.webhook_counts import RECONCILED
from shared.providers.samples import load_sample
from tests.integration.console.commands import Cli
from tests.integration.workers.world import World


def findings(cli: Cli, name: str, *, code: int = 1) -> dict[str, dict[str, Any]]:
    [channel] = cli.json("doctor", "--channel", name, code=code)["channels"]
    return {finding["check"]: finding for finding in channel["findings"]}


def traffic(cli: Cli, name: str) -> dict[str, Any]:
    result = json.loads(cli("doctor", "--channel", name, "--json", code=1).stdout)
    found: dict[str, Any] = result["channels"][0]["traffic"]
    return found


@pytest.fixture
def main_dataset(world: World) -> int:
    return world.add_dataset(probe_result="ok")


def test_a_channel_that_works_is_fine(cli: Cli, world: World, main_dataset: int) -> None:
    sales = world.add_channel("sales", dataset_id=main_dataset)
    world.receive_ads(sales, 6)
    world.intake()
    found = findings(cli, "sales", code=0)
    assert {finding["severity"] for finding in found.values()} == {"ok"}
    assert "6 ad" in found["ads"]["words"]
    assert cli("doctor").output.startswith("Channel sales (Whapi.Cloud)")


def test_a_new_channel_is_told_where_to_enter_its_url(cli: Cli, world: World) -> None:
    world.add_channel("sales", dataset_id=None)
    found = findings(cli, "sales-key-0123456789")
    assert "https://hooks.example.com/webhooks/sales-key-0123456789" in found["arrivals"]["next_step"]
    assert "Whapi" in found["arrivals"]["where"]
    assert found["dataset"]["severity"] == "fail"
    text = cli("doctor", code=1).output
    assert "FAIL" in text
    assert "What to do:" in text


def test_statuses_without_messages_are_a_wrong_subscription(cli: Cli, world: World, main_dataset: int) -> None:
    sales = world.add_channel("sales", dataset_id=main_dataset)
    for _ in range(5):
        world.receive_sample(sales, "statuses")
    world.intake()
    found = findings(cli, "sales")
    assert found["subscription"]["severity"] == "fail"
    assert "statuses" in found["subscription"]["words"]


def test_thirty_messages_without_an_ad_block_ask_for_ads_attribution(cli: Cli, world: World, main_dataset: int) -> None:
    sales = world.add_channel("sales", dataset_id=main_dataset)
    for number in range(30):
        world.receive_sample(sales, "organic", phone=f"1555010{number:04d}")
    world.intake()
    found = findings(cli, "sales")
    assert found["ads"]["words"] == "30 inbound messages in 7 days and never an ad block."
    assert "Ads Attribution" in found["ads"]["where"]


@pytest.mark.parametrize("provider", ["evolution", "waha"])
def test_every_message_twice_is_seen(cli: Cli, world: World, main_dataset: int, provider: str) -> None:
    sales = world.add_channel("sales", dataset_id=main_dataset, provider=provider)
    for number in range(8):
        body = load_sample(provider, "ad", now=_now(cli), phone=f"1555010{number:04d}")
        world.receive(sales, body)
        world.receive(sales, body)
    world.intake()
    assert findings(cli, "sales")["twice"]["severity"] == "warn"


def test_each_channel_has_its_own_counts(cli: Cli, world: World, main_dataset: int) -> None:
    one = world.add_channel("one", dataset_id=main_dataset)
    two = world.add_channel("two", dataset_id=main_dataset)
    world.receive_ads(one, 3)
    world.receive_sample(one, "statuses")
    world.receive(two, b"not json at all")
    world.intake()
    world.execute(
        "insert into webhooks (id, received_at, source, source_id, method, headers, body, body_bytes)"
        " select gen_random_uuid(), now(), 'channel', %s, 'POST', jsonb_build_object('user-agent', %s::text), '', 0",
        two,
        RECONCILED,
    )
    by_name = {row["channel"]: row["traffic"] for row in json.loads(cli("doctor", "--json", code=1).stdout)["channels"]}
    assert (by_name["one"]["webhooks"], by_name["one"]["with_messages"], by_name["one"]["messages"]) == (4, 3, 3)
    assert by_name["one"]["ignored"] == {"statuses": 1}
    assert by_name["one"]["classes"] == {"ad": 3}
    assert by_name["two"]["webhooks"] == 1
    assert by_name["two"]["rejected"] == {"not_json": 1}
    assert (by_name["two"]["had_messages"], by_name["one"]["had_messages"]) == (False, True)


def test_a_channel_that_used_to_receive_and_is_silent_is_told_of(cli: Cli, world: World, main_dataset: int) -> None:
    sales = world.add_channel("sales", dataset_id=main_dataset)
    world.receive_ads(sales, 1)
    world.intake()
    world.execute("update webhooks set received_at = received_at - interval '2 days'")
    world.execute("update webhook_counts set hour = hour - interval '2 days', last_at = last_at - interval '2 days'")
    assert findings(cli, "sales")["arrivals"]["severity"] == "warn"
    assert traffic(cli, "sales")["seconds_ago"] > 2 * 86_400


def test_a_secret_that_no_key_opens_is_a_failure(cli: Cli, world: World, main_dataset: int) -> None:
    world.add_channel("sales", dataset_id=main_dataset, secrets=b"sealed elsewhere")
    assert findings(cli, "sales")["secret"]["severity"] == "fail"


METRICS = """# TYPE ctwa_webhooks_acknowledged_total counter
ctwa_webhooks_acknowledged_total{provider="whapi",sink="postgres"} 90.0
# TYPE ctwa_webhooks_refused_total counter
ctwa_webhooks_refused_total{reason="not_authentic"} 10.0
ctwa_webhooks_refused_total{reason="unknown_channel"} 3.0
"""


@pytest.mark.parametrize(
    ("page", "status", "severity", "words"),
    [
        (METRICS, 200, "warn", "10 of 100 webhooks (10.0%)"),
        ("{", 200, "ok", "not the receiver's metrics"),
        ("", 404, "ok", "HTTP 404"),
    ],
)
def test_refused_requests_are_read_from_the_receivers_metrics(
    cli: Cli, httpserver: HTTPServer, page: str, status: int, severity: str, words: str
) -> None:
    httpserver.expect_request("/metrics").respond_with_data(page, status=status)
    url = httpserver.url_for("/metrics")
    [finding] = json.loads(cli("doctor", "--metrics", url, "--json", code=severity != "ok").stdout)["receiver"]
    assert finding["severity"] == severity
    assert words in finding["words"]


def test_metrics_that_cannot_be_read_are_no_fault(cli: Cli) -> None:
    [finding] = cli.json("doctor", "--metrics", "http://127.0.0.1:9/metrics")["receiver"]
    assert (finding["severity"], "ConnectionError" in finding["words"]) == ("ok", True)


def test_a_channel_that_does_not_exist_is_said_to(cli: Cli) -> None:
    assert "no such channel" in cli("doctor", "--channel", "nope", code=2).stderr


def _now(cli: Cli) -> Any:
    return cli.rows("select now()")[0]["now"]
