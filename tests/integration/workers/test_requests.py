"""Requests of the API and parts of files through intake, from their stored bytes to what became of each item."""

import json
from datetime import UTC, datetime

import psycopg
import pytest

from shared.db.webhooks import NewWebhook, claim_webhooks, insert_webhooks, webhook_backlog
from shared.ids import item_id, uuid7
from tests.integration.workers.reports import PHONE, conversion, hours_ago

SALE = {
    "contact": {"phone": f"+{PHONE}"},
    "event_name": "Purchase",
    "value": "49.90",
    "currency": "EUR",
    "contents": [{"id": "sku", "quantity": 2, "item_price": "24.95"}],
    "custom_data": {"plan": "yearly"},
}


@pytest.fixture
def key(world):
    world.execute(
        "insert into api_keys (workspace, name, start, hash, scopes, created_by)"
        " values ('default', 'shop', 'ctwa_ab', 'hash', '{conversions}', 'test')"
    )
    return world.rows("select id from api_keys")[0]["id"]


def sale(**said):
    return SALE | {"occurred_at": hours_ago(1).isoformat()} | said


def accept(world, source_id, body, *, path="conversions", source="api_key", headers=None):
    """Stores a request as the receiver would; its id."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    webhook = NewWebhook(
        id=uuid7(), received_at=datetime.now(UTC), source=source, source_id=source_id, method="POST", path=path,
        query="", headers=headers or {}, body=world.runtime.secret_ring.seal(raw), body_bytes=len(raw),
    )  # fmt: skip
    with psycopg.connect(world.url) as conn:
        insert_webhooks(conn, [webhook])
    return webhook.id


def test_a_request_becomes_conversions_under_the_ids_that_its_door_promised(world, key):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel, phone=PHONE, now=hours_ago(2))
    request = accept(world, key, {"data": [sale(order_id="A1"), {"event_name": "Sold"}, sale(order_id="A1")]})
    with psycopg.connect(world.url) as conn:
        assert webhook_backlog(conn).waiting == 2
    world.intake()
    world.send()
    rows = world.rows("select id, state, reason, detail, api_key_id from submissions order by id")
    assert [row["id"] for row in rows] == [item_id(request, place) for place in range(3)]
    assert [(row["state"], row["reason"]) for row in rows] == [
        ("stored", None), ("refused", "malformed"), ("duplicate", "same_order"),
    ]  # fmt: skip
    assert "event_name: must be one of" in rows[1]["detail"]
    assert (conversion(world)["state"], conversion(world)["source"]) == ("accepted", "api")
    [event] = [one for _, _, body in world.graph.posted for one in body["data"] if one["event_name"] == "Purchase"]
    assert event["custom_data"]["contents"] == [{"id": "sku", "quantity": 2, "item_price": 24.95}]
    assert event["custom_data"]["plan"] == "yearly"
    [webhook] = world.rows("select messages, duplicates, state from webhooks where id = %s", request)
    assert webhook == {"messages": 3, "duplicates": 1, "state": "done"}
    assert world.rows("select last_used_at from api_keys")[0]["last_used_at"] is not None


def test_the_key_of_a_request_makes_its_items_one_when_it_comes_again(world, key):
    world.add_channel(dataset_id=world.add_dataset())
    for _ in range(2):
        accept(world, key, {"data": [sale(), sale()]}, headers={"idempotency-key": '"r-1"'})
        world.intake()
    rows = world.rows("select state from submissions order by id")
    assert [row["state"] for row in rows] == ["stored", "stored", "duplicate", "duplicate"]


@pytest.mark.parametrize(("body", "path"), [(b"no json", "conversions"), (b'{"data": 1}', "conversions"), (b"{}", "x")])
def test_a_body_of_another_form_is_kept_as_rejected(world, key, body, path):
    accept(world, key, body, path=path)
    world.intake()
    [webhook] = world.rows("select state, reason from webhooks")
    assert webhook == {"state": "rejected", "reason": "unreadable_request"}


def test_a_part_of_a_file_belongs_to_its_workspace_and_names_who_brought_it(world):
    world.add_channel(dataset_id=world.add_dataset())
    [row] = world.rows("select id from workspaces")
    accept(world, row["id"], sale(order_id="A1"), source="import", headers={"ctwa-origin": "csv"})
    stage = {"contact": {"phone": PHONE}, "stage": "won"}
    by = {"ctwa-origin": "console", "ctwa-actor": "cli:ann"}
    accept(world, row["id"], stage, path="contacts/stage", source="import", headers=by)
    world.intake()
    assert conversion(world)["source"] == "csv"
    [change] = world.rows("select kind, value, source, actor from contact_changes")
    assert change == {"kind": "stage", "value": "won", "source": "console", "actor": "cli:ann"}
    assert [row["source"] for row in world.rows("select source from submissions order by id")] == ["csv", "console"]


def test_messages_and_requests_of_one_batch_see_each_other(world, key):
    channel = world.add_channel(dataset_id=world.add_dataset())
    accept(world, key, sale(order_id="A1"))
    world.receive_sample(channel, phone=PHONE, now=hours_ago(2))
    world.intake()
    assert (conversion(world)["attribution"], conversion(world)["state"]) == ("last_click", "pending")


def test_large_requests_are_read_a_few_at_a_time(world, key):
    body = json.dumps({"data": [sale(order_id=f"A{number}") for number in range(500)]}).encode()
    for _ in range(4):
        accept(world, key, body)
    with psycopg.connect(world.url) as conn:
        first = claim_webhooks(conn, token=uuid7(), lease_seconds=60)
        assert len(first) == 1
        assert len(claim_webhooks(conn, token=uuid7(), lease_seconds=60)) == 1
