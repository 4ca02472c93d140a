"""`ctwa api-keys`."""

from shared.api_keys import bearer_key, hash_key
from tests.integration.console.commands import Cli


def test_a_key_is_shown_once_kept_as_a_hash_and_revoked(cli: Cli) -> None:
    made = cli("api-keys", "create", "shop", "--scope", "conversions:write", "--test")
    key = made.stdout.strip()
    assert bearer_key(f"Bearer {key}") == key
    assert "not shown again" in made.stderr
    (row,) = cli.rows("select hash, scopes, is_test from api_keys")
    assert (bytes(row["hash"]), row["scopes"], row["is_test"]) == (hash_key(key), ["conversions:write"], True)
    (listed,) = cli.json("api-keys", "list")
    assert key.startswith(listed["start"])
    assert len(listed["start"]) < 16
    assert listed["name"] in cli("api-keys", "list").stdout
    cli("api-keys", "create", "shop", code=2)
    assert "Revoked shop" in cli("api-keys", "revoke", "shop").stdout
    cli("api-keys", "revoke", "shop", code=2)
    assert cli.json("api-keys", "list")[0]["revoked_at"]
    assert [row["action"] for row in cli.rows("select action from audit_log order by id")] == [
        "API key made",
        "API key revoked",
    ]


def test_a_key_needs_a_workspace_that_is_there(cli: Cli) -> None:
    assert "no workspace" in cli("api-keys", "create", "shop", "--workspace", "elsewhere", code=2).output
