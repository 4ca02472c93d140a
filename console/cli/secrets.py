"""Reading secrets: from a prompt without echo, a file, the environment or standard input; never an argument."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from console.errors import InvalidError


def read_secret(what: str, path: str | None) -> str:
    """The secret in the file `path` ("-" is standard input), or typed at a prompt. Raises InvalidError."""
    if path is None and sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True)).strip()
    text = sys.stdin.read() if path in (None, "-") else _read_file(str(path), what)
    if not text.strip():
        raise InvalidError(f"{what} is empty.")
    return text.strip()


def read_fields(files: Sequence[str], variables: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Secrets by field from `FIELD=PATH` and `FIELD=VARIABLE` pairs. Raises InvalidError."""
    given = {}
    for field, path in map(_pair, files):
        given[field] = read_secret(f"The secret {field}", path)
    for field, variable in map(_pair, variables):
        value = environ.get(variable, "").strip()
        if not value:
            raise InvalidError(f"The variable {variable} for {field} is not set.")
        given[field] = value
    return given


def _pair(text: str) -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not (field and equals and value):
        raise InvalidError("Secrets are given as FIELD=FILE or FIELD=VARIABLE; a value never goes here.")
    return field, value


def _read_file(path: str, what: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{what} can't be read from its file ({type(error).__name__}).") from error
