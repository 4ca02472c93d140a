"""Runs commands as a person would, in one process with the test."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from click.testing import CliRunner, Result
from psycopg.rows import dict_row

from console.cli.context import Session
from console.cli.main import ctwa
from shared.crypto import KeyRing

PUBLIC_URL = "https://hooks.example.com"
CONSOLE_PASSWORD = "console-password"


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
