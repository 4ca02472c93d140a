"""`ctwa apply`: one file says what should be."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from console.errors import ConflictError
from console.setup.document import Desired
from console.setup.plan import Rings, carry_out, plan, read_present
from shared.db.channels import open_secrets
from tests.integration.console.commands import Cli

TOKEN = "EAAcanary0123456789canary"
SECRET = "app-secret-canary"


def document(**changes: Any) -> dict[str, Any]:
    return {
        "credentials": {"acme": {"token_env": "ACME_TOKEN"}},
        "datasets": {"acme": {"meta_id": 1200000000000001, "waba_id": "1000000000000001", "credential": "acme"}},
        "channels": {
            "acme-whapi": {"provider": "whapi", "dataset": "acme", "currency": "EUR", "zone": "Europe/Berlin"},
            "acme-cloud": {
                "provider": "meta_cloud",
                "dataset": "acme",
                "secrets_env": {"app_secret": "ACME_SECRET"},
            },
        },
    } | changes


def run(cli: Cli, tmp_path: Path, content: Any, *more: str, code: int = 0, **environ: str) -> str:
    file = tmp_path / "setup.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    environ = {"ACME_TOKEN": TOKEN, "ACME_SECRET": SECRET, **environ}
    return cli("apply", str(file), *more, code=code, **environ).output


def snapshot(cli: Cli) -> Any:
    tables = ("credentials", "datasets", "channels", "audit_log")
    return json.dumps({table: cli.rows(f"select * from {table} order by id") for table in tables}, default=str)


def test_a_file_makes_everything_it_names_and_a_second_run_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    output = run(cli, tmp_path, document(), "--yes")
    assert TOKEN not in output
    assert SECRET not in output
    [dataset] = cli.json("datasets", "list")
    assert (dataset["meta_id"], dataset["credential"]) == ("1200000000000001", "acme")
    cloud, whapi = cli.json("channels", "list", "--reveal")
    assert cloud["secrets"][0]["app_secret"] == SECRET
    assert (whapi["currency"], whapi["zone"], whapi["dataset"]) == ("EUR", "Europe/Berlin", "acme")
    [row] = cli.rows("select token from credentials")
    assert cli.token_ring.open(row["token"]).decode() == TOKEN
    before = snapshot(cli)
    assert "Nothing to change" in run(cli, tmp_path, document(), "--yes")
    assert snapshot(cli) == before


def test_a_dry_run_shows_the_difference_and_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    run(cli, tmp_path, document(), "--yes")
    before = snapshot(cli)
    changed = document(datasets={"acme": {"meta_id": "77", "sending": False}})
    output = run(cli, tmp_path, changed, "--dry-run")
    assert "~ dataset acme" in output
    assert "meta_id: 1200000000000001 -> 77" in output
    assert "sending: on -> off" in output
    assert snapshot(cli) == before


def test_what_the_file_does_not_say_is_left_as_somebody_set_it(cli: Cli, tmp_path: Path) -> None:
    run(cli, tmp_path, document(), "--yes")
    cli("datasets", "set", "acme", "--batch-max", "7")
    cli("datasets", "add", "another", "--meta-id", "5")
    assert "Nothing to change" in run(cli, tmp_path, document(), "--yes")
    assert cli.json("datasets", "show", "acme")["batch_max"] == 7


def test_a_file_sets_policies_and_a_test_code_whose_time_it_never_renews(cli: Cli, tmp_path: Path) -> None:
    wanted = document()
    wanted["datasets"]["acme"] |= {"unknown": {"Lead": "hold"}, "test_event_code": "TEST1", "in_flight_max": 3}
    run(cli, tmp_path, wanted, "--yes")
    shown = cli.json("datasets", "show", "acme")
    assert (shown["unknown"], shown["in_flight_max"]) == ({"Lead": "hold"}, 3)
    assert shown["test_mode"]
    cli.execute("update datasets set test_event_until = now()")
    assert "Nothing to change" in run(cli, tmp_path, wanted, "--yes")
    assert cli.json("datasets", "show", "acme")["test_mode"] is None
    wanted["datasets"]["acme"]["unknown"] = {"Purchase": "resend"}
    assert "datasets.acme.unknown" in run(cli, tmp_path, wanted, "--yes", code=2)
    del wanted["datasets"]["acme"]["unknown"]
    wanted["datasets"]["acme"]["test_event_until"] = "2999-01-01T00:00:00Z"
    assert "24 hours" in run(cli, tmp_path, wanted, "--yes", code=2)


def test_a_changed_token_or_secret_is_a_change_that_shows_no_value(cli: Cli, tmp_path: Path) -> None:
    run(cli, tmp_path, document(), "--yes")
    output = run(cli, tmp_path, document(), "--yes", ACME_TOKEN=TOKEN + "2", ACME_SECRET="new-" + SECRET)
    assert "~ credential acme" in output
    assert "~ channel acme-cloud" in output
    assert "acme-whapi" not in output
    assert TOKEN not in output
    assert SECRET not in output
    rows = {row["name"]: row["secrets"] for row in cli.rows("select name, secrets from channels")}
    assert open_secrets(cli.secret_ring, rows["acme-cloud"])[0]["app_secret"] == "new-" + SECRET


def test_prune_stops_what_the_file_does_not_name_and_deletes_nothing(cli: Cli, tmp_path: Path) -> None:
    run(cli, tmp_path, document(), "--yes")
    cli("datasets", "add", "old", "--meta-id", "5")
    cli("channels", "add", "old", "--provider", "whapi")
    run(cli, tmp_path, document(), "--yes", "--prune")
    assert cli.json("datasets", "show", "old")["sending"] == "off"
    assert cli.json("channels", "show", "old")["enabled"] is False
    assert cli.json("channels", "show", "acme-whapi")["enabled"] is True
    assert "Nothing to change" in run(cli, tmp_path, document(), "--yes", "--prune")


def test_every_mistake_is_named_at_once_with_its_path_and_without_a_value(cli: Cli, tmp_path: Path) -> None:
    wrong = {
        "credentials": {"a": {"token": TOKEN}, "b": {"token_env": "NOT_SET"}},
        "datasets": {"d": {"meta_id": "12x", "sending": "maybe"}, "e": {}},
        "channels": {"c": {"provider": "telegram", "currency": "EURO", "zone": "Mars", "country": False}},
        "chanels": {},
    }
    output = run(cli, tmp_path, wrong, "--yes", code=2)
    for path in (
        "credentials.a",
        "datasets.d.meta_id",
        "datasets.d.sending",
        "datasets.e.meta_id",
        "channels.c.provider",
        "channels.c.currency",
        "channels.c.zone",
        "channels.c.country",
        "chanels",
    ):
        assert f"{path}:" in output or f"{path}." in output, (path, output)
    assert TOKEN not in output
    assert cli.rows("select from datasets") == []


def test_references_and_secrets_that_are_missing_are_named_before_anything_is_done(cli: Cli, tmp_path: Path) -> None:
    wrong = {
        "datasets": {"d": {"meta_id": "1", "credential": "nope"}},
        "channels": {
            "c": {"provider": "whapi", "dataset": "nope"},
            "m": {"provider": "meta_cloud", "secrets_env": {"app_secre": "ACME_SECRET"}},
        },
    }
    output = run(cli, tmp_path, wrong, "--yes", code=2)
    for path in ("datasets.d.credential", "channels.c.dataset", "channels.m.secrets_env.app_secret"):
        assert f"{path}:" in output
    assert "meta_cloud has no such field" in output
    assert cli.rows("select from datasets") == []


def test_variables_and_files_that_hold_nothing_are_named(cli: Cli, tmp_path: Path) -> None:
    content = document(credentials={"acme": {"token_file": str(tmp_path / "nope")}})
    output = run(cli, tmp_path, content, "--yes", code=2, ACME_SECRET="")
    assert "credentials.acme.token_file:" in output
    assert "channels.acme-cloud.secrets_env.app_secret:" in output


@pytest.mark.parametrize(
    "text",
    [
        "datasets: {a: {meta_id: 1}, a: {meta_id: 2}}",
        "datasets:\n  a: {meta_id: 1, meta_id: 2}",
        "datasets: [",
        "- a list",
        "!!python/object/apply:os.system [true]",
        "",
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_in_one_line(cli: Cli, tmp_path: Path, text: str) -> None:
    assert "setup.yaml" in run(cli, tmp_path, text, "--yes", code=2)


def test_a_json_file_is_taken_too_and_its_double_keys_are_refused(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "setup.json"
    file.write_text('{"datasets": {"a": {"meta_id": "1"}}}')
    assert cli.json("apply", str(file), "--yes") == {
        "changes": [{"kind": "dataset", "name": "a", "action": "add", "fields": {"meta_id": [None, "1"]}}],
        "applied": True,
    }
    file.write_text('{"datasets": {"a": {"meta_id": "1"}, "a": {"meta_id": "2"}}}')
    cli("apply", str(file), "--yes", code=2)


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(cli: Cli, conn: psycopg.Connection[Any]) -> None:
    desired = Desired(datasets={"d": {"meta_id": "1", "waba_id": "2"}})
    rings = Rings(tokens=None, secrets=None)
    agreed = plan(desired, read_present(conn, rings, desired))
    cli("datasets", "add", "d", "--meta-id", "1")
    with pytest.raises(ConflictError):
        carry_out(conn, rings, desired, agreed, prune=False, actor="test")
    assert cli.json("datasets", "show", "d")["waba_id"] is None


def test_without_somebody_to_ask_nothing_is_done(cli: Cli, tmp_path: Path) -> None:
    assert "--yes" in run(cli, tmp_path, document(), code=2)
    assert cli.rows("select from channels") == []
