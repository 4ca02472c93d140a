"""How names are kept, how long things are, and how everything comes under new keys."""

import pytest

from shared.crypto import HashRing, KeyRing, generate_key
from shared.db.sealed import COLUMNS
from tests.integration.workers.world import World
from workers import upkeep

PHONE = "5531998877665"


def a_lead(world: World, *, phone: str = PHONE) -> int:
    channel = world.rows("select id from channels")
    channel_id = channel[0]["id"] if channel else world.add_channel(dataset_id=world.add_dataset())
    world.receive_sample(channel_id, phone=phone)
    world.intake()
    return channel_id


def test_a_workspace_that_keeps_hashes_only_still_knows_everybody(cli, world):
    a_lead(world)
    said = cli("workspaces", "set", "default", "--hash-only", "--yes").stdout
    assert "1 names" in said
    a_lead(world)
    a_lead(world, phone="15550100199")
    assert world.rows("select 1 from contact_identities where ciphertext is not null") == []
    assert len(world.rows("select 1 from contacts")) == 2
    [person] = cli.json("contacts", "search", "--phone", PHONE)
    assert {one["value"] for one in person["identities"]} == {None}
    assert person["country"] == "BR"
    exported = cli("contacts", "export", str(person["id"])).stdout
    assert "keyed hash only" in exported
    assert "hashes only" in cli("workspaces", "list").stdout
    # There is no phone to send, and saying so is refused from both sides.
    assert "hashes only" in cli("datasets", "set", "main", "--send-phone", code=2).output
    cli("workspaces", "set", "default", "--no-hash-only")
    cli("datasets", "set", "main", "--send-phone")
    assert "--no-send-phone" in cli("workspaces", "set", "default", "--hash-only", "--yes", code=2).output


def test_click_ids_go_when_their_time_is_over_and_are_still_known(cli, world):
    channel = a_lead(world)
    [before] = world.rows("select click_id, click_hash from touchpoints")
    world.execute("update touchpoints set occurred_at = now() - interval '80 days'")
    assert upkeep.prune(world.runtime)["clicks_purged"] == 0
    cli("workspaces", "set", "default", "--click-days", "60")
    assert upkeep.prune(world.runtime)["clicks_purged"] == 1
    [after] = world.rows("select * from touchpoints")
    assert (after["click_id"], after["conversion_token"]) == (None, None)
    assert after["click_hash"] == before["click_hash"]
    assert after["click_purged_at"] is not None
    [message] = world.rows("select message_id from messages")
    assert "purged on" in cli("delivery", message["message_id"]).stdout
    # The same click again, in another message: no second Lead.
    world.receive_sample(channel, phone=PHONE, click_id=before["click_id"], message_id="again")
    world.intake()
    assert len(world.rows("select 1 from conversions")) == 1


def test_bodies_of_requests_texts_and_signs_of_life_go_in_their_time(world):
    a_lead(world)
    world.send()
    world.execute("update messages set text = 'sealed', received_at = now() - interval '31 days'")
    world.execute("update capi_requests set started_at = now() - interval '91 days'")
    world.execute("insert into heartbeats (process, beat_at) values ('gone', now() - interval '8 days')")
    result = upkeep.prune(world.runtime)
    assert (result["texts_purged"], result["requests_purged"], result["old_heartbeats_deleted"]) == (1, 1, 1)
    [request] = world.rows("select body, verdict, http_status from capi_requests")
    assert request == {"body": {}, "verdict": "accepted", "http_status": 200}
    assert upkeep.prune(world.runtime)["requests_purged"] == 0


def test_everything_comes_under_the_newest_keys_and_the_old_ones_can_go(cli, world):
    a_lead(world)
    cli("endpoints", "add", "crm", "--url", "https://crm.example.com/")
    world.execute("update messages set text = %s", world.runtime.secret_ring.seal(b"text"))
    old = {name: cli.environ[name] for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS")}
    new = {name: generate_key() for name in old}
    both = {name: f"{new[name]},{old[name]}" for name in old}
    rotated = cli.json("keys", "rotate", **both)
    assert rotated["unopened"] == {}
    assert rotated["still_needed"] == {}
    assert rotated["resealed"]["webhooks"] == 1
    assert rotated["rehashed"] == len(world.rows("select 1 from contact_identities"))
    rings = {name: KeyRing([new[name]], name=name) for name in ("TOKEN_KEYS", "SECRET_KEYS")}
    for which in COLUMNS:
        for row in world.rows(f"select {which.column} as it from {which.table} where length({which.column}) > 0"):
            rings[which.ring].open(row["it"])
    # Only the new keys, and the person is found and opened.
    [person] = cli.json("contacts", "search", "--phone", PHONE, **new)
    assert person["identities"][0]["value"]
    again = cli.json("keys", "rotate", **both)
    assert set(again["resealed"].values()) == {0}
    assert again["rehashed"] == 0


def test_what_no_key_opens_and_what_an_old_key_alone_finds_is_said(cli, world):
    a_lead(world)
    world.execute("update workspaces set hash_only = true")
    world.execute("update contact_identities set ciphertext = null")
    world.execute("update webhooks set body = 'damaged'")
    new = generate_key()
    said = cli("keys", "rotate", HASH_KEYS=f"{new},{cli.environ['HASH_KEYS']}", code=1)
    old_id = HashRing([cli.environ["HASH_KEYS"]]).newest
    assert f"Keep hash key {old_id}" in said.output
    assert "1 of webhooks" in said.output


def test_every_sealed_column_is_rotated(conn):
    """A new column of bytes is sealed and comes into COLUMNS, or is no secret and comes in here."""
    not_sealed = {
        ("contact_identities", "hash"), ("api_keys", "hash"), ("recovery_codes", "hash"), ("user_sessions", "hash"),
        ("one_time_links", "hash"), ("login_throttles", "key"), ("tombstones", "hash"), ("erasures", "names"),
    }  # fmt: skip
    rows = conn.execute(
        "select table_name, column_name from information_schema.columns where table_schema = 'public'"
        " and data_type = 'bytea' and table_name !~ '^webhooks_'"
    ).fetchall()
    assert {tuple(row) for row in rows} - not_sealed == {(one.table, one.column) for one in COLUMNS}


@pytest.mark.parametrize(("option", "value"), [("--click-days", "3"), ("--click-days", "x"), ("--click-days", "99999")])
def test_what_can_be_no_policy_is_refused(cli, option, value):
    assert "days" in cli("workspaces", "set", "default", option, value, code=2).output
    assert "no workspace" in cli("workspaces", "set", "nowhere", "--keep-text", code=2).output
