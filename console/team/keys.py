"""API keys: made for one program in one workspace, told once, kept as a hash, revoked for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError
from console.team.tokens import new_token
from console.team.words import N_
from shared.api_keys import PREFIX, hash_key
from shared.db import api_keys, audit
from shared.db.api_keys import ApiKey
from shared.domain.api_scopes import Scope

_SHOWN = len(PREFIX) + 6


@dataclass(frozen=True, kw_only=True, repr=False)
class NewKey:
    """A key that was just made; `secret` is told now or never."""

    id: int
    secret: str


def make_key(
    conn: psycopg.Connection[Any], *, workspace: str, name: str, scopes: Sequence[Scope], is_test: bool, actor: str
) -> NewKey:
    """Makes a key. Raises InvalidError or ConflictError."""
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise InvalidError(N_("Give the key a name of at most 100 characters."))
    if not scopes:
        raise InvalidError(N_("Choose what the key may do."))
    secret = PREFIX + new_token()
    key_id = api_keys.insert_api_key(
        conn,
        workspace=workspace,
        name=name,
        start=secret[:_SHOWN],
        hash_=hash_key(secret),
        scopes=sorted(scopes),
        is_test=is_test,
        created_by=actor,
    )
    if key_id is None:
        raise ConflictError(N_("There is a key of this name already. Choose another name, or revoke that one first."))
    detail = {"name": name, "scopes": sorted(scopes), "test": is_test}
    audit.record(
        conn, actor=actor, action="API key made", subject=f"api_key:{key_id}", detail=detail, workspace=workspace
    )
    return NewKey(id=key_id, secret=secret)


def revoke_key(conn: psycopg.Connection[Any], *, workspace: str, key_id: int, actor: str) -> ApiKey:
    """Makes a key of this workspace good for nothing; which one. Raises NotFoundError."""
    key = api_keys.revoke_api_key(conn, workspace, key_id)
    if key is None:
        raise NotFoundError(N_("There is no such key, or it was revoked already."))
    detail = {"name": key.name}
    audit.record(
        conn, actor=actor, action="API key revoked", subject=f"api_key:{key_id}", detail=detail, workspace=workspace
    )
    return key
