"""Who wrote: finds or makes the contact of each message by the names the provider gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from shared.crypto import HashRing, KeyRing
from shared.db.contacts import (
    IdentityKey,
    NewIdentity,
    delete_nameless_contacts,
    find_contacts,
    insert_contacts,
    insert_identities,
)
from shared.domain.messages import Message

#: The names of a person, strongest first: the first one that is known decides whose message it is.
KINDS = ("bsuid", "phone", "lid", "provider_id", "parent_bsuid")


@dataclass(frozen=True, kw_only=True)
class Sender:
    """The writer of one message, as far as their names tell."""

    workspace: str
    is_test: bool
    message: Message


class Identities:
    """Resolves senders to contacts, with the two key rings that identities are kept under."""

    def __init__(self, secret_ring: KeyRing, hash_ring: HashRing) -> None:
        self._secret_ring = secret_ring
        self._hash_ring = hash_ring

    def resolve(self, conn: psycopg.Connection[Any], senders: Sequence[Sender]) -> list[int]:
        """The contact of each sender, in order; unknown people become contacts, new names join known people."""
        names = [self._names(sender) for sender in senders]
        owner = find_contacts(conn, [key for choices in names for _, _, keys in choices for key in keys])
        made = self._make_contacts(conn, senders, names, owner)
        wanted: dict[IdentityKey, tuple[int, NewIdentity]] = {}
        for sender, choices in zip(senders, names, strict=True):
            contact = _owner_of(choices, owner) or made[_first_key(choices)]
            for kind, value, keys in choices:
                if not any(key in owner for key in keys):
                    identity = self._seal(sender.workspace, kind, value)
                    wanted.setdefault(identity.key, (contact, identity))
        owner |= insert_identities(conn, list(wanted.values()))
        delete_nameless_contacts(conn, list(made.values()))
        contacts = [_owner_of(choices, owner) for choices in names]
        if None in contacts:
            raise LookupError("a sender has no name that belongs to a contact")
        return [contact for contact in contacts if contact is not None]

    def _make_contacts(
        self,
        conn: psycopg.Connection[Any],
        senders: Sequence[Sender],
        names: Sequence[list[tuple[str, str, list[IdentityKey]]]],
        owner: dict[IdentityKey, int],
    ) -> dict[IdentityKey, int]:
        strangers = {
            _first_key(choices): (sender.workspace, sender.is_test)
            for sender, choices in zip(senders, names, strict=True)
            if _owner_of(choices, owner) is None
        }
        return dict(zip(strangers, insert_contacts(conn, list(strangers.values())), strict=True))

    def _names(self, sender: Sender) -> list[tuple[str, str, list[IdentityKey]]]:
        """Kind, value and the keys under every live hash key, for each name the message carries."""
        found = []
        for kind in KINDS:
            value = getattr(sender.message, kind)
            if value:
                keys = [
                    (sender.workspace, kind, candidate.digest) for candidate in self._hash_ring.candidates(kind, value)
                ]
                found.append((kind, value, keys))
        if not found:
            raise LookupError("a message without any name of its sender reached intake")
        return found

    def _seal(self, workspace: str, kind: str, value: str) -> NewIdentity:
        hashed = self._hash_ring.hash(kind, value)
        return NewIdentity(
            workspace=workspace,
            kind=kind,
            hash_key=hashed.key_id,
            hash=hashed.digest,
            ciphertext=self._secret_ring.seal(value.encode("utf-8", "surrogatepass")),
        )


def _owner_of(choices: list[tuple[str, str, list[IdentityKey]]], owner: dict[IdentityKey, int]) -> int | None:
    return next((owner[key] for _, _, keys in choices for key in keys if key in owner), None)


def _first_key(choices: list[tuple[str, str, list[IdentityKey]]]) -> IdentityKey:
    return choices[0][2][0]
