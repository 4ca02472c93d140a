"""The API's door as a real process: who is let in, and what is durable when Postgres is not there."""

import secrets
from typing import Any
from uuid import UUID

import psycopg
import requests

from console.team.keys import make_key
from shared.domain.api_scopes import Scope
from shared.domain.submission_forms import parse_items
from shared.ids import item_id
from tests.integration.receiver.harness import Proxy, Receiver, World, running, wait_until

SALE = {
    "contact": {"phone": "+15550100123"},
    "event_name": "Purchase",
    "occurred_at": "2026-05-02T18:00:00+02:00",
    "value": "19.99",
    "currency": "EUR",
    "order_id": "A-1",
}


def known_key(world: World, receiver: Receiver) -> tuple[int, str]:
    """A key that this receiver has heard of: keys are looked for once a second at most."""
    key_id, key = add_key(world)
    wait_until(lambda: post(receiver, key, {}).status_code == 422)
    return key_id, key


def add_key(world: World) -> tuple[int, str]:
    with psycopg.connect(world.owner_url) as conn:
        name = secrets.token_hex(4)
        made = make_key(conn, workspace="default", name=name, scopes=list(Scope), is_test=False, actor="test")
    return made.id, made.secret


def post(receiver: Receiver, key: str, body: object = SALE, path: str = "conversions") -> requests.Response:
    return requests.post(f"{receiver.url}/v1/{path}", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=20)


def test_a_new_key_works_without_a_restart_and_what_it_sends_is_a_row(receiver: Receiver, shared_world: World) -> None:
    key_id, key = known_key(shared_world, receiver)
    answer = post(receiver, key, {"data": [SALE, SALE | {"order_id": "A-2"}]})
    assert answer.status_code == 202, answer.text
    ids = [UUID(one["id"]) for one in answer.json()["data"]]

    def row_of_the_call() -> Any:
        with psycopg.connect(shared_world.owner_url) as conn:
            return conn.execute(
                "select id, received_at, path, body from webhooks where source = 'api_key' and source_id = %s", [key_id]
            ).fetchone()

    row = wait_until(row_of_the_call)
    assert ids == [item_id(row[0], 0), item_id(row[0], 1)]
    assert len(parse_items(row[2], shared_world.ring.open(row[3]), received_at=row[1])) == 2


def test_many_items_are_answered_beside_the_loop_with_one_id_each(receiver: Receiver, shared_world: World) -> None:
    _, key = known_key(shared_world, receiver)
    answer = post(receiver, key, {"data": [SALE | {"order_id": str(number)} for number in range(500)]})
    assert answer.status_code == 202, answer.text
    assert len({one["id"] for one in answer.json()["data"]}) == 500


def test_refusals_keep_nothing_and_do_not_hurt_webhooks(receiver: Receiver, shared_world: World) -> None:
    _, key = known_key(shared_world, receiver)
    before = shared_world.stored_ids()
    assert post(receiver, "ctwa_" + "x" * 43).status_code == 401
    assert post(receiver, key, SALE | {"value": "much"}).status_code == 422
    assert post(receiver, key, path="conversion").status_code == 404
    assert shared_world.stored_ids() == before
    assert receiver.post(b'{"messages": []}').status_code == 200


def test_a_revoked_key_is_refused(receiver: Receiver, shared_world: World) -> None:
    key_id, key = known_key(shared_world, receiver)
    assert post(receiver, key).status_code == 202
    with psycopg.connect(shared_world.owner_url) as conn:
        conn.execute("update api_keys set revoked_at = now() where id = %s", [key_id])
    wait_until(lambda: post(receiver, key).status_code == 401)


def test_while_postgres_is_away_also_at_the_start_a_sale_is_accepted_and_comes_into_the_table_later(
    world: World,
) -> None:
    _, key = add_key(world)
    with running(world) as before:
        assert post(before, key).status_code == 202
    port = psycopg.conninfo.conninfo_to_dict(world.receiver_url)["port"]
    proxy = Proxy(int(port))
    url = proxy.url(world.receiver_url)
    proxy.silent.set()
    with running(world, database_url=url + " connect_timeout=2") as receiver:
        answer = post(receiver, key, SALE | {"order_id": "A-2"})
        assert answer.status_code == 202, answer.text
        (spooled,) = world.spooled()
        assert str(item_id(UUID(spooled[0]), 0)) == answer.json()["data"][0]["id"]
        proxy.silent.clear()
        wait_until(lambda: spooled[0] in world.stored_ids())
    proxy.close()
