"""`ctwa preview`: the body as it went out or would, and what the checks before sending make of it."""

from typing import Any

import pytest

from shared.capi.answers import no_answer
from shared.capi.payload import redact_body, shorten_click_id
from shared.domain.reasons import explain
from tests.integration.console.commands import Cli
from tests.integration.workers.world import TOKEN, World, graph_error

PHONE = "15550103344"
CLICK = "AfCANARYclickid" + "x" * 90


def lead(world: World, case: str = "ad", **dataset: Any) -> None:
    channel = world.add_channel("sales", dataset_id=world.add_dataset(**dataset))
    click = {"click_id": CLICK} if case == "ad" else {}
    world.receive_sample(channel, case, phone=PHONE, **click)
    world.intake()


def test_the_body_shown_before_is_the_body_that_is_sent_and_shown_after(cli: Cli, world: World) -> None:
    lead(world)
    before = cli.json("preview", "1")
    assert (before["state"], before["sent_at"], before["verdict"]) == ("pending", None, "ok")
    [event] = before["body"]["data"]
    assert event["user_data"]["ctwa_clid"] == shorten_click_id(CLICK)
    world.send()
    [(_, _, body)] = world.graph.posted
    assert before["body"] == redact_body(body)
    after = cli.json("preview", event["event_id"])
    assert after["body"] == before["body"]
    assert (after["state"], after["verdict"]) == ("accepted", "ok")
    assert after["sent_at"]


def test_what_went_out_is_shown_alone_and_as_it_was_then(cli: Cli, world: World) -> None:
    channel = world.add_channel("sales", dataset_id=world.add_dataset())
    world.receive_ads(channel, 2)
    world.intake()
    world.send()
    cli.execute("update datasets set waba_id = '77'")
    cli.execute("update deliveries set event_time = event_time - interval '8 days'")
    found = cli.json("preview", "2")
    [event] = found["body"]["data"]
    assert event["event_id"] == world.deliveries()[1]["event_id"]
    assert event["user_data"]["whatsapp_business_account_id"] == "1000000000000001"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("update deliveries set event_time = now() - interval '6 days 13 hours'", "expired"),
        ("update conversions set value = 10, currency = 'XXX'", "currency_not_accepted"),
        ("update deliveries set event_name = 'Purchase'", "value_missing"),
        ("update datasets set waba_id = null", "waba_id_missing"),
        ("update touchpoints set click_id = null", "click_id_missing"),
    ],
)
def test_what_the_checks_find_is_said_in_plain_words(cli: Cli, world: World, change: str, code: str) -> None:
    lead(world)
    cli.execute(change)
    found = cli.json("preview", "1")
    assert (found["verdict"], found["words"], found["next_step"]) == (
        code,
        explain(code).words,
        explain(code).next_step,
    )
    assert found["words"] in cli("preview", "1").output
    assert (found["body"] is None) == (code in ("click_id_missing", "waba_id_missing"))


def test_a_lead_without_a_click_id_has_no_body_and_says_why(cli: Cli, world: World) -> None:
    lead(world, "ad_without_click_id")
    found = cli.json("preview", "1")
    assert (found["state"], found["body"], found["verdict"]) == ("skipped", None, "click_id_missing")
    assert "There is no body" in cli("preview", "1").output


@pytest.mark.parametrize(
    ("answer", "state", "sent"),
    [
        (no_answer("ReadTimeout"), "unknown", True),
        (graph_error(400, 100, 2804087), "rejected", True),
        (graph_error(401, 190), "pending", False),
    ],
)
def test_only_what_went_out_for_the_last_time_counts_as_sent(
    cli: Cli, world: World, answer: Any, state: str, sent: bool
) -> None:
    lead(world, unknown_policy={"Lead": "hold"})
    world.graph.script.append(answer)
    world.send()
    found = cli.json("preview", "1")
    assert (found["state"], bool(found["sent_at"])) == (state, sent)
    assert found["state_words"]


def test_a_profile_and_a_test_code_show_in_the_body(cli: Cli, world: World) -> None:
    lead(world, profile="guide")
    cli("datasets", "set", "main", "--test-event-code", "TEST1")
    body = cli.json("preview", "1")["body"]
    assert (body["data"][0]["event_name"], body["test_event_code"]) == ("Lead", "TEST1")
    cli.execute("update datasets set test_event_until = now()")
    assert "test_event_code" not in cli.json("preview", "1")["body"]


def test_a_preview_shows_no_secret_and_sends_nothing(cli: Cli, world: World) -> None:
    lead(world)
    for output in (cli("preview", "1").output, cli("preview", "1", "--json").output):
        assert not any(secret in output for secret in (CLICK, PHONE, TOKEN))
    assert world.graph.posted == []
    assert world.states() == ["pending"]


def test_an_id_that_names_none_or_several_is_said(cli: Cli, world: World) -> None:
    lead(world)
    world.add_dataset("second")
    cli.execute(
        "insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, state,"
        " next_attempt_at) select conversion_id, 2, event_name, business_key, event_id, event_time, state,"
        " next_attempt_at from deliveries"
    )
    assert "No delivery" in cli("preview", "77", code=2).stderr
    assert "delivery's id: 1, 2" in cli("preview", world.deliveries()[0]["event_id"], code=2).stderr
