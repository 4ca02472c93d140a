"""The keys, passwords and demo tokens of one local stack: made once, kept in its state folder, its owner's to read."""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.crypto import generate_key

FILE_NAME = "secrets.json"


def _password() -> str:
    return secrets.token_urlsafe(24)


def _meta_token() -> str:
    # In the form of Meta's own, so that whatever looks out for tokens knows it.
    return f"EAASANDBOX{secrets.token_hex(24)}"


#: Name -> how it is made. The names are those of settings, where there is one.
_MAKERS: dict[str, Callable[[], str]] = {
    "TOKEN_KEYS": generate_key,
    "SECRET_KEYS": generate_key,
    "HASH_KEYS": generate_key,
    "RECEIVER_DB_PASSWORD": _password,
    "WORKER_DB_PASSWORD": _password,
    "CONSOLE_DB_PASSWORD": _password,
    "FLOWER_PASSWORD": _password,
    "META_TOKEN_ONE": _meta_token,
    "META_TOKEN_TWO": _meta_token,
    "META_TOKEN_GUIDE": _meta_token,
}


def kept_secrets(state_dir: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Every secret by name: the environment's where it has one, else the one kept, made now if it is missing.

    What the environment gives is not written down.
    """
    path = state_dir / FILE_NAME
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {name: make() for name, make in _MAKERS.items() if name not in kept}
    if missing:
        kept |= missing
        _write(path, kept)
    return {name: environ.get(name, "").strip() or kept[name] for name in _MAKERS}


def _write(path: Path, values: Mapping[str, str]) -> None:
    """In one step: half a file would be lost keys."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(values, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
