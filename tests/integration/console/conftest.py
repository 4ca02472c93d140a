"""The command line against a real database, as the role that production gives it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from console.cli.context import Session
from console.cli.main import ctwa
from shared.crypto import KeyRing, generate_key
from shared.db.migrate import set_role_passwords

CONSOLE_PASSWORD = "console-password"
PUBLIC_URL = "https://hooks.example.com"


@dataclass
class Cli:
    """Runs commands with an environment of the test's own."""

    environ: Mapping[str, str]
    owner_url: str

    def __call__(self, *args: str, stdin: str = "", code: int = 0, **environ: str) -> Result:
        result = CliRunner().invoke(ctwa, args, obj=Session({**self.environ, **environ}), input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *args: str, **more: Any) -> Any:
        return json.loads(self(*args, "--json", **more).stdout)

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """What the database's owner sees."""
        with psycopg.connect(self.owner_url, row_factory=dict_row) as conn:
            return conn.execute(query, parameters).fetchall()

    def execute(self, query: str, *parameters: Any) -> None:
        with psycopg.connect(self.owner_url) as conn:
            conn.execute(query, parameters)

    @property
    def secret_ring(self) -> KeyRing:
        return KeyRing([self.environ["SECRET_KEYS"]], name="SECRET_KEYS")

    @property
    def token_ring(self) -> KeyRing:
        return KeyRing([self.environ["TOKEN_KEYS"]], name="TOKEN_KEYS")


@pytest.fixture(scope="session")
def console_role(postgres_url: str) -> str:
    """The console's role with a password, on the whole test server."""
    with psycopg.connect(postgres_url) as conn:
        set_role_passwords(conn, {"ctwa_console": CONSOLE_PASSWORD})
    return "ctwa_console"


@pytest.fixture
def cli(database_url: str, console_role: str) -> Cli:
    """The commands on a database of this test, as the console's role, without Redis."""
    parts: dict[str, Any] = conninfo_to_dict(database_url)
    console_url = make_conninfo(**{**parts, "user": console_role, "password": CONSOLE_PASSWORD})
    keys = {name: generate_key() for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS")}
    return Cli({"DATABASE_URL": console_url, "PUBLIC_URL": PUBLIC_URL, **keys}, database_url)
