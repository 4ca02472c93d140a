"""Meta access tokens: adding one, replacing one."""

from dataclasses import dataclass
from typing import Any

import psycopg

from console.errors import ConflictError, NotFoundError
from console.setup.schemas import TokenSchema, load
from shared.crypto import KeyRing
from shared.db import audit
from shared.db.credentials import Credential, credential_by_name, save_credential
from shared.db.datasets import datasets_of_credential, resume_dataset
from shared.domain.sentences import sentence


@dataclass(frozen=True)
class Replaced:
    """What a new token changed: the datasets that may send again, by name."""

    resumed: tuple[str, ...]


def add_credential(conn: psycopg.Connection[Any], ring: KeyRing, *, name: str, token: str, actor: str) -> int:
    """Keeps a new token, sealed under TOKEN_KEYS; its id. Raises InvalidError and ConflictError."""
    values = load(TokenSchema, {"name": name, "token": token}, what=sentence("This credential"))
    if credential_by_name(conn, values["name"]) is not None:
        raise ConflictError(
            sentence("There is a credential {name!r} already. `ctwa credentials rotate` replaces its token.", name=name)
        )
    credential_id = save_credential(conn, values["name"], ring.seal(values["token"].encode("ascii")))
    audit.record(conn, actor=actor, action="credential.add", subject=f"credential:{values['name']}")
    return credential_id


def replace_token(conn: psycopg.Connection[Any], ring: KeyRing, *, name: str, token: str, actor: str) -> Replaced:
    """Puts another token in the place of a credential's, and resumes the datasets that waited for it.

    Raises NotFoundError and InvalidError.
    """
    credential = credential_named(conn, name)
    values = load(TokenSchema, {"name": name, "token": token}, what=sentence("This token"))
    save_credential(conn, credential.name, ring.seal(values["token"].encode("ascii")))
    resumed = tuple(
        dataset.name
        for dataset in datasets_of_credential(conn, credential.id)
        if dataset.pause_reason in ("token", "permission") and resume_dataset(conn, dataset.id)
    )
    audit.record(
        conn,
        actor=actor,
        action="credential.rotate",
        subject=f"credential:{credential.name}",
        detail={"resumed": list(resumed)},
    )
    return Replaced(resumed)


def credential_named(conn: psycopg.Connection[Any], name: str) -> Credential:
    """The credential of that name. Raises NotFoundError."""
    credential = credential_by_name(conn, name)
    if credential is None:
        raise NotFoundError(
            sentence("There is no credential {name!r}. `ctwa credentials list` names those there are.", name=name)
        )
    return credential
