"""The secrets of a local stack: kept, complete, and the environment's where it has them."""

import json

from console.stack.secrets import FILE_NAME, kept_secrets
from shared.crypto import KeyRing


def test_secrets_are_made_once_and_are_their_owners_alone(tmp_path):
    made = kept_secrets(tmp_path, {})
    assert kept_secrets(tmp_path, {}) == made
    assert len(set(made.values())) == len(made)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    for ring in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS"):
        KeyRing([made[ring]], name=ring)


def test_what_the_environment_gives_is_used_and_not_written_down(tmp_path):
    given = kept_secrets(tmp_path, {"CONSOLE_DB_PASSWORD": "given", "WORKER_DB_PASSWORD": " "})
    assert given["CONSOLE_DB_PASSWORD"] == "given"
    assert given["WORKER_DB_PASSWORD"].strip()
    assert "given" not in (tmp_path / FILE_NAME).read_text()
    assert kept_secrets(tmp_path, {})["CONSOLE_DB_PASSWORD"] != "given"


def test_a_secret_that_a_later_version_needs_is_added_and_the_others_stay(tmp_path):
    made = kept_secrets(tmp_path, {})
    older = {name: value for name, value in made.items() if name != "FLOWER_PASSWORD"}
    (tmp_path / FILE_NAME).write_text(json.dumps(older))
    again = kept_secrets(tmp_path, {})
    assert {name: again[name] for name in older} == older
    assert again["FLOWER_PASSWORD"] not in ("", made["FLOWER_PASSWORD"])
