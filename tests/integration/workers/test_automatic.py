"""Meta's automatic events, over a real database: kept, and reported only where the dataset's policy says so."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.workers.world import World

CLICK = "Af" + "c" * 60


def envelope(field: str, **value: Any) -> bytes:
    content = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "2"}, **value}
    entry = {"id": "1", "changes": [{"field": field, "value": content}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def message(message_id: str, referral: dict[str, str] | None = None) -> bytes:
    now = str(int(datetime.now(UTC).timestamp()))
    one = {"from": "15550100125", "id": message_id, "timestamp": now, "type": "text"}
    return envelope("messages", messages=[{**one, **({"referral": referral} if referral else {})}])


def automatic(message_id: str, name: str = "Purchase", click_id: str | None = CLICK, value: int = 25000) -> bytes:
    event = {
        "id": message_id,
        "event_name": name,
        "timestamp": int(datetime.now(UTC).timestamp()),
        **({"ctwa_clid": click_id} if click_id else {}),
        **({"custom_data": {"currency": "BRL", "value": value}} if name == "Purchase" else {}),
    }
    return envelope("automatic_events", automatic_events=[event])


def chat(world: World, policy: str, *, click_id: str | None = CLICK) -> int:
    """A channel of this policy, on which one person came by an ad and wrote on."""
    channel = world.add_channel(provider="meta_cloud", dataset_id=world.add_dataset())
    world.execute("update datasets set automatic_policy = %s", policy)
    referral = {"source_type": "ad", "source_id": "1202", **({"ctwa_clid": click_id} if click_id else {})}
    world.receive(channel, message("wamid.1", referral))
    world.receive(channel, message("wamid.2"))
    world.intake()
    return channel


def results(world: World) -> list[tuple[str, str, str, str | None]]:
    query = """
        select c.event_name, c.source, d.state, d.reason from deliveries d join conversions c on c.id = d.conversion_id
        order by d.id
    """
    return [tuple(row.values()) for row in world.rows(query)]


@pytest.mark.parametrize(
    ("policy", "lead", "purchase"),
    [
        ("show", ("Lead", "message", "pending", None), ("Purchase", "meta_automatic", "skipped", "meta_automatic")),
        ("instead", ("Lead", "message", "pending", None), ("Purchase", "meta_automatic", "skipped", "meta_automatic")),
        ("echo", ("Lead", "message", "pending", None), ("Purchase", "meta_automatic", "pending", None)),
        ("ignore", ("Lead", "message", "pending", None), None),
    ],
)
def test_each_policy_does_what_it_says_with_a_purchase_that_meta_detected(world, policy, lead, purchase):
    channel = chat(world, policy)
    for _ in range(3):
        world.receive(channel, automatic("wamid.2"))
        world.intake()
    assert results(world) == [lead, *([purchase] if purchase else [])]
    if purchase:
        (sale,) = world.rows("select value, currency, touchpoint_id from conversions where source = 'meta_automatic'")
        assert (sale["value"], sale["currency"]) == (25, "BRL")
        assert sale["touchpoint_id"] is not None


def test_instead_holds_our_own_lead_back_while_it_is_not_sent(world):
    channel = chat(world, "instead")
    world.receive(channel, automatic("wamid.1", "LeadSubmitted"))
    world.intake()
    assert results(world) == [
        ("Lead", "message", "skipped", "meta_automatic"),
        ("Lead", "meta_automatic", "skipped", "meta_automatic"),
    ]


def test_an_echo_is_reported_as_metas_own(world):
    channel = chat(world, "echo")
    world.receive(channel, automatic("wamid.2"))
    world.intake()
    world.send()
    events = [event for _, _, content in world.graph.posted for event in content["data"]]
    echoed = [event for event in events if event["event_name"] == "Purchase"]
    assert [event["messaging_outcome_data"] for event in echoed] == [{"outcome_type": "automatic_events"}]
    assert echoed[0]["custom_data"] == {"value": 25, "currency": "BRL"}
    assert all("messaging_outcome_data" not in event for event in events if event["event_name"] != "Purchase")


def test_the_click_id_of_an_automatic_event_completes_an_ad_message_that_had_none(world):
    channel = chat(world, "show", click_id=None)
    assert results(world) == [("Lead", "message", "skipped", "no_click_id")]
    world.receive(channel, automatic("wamid.1", "LeadSubmitted"))
    world.intake()
    assert results(world)[0] == ("Lead", "message", "pending", None)
    (touchpoint,) = world.rows("select class, click_id from touchpoints")
    assert (touchpoint["class"], touchpoint["click_id"]) == ("ad", CLICK)


def test_an_event_about_a_message_that_never_came_is_counted_and_can_be_replayed(world):
    channel = chat(world, "show")
    world.receive(channel, automatic("wamid.unheard"))
    world.intake()
    counted = world.rows("select ignored from webhooks where automatic_events = 1")
    assert counted[0]["ignored"] == {"unknown_message": 1}
    assert len(results(world)) == 1
