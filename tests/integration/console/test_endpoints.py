"""Telling other systems: a receiver of outgoing webhooks checks signatures, and gets every fact at least once."""

import dataclasses
import json
import socket
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from shared.outbound import Reply
from tests.integration.console.commands import Cli
from tests.integration.workers.world import World
from workers import notifying
from workers.sweeper import Sweeper

PHONE = "5531998877665"


class Receiver:
    """Takes webhooks as a CRM would: checks the signature, and keeps what it has not had."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/hook")
        self.secrets: list[str] = []
        self.answers: list[int] = []
        self.got: dict[str, dict[str, Any]] = {}
        self.tries: Counter[str] = Counter()
        server.expect_request("/hook").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        body = request.get_data()
        for secret in self.secrets:
            Webhook(secret).verify(body, dict(request.headers))
        self.tries[request.headers["webhook-id"]] += 1
        status = self.answers.pop(0) if self.answers else 200
        if status < 300:
            self.got[request.headers["webhook-id"]] = json.loads(body)
        return Response(status=status)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [one["data"] for one in self.got.values() if one["type"] == event]


@pytest.fixture
def crm(httpserver: HTTPServer) -> Receiver:
    return Receiver(httpserver)


def add(cli: Cli, crm: Receiver, *options: str) -> None:
    said = cli("endpoints", "add", "crm", "--url", crm.url, "--allow-private", *options)
    crm.secrets = [said.stdout.splitlines()[-1]]


def a_lead(world: World, *, phone: str = PHONE) -> None:
    if not world.rows("select 1 from channels"):
        world.add_channel(dataset_id=world.add_dataset())
    [channel] = world.rows("select id from channels")
    world.receive_sample(channel["id"], phone=phone, now=datetime.now(UTC))
    world.intake()
    world.send()


def tell(world: World) -> int:
    """Posts what is due, whatever has to rest or wait."""
    world.execute("update notifications set next_attempt_at = now() where state = 'pending'")
    world.execute("update endpoints set rest_until = null")
    return notifying.drain(world.runtime)


def test_a_lead_is_told_from_its_touchpoint_to_what_meta_said(cli, world, crm):
    object.__setattr__(
        world.runtime, "settings", dataclasses.replace(world.runtime.settings, console_url="https://ctwa.example.com")
    )
    add(cli, crm)
    a_lead(world)
    assert tell(world) == 3
    [touchpoint], [conversion], [delivery] = (
        crm.of(event) for event in ("touchpoint.created", "conversion.attributed", "delivery.finished")
    )
    [stored] = world.rows("select t.id, t.ad_id, t.contact_id, c.id as conversion from touchpoints t join conversions c"
                          " on c.touchpoint_id = t.id")  # fmt: skip
    assert touchpoint["touchpoint"]["ad_id"] == stored["ad_id"]
    assert touchpoint["contact"] == {
        "id": str(stored["contact_id"]), "stage": None,
        "url": f"https://ctwa.example.com/contacts/{stored['contact_id']}",
    }  # fmt: skip
    assert conversion["conversion"]["id"] == str(stored["conversion"])
    assert conversion["conversion"]["event_name"] == "Lead"
    assert (delivery["delivery"]["state"], delivery["delivery"]["dataset"]) == ("accepted", "main")
    # Nobody's name or click id goes along.
    told = json.dumps(list(crm.got.values()))
    click_id = world.rows("select click_id from touchpoints")[0]["click_id"]
    assert PHONE not in told
    assert click_id not in told
    assert {row["state"] for row in cli.json("notifications")} == {"arrived"}


def test_the_names_of_the_campaign_go_along_where_they_are_known(cli, world, crm):
    add(cli, crm, "--event", "touchpoint.created")
    a_lead(world)
    world.execute(
        "insert into ad_accounts (workspace, meta_id, name, zone, currency, credential_id)"
        " select 'default', '1', 'main', 'UTC', 'EUR', id from credentials"
    )
    world.execute(
        "insert into ads (account_id, ad_id, ad_name, campaign_id, campaign_name)"
        " select (select id from ad_accounts), ad_id, 'Video 3', '7', 'Spring' from touchpoints"
    )
    tell(world)
    [told] = crm.of("touchpoint.created")
    assert (told["touchpoint"]["ad"]["campaign_name"], told["touchpoint"]["ad"]["ad_name"]) == ("Spring", "Video 3")


def test_a_phone_goes_along_only_where_the_endpoint_says_so(cli, world, crm):
    add(cli, crm, "--include", "phone", "--event", "touchpoint.created")
    a_lead(world)
    tell(world)
    [told] = crm.of("touchpoint.created")
    assert told["contact"]["phone"] == f"+{PHONE}"
    assert len(crm.got) == 1
    cli("endpoints", "set", "crm", "--no-include")
    a_lead(world, phone="15550100123")
    tell(world)
    assert "phone" not in crm.of("touchpoint.created")[1]["contact"]


def test_what_does_not_arrive_is_tried_again_under_the_same_id(cli, world, crm):
    add(cli, crm)
    crm.answers = [503, 302, 500]
    a_lead(world)
    for _ in range(5):
        tell(world)
    assert len(crm.got) == 3
    assert max(crm.tries.values()) > 1
    assert sum(crm.tries.values()) == 6
    rows = world.rows("select state, attempts from notifications")
    assert {row["state"] for row in rows} == {"arrived"}
    [endpoint] = cli.json("endpoints", "list")
    assert (endpoint["failing_since"], endpoint["last_problem"]) == (None, None)


def test_after_a_failure_the_endpoint_rests_and_the_others_wait(cli, world, crm):
    add(cli, crm)
    crm.answers = [500] * 10
    a_lead(world)
    assert notifying.drain(world.runtime) == 0
    assert sum(crm.tries.values()) == 1
    [endpoint] = cli.json("endpoints", "list")
    assert endpoint["last_problem"] == "answered_500"
    assert endpoint["failing_since"]


def test_facts_may_arrive_in_any_order_and_each_says_when_it_was(cli, world, crm):
    add(cli, crm)
    a_lead(world)
    # The first is held up, so the last arrives first.
    world.execute(
        "update notifications set next_attempt_at = now() + interval '1 hour' where event <> 'delivery.finished'"
    )
    notifying.drain(world.runtime)
    assert [one["type"] for one in crm.got.values()] == ["delivery.finished"]
    tell(world)
    by_time = sorted(crm.got.values(), key=lambda one: one["timestamp"])
    assert {one["type"] for one in by_time} == {"touchpoint.created", "conversion.attributed", "delivery.finished"}
    assert by_time[-1]["type"] == "delivery.finished"


def test_a_process_that_dies_after_posting_has_it_posted_again(cli, world, crm):
    add(cli, crm, "--event", "touchpoint.created")
    a_lead(world)

    class Killed(BaseException):
        pass

    def post_and_die(*args: Any, **kwargs: Any) -> Reply:
        notifying.outbound.post(*args, **kwargs)
        raise Killed

    with pytest.raises(Killed):
        notifying.drain(world.runtime, post=post_and_die)
    assert world.rows("select state from notifications") == [{"state": "sending"}]
    world.execute("update notifications set lease_until = now() - interval '1 second'")
    sweeper = Sweeper(world.runtime)
    sweeper._in_charge_since = float("-inf")
    sweeper._recover()
    tell(world)
    assert list(crm.tries.values()) == [2]
    assert len(crm.got) == 1


def test_nothing_private_is_reached_unless_that_is_said(cli, world):
    canary = socket.create_server(("127.0.0.1", 0))
    canary.setblocking(False)
    port = canary.getsockname()[1]
    refused = cli("endpoints", "add", "inside", "--url", f"http://127.0.0.1:{port}/", code=2).output
    assert "https" in refused
    cli("endpoints", "add", "inside", "--url", f"https://127.0.0.1:{port}/")
    cli("endpoints", "add", "named", "--url", f"https://localhost:{port}/")
    a_lead(world)
    tell(world)
    tell(world)
    with pytest.raises(BlockingIOError):
        canary.accept()
    canary.close()
    assert {row["last_problem"] for row in cli.json("endpoints", "list")} == {"address_refused"}


def test_an_endpoint_that_fails_for_days_is_disabled_and_goes_on_when_enabled(cli, world, crm):
    add(cli, crm)
    crm.answers = [500, 500]
    a_lead(world)
    tell(world)
    world.execute("update endpoints set failing_since = now() - interval '6 days'")
    tell(world)
    [endpoint] = cli.json("endpoints", "list")
    assert (endpoint["enabled"], endpoint["disabled_reason"]) == (False, "failing")
    assert "five days" in cli("endpoints", "list").stdout
    assert world.rows("select 1 from audit_log where action = 'endpoint.disable'")
    tell(world)
    assert crm.got == {}
    cli("endpoints", "set", "crm", "--enabled")
    tell(world)
    assert len(crm.got) == 3


def test_an_endpoint_that_says_gone_is_left_alone_at_once(cli, world, crm):
    add(cli, crm)
    crm.answers = [410]
    a_lead(world)
    tell(world)
    [endpoint] = cli.json("endpoints", "list")
    assert endpoint["disabled_reason"] == "gone"


def test_what_is_given_up_can_be_tried_again_by_hand(cli, world, crm):
    add(cli, crm, "--event", "touchpoint.created")
    a_lead(world)
    crm.answers = [500]
    world.execute("update notifications set created_at = now() - interval '4 days'")
    tell(world)
    [row] = cli.json("notifications", "--state", "failed")
    assert row["reason"] == "answered_500"
    assert "1 notifications" in cli("notifications", "retry", "--endpoint", "crm").stdout
    tell(world)
    assert len(crm.got) == 1


def test_both_secrets_sign_while_one_is_replaced(cli, world, crm):
    add(cli, crm, "--event", "touchpoint.created")
    [old] = crm.secrets
    new = cli("endpoints", "rotate", "crm").stdout.splitlines()[-1]
    assert new != old
    crm.secrets = [old, new]
    a_lead(world)
    assert tell(world) == 1
    world.execute("update endpoints set previous_until = now() - interval '1 second'")
    crm.secrets = [new]
    a_lead(world, phone="15550100124")
    assert tell(world) == 1
    stored = json.dumps(world.rows("select detail from audit_log"))
    assert old not in stored
    assert new not in stored


def test_a_test_says_whether_it_arrived(cli, world, crm):
    add(cli, crm)
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.02):
            notifying.drain(world.runtime)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert "answered 200" in cli("endpoints", "test", "crm").stdout
        crm.answers = [404]
        assert "did not arrive" in cli("endpoints", "test", "crm", code=1).output
    finally:
        done.set()
        worker.join()


def test_only_what_was_asked_for_is_written_and_no_test_of_ours(cli, world, crm):
    add(cli, crm, "--event", "conversion.attributed")
    a_lead(world)
    world.execute("update channels set is_test = true")
    a_lead(world, phone="15550100125")
    assert world.rows("select event from notifications") == [{"event": "conversion.attributed"}]
    cli("endpoints", "set", "crm", "--disabled")
    world.execute("update channels set is_test = false")
    a_lead(world, phone="15550100126")
    assert len(world.rows("select 1 from notifications")) == 1
    cli("endpoints", "remove", "crm", "--yes")
    assert world.rows("select 1 from notifications") == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--url", "ftp://example.com"), "address"),
        (("--url", "https://user:x@example.com"), "address"),
        (("--url", "http://example.com"), "https"),
        (("--url", "https://example.com", "--workspace", "nowhere"), "workspace"),
    ],
)
def test_what_can_be_no_endpoint_is_refused(cli, options, says):
    assert says in cli("endpoints", "add", "x", *options, code=2).output
