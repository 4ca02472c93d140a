"""Who wrote: finds or makes the contact of each message by the names the provider gave.

A message that carries two names proves that they are one person's: their contacts are merged. But two BSUIDs are two
people: a number that comes with a new BSUID has changed hands, and moves.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from shared.crypto import HashRing, KeyRing
from shared.db import audit
from shared.db.contacts import (
    IdentityKey,
    NewContact,
    NewIdentity,
    contacts_with_bsuid,
    delete_nameless_contacts,
    find_contacts,
    insert_contacts,
    insert_identities,
    merge_contacts,
    move_identity,
    set_countries,
)
from shared.db.tombstones import erased_names
from shared.db.workspaces import hash_only_workspaces
from shared.domain.messages import Message
from shared.domain.regions import country_of
from shared.domain.signals import LabelChange, OutgoingMessage
from shared.domain.submissions import Person
from shared.logs import get_logger
from shared.naming import compared_form

log = get_logger(__name__)

#: The names of a person, strongest first: the first one that is known decides whose message it is.
KINDS = ("bsuid", "phone", "lid", "provider_id", "email", "parent_bsuid")


@dataclass(frozen=True, kw_only=True)
class Sender:
    """The writer of one message, or the person that a business reports something of or wrote to, as far as their names
    tell.

    A message proves that its names are one person's; a report does not, and merges nobody. `contact_id` is the contact
    that something else than a name has shown: then the names are new names of it.
    """

    workspace: str
    is_test: bool
    message: Message | Person | OutgoingMessage | LabelChange
    contact_id: int | None = None

    @property
    def is_proof(self) -> bool:
        """Whether the names are surely one person's."""
        return isinstance(self.message, Message)


@dataclass(frozen=True)
class _Name:
    """One name of a sender, with the keys it has under every live hash key. `compared` is the form that is hashed."""

    kind: str
    value: str = field(repr=False)
    compared: str = field(repr=False)
    keys: list[IdentityKey] = field(repr=False)

    def owner(self, owners: dict[IdentityKey, int]) -> int | None:
        return next((owners[key] for key in self.keys if key in owners), None)


class Identities:
    """Resolves senders to contacts, with the two key rings that identities are kept under."""

    def __init__(self, secret_ring: KeyRing, hash_ring: HashRing) -> None:
        self._secret_ring = secret_ring
        self._hash_ring = hash_ring

    @property
    def hash_ring(self) -> HashRing:
        """The ring that names are hashed under."""
        return self._hash_ring

    def erased(self, conn: psycopg.Connection[Any], senders: Sequence[tuple[Sender, datetime]]) -> list[bool]:
        """Whether each sender, with the time of what they wrote, was erased after that: then it is never read in.

        What somebody writes after they were erased makes a new contact.
        """
        keys = [[key for name in self._names(sender) for key in name.keys] for sender, _ in senders]
        erased_at = erased_names(conn, [key for some in keys for key in some])
        return [
            any(key in erased_at and at <= erased_at[key] for key in some)
            for some, (_, at) in zip(keys, senders, strict=True)
        ]

    def resolve(
        self, conn: psycopg.Connection[Any], senders: Sequence[Sender], *, merged: set[int] | None = None
    ) -> list[int]:
        """The contact of each sender, in order; unknown people become contacts, new names join known people.

        Contacts that others were merged into are added to `merged`.
        """
        merged = set() if merged is None else merged
        names = [self._names(sender) for sender in senders]
        keys = [key for some in names for name in some for key in name.keys]
        owners = find_contacts(conn, keys)
        certain = _certain(conn, names, owners)
        known = [
            sender.contact_id or _known_contact(some, owners, certain)
            for sender, some in zip(senders, names, strict=True)
        ]
        made = self._make_contacts(conn, senders, names, known)
        # Asked each time: what a workspace says counts from its next message on.
        hash_only = hash_only_workspaces(conn)
        wanted: dict[IdentityKey, tuple[int, NewIdentity]] = {}
        for sender, some, contact in zip(senders, names, known, strict=True):
            for name in some:
                if name.owner(owners) is None:
                    identity = self._stored_form(sender.workspace, name, hash_only)
                    wanted.setdefault(identity.key, (contact or made[some[0].keys[0]], identity))
        owners |= insert_identities(conn, list(wanted.values()))
        changes = sum(
            _unite(conn, some, owners, merged) for sender, some in zip(senders, names, strict=True) if sender.is_proof
        )
        delete_nameless_contacts(conn, list(made.values()))
        numbers = [identity for _, identity in wanted.values() if identity.kind == "phone"]
        if changes:
            # Merges and moves have changed who is whose, so the last word is the table's.
            owners = find_contacts(conn, keys)
        contacts = [
            sender.contact_id or _first_owner(some, owners) for sender, some in zip(senders, names, strict=True)
        ]
        if numbers or changes:
            # Whoever was made just now has theirs, unless they were somebody else's in the end.
            have = set() if changes else set(made.values())
            set_countries(conn, _countries(senders, contacts, have))
        return contacts

    def known(self, conn: psycopg.Connection[Any], senders: Sequence[Sender]) -> list[int | None]:
        """The contact that each sender's strongest known name belongs to; nothing is written."""
        names = [self._names(sender) for sender in senders]
        owners = find_contacts(conn, [key for some in names for name in some for key in name.keys])
        certain = _certain(conn, names, owners)
        return [_known_contact(some, owners, certain) for some in names]

    def _make_contacts(
        self,
        conn: psycopg.Connection[Any],
        senders: Sequence[Sender],
        names: Sequence[list[_Name]],
        known: Sequence[int | None],
    ) -> dict[IdentityKey, int]:
        strangers: dict[IdentityKey, NewContact] = {}
        for sender, some, contact in zip(senders, names, known, strict=True):
            key = some[0].keys[0]
            if contact is None and (key not in strangers or strangers[key].country is None):
                country = country_of(sender.message.phone)
                strangers[key] = NewContact(sender.workspace, sender.is_test, country)
        return dict(zip(strangers, insert_contacts(conn, list(strangers.values())), strict=True))

    def _names(self, sender: Sender) -> list[_Name]:
        found = []
        for kind in KINDS:
            value = getattr(sender.message, kind, None)
            if value:
                compared = compared_form(kind, value)
                candidates = self._hash_ring.candidates(kind, compared)
                found.append(_Name(kind, value, compared, [(sender.workspace, kind, one.digest) for one in candidates]))
        if not found:
            raise LookupError("a message without any name of its sender reached intake")
        return found

    def _stored_form(self, workspace: str, name: _Name, hash_only: Collection[str]) -> NewIdentity:
        hashed = self._hash_ring.hash(name.kind, name.compared)
        return NewIdentity(
            workspace=workspace,
            kind=name.kind,
            hash_key=hashed.key_id,
            hash=hashed.digest,
            ciphertext=None
            if workspace in hash_only
            else self._secret_ring.seal(name.value.encode("utf-8", "surrogatepass")),
        )


def _countries(senders: Sequence[Sender], contacts: Sequence[int], have: Collection[int]) -> dict[int, str]:
    """Where these people are, as far as a number among their names tells; not of those that `have` a country."""
    told = {
        contact: country_of(one.message.phone)
        for one, contact in zip(senders, contacts, strict=True)
        if contact not in have
    }
    return {contact: country for contact, country in told.items() if country is not None}


def _certain(conn: psycopg.Connection[Any], names: Sequence[list[_Name]], owners: dict[IdentityKey, int]) -> set[int]:
    """The owners that have a BSUID. Only another BSUID can say that their number is now somebody else's, and most
    providers have none."""
    has_bsuids = any(some[0].kind == "bsuid" for some in names)
    return contacts_with_bsuid(conn, owners.values()) if owners and has_bsuids else set()


def _known_contact(names: Sequence[_Name], owners: dict[IdentityKey, int], certain: set[int]) -> int | None:
    """The contact that the strongest known name belongs to; None for a new person.

    A new BSUID with the number of somebody who has another BSUID is a new person.
    """
    for name in names:
        owner = name.owner(owners)
        if owner is not None:
            return None if names[0].kind == "bsuid" and name.kind != "bsuid" and owner in certain else owner
    return None


def _unite(
    conn: psycopg.Connection[Any], names: Sequence[_Name], owners: dict[IdentityKey, int], merged: set[int]
) -> int:
    """Makes the names of one message those of one contact: by a merge, or by moving a number that changed hands.

    Returns how many merges and moves that took; `owners` follows them, and `merged` takes the contacts that stay.
    """
    contact = _first_owner(names, owners)
    changes = 0
    for name in names[1:]:
        other = name.owner(owners)
        if other is None or other == contact:
            continue
        both_certain = {contact, other} <= contacts_with_bsuid(conn, (contact, other))
        if both_certain and names[0].kind != "bsuid":
            # Two people, and a message that doesn't say which of them wrote: nothing is proven.
            continue
        changes += 1
        if both_certain:
            for key in name.keys:
                move_identity(conn, key, contact)
            owners.update(dict.fromkeys(name.keys, contact))
            _write_down(conn, "identity.move", of=other, to=contact, proven_by=(names[0].kind, name.kind))
        else:
            stays, goes = merge_contacts(conn, contact, other)
            owners.update({key: stays for key, owner in owners.items() if owner == goes})
            contact = stays
            merged.add(stays)
            _write_down(conn, "contact.merge", of=goes, to=stays, proven_by=(names[0].kind, name.kind))
    return changes


def _write_down(conn: psycopg.Connection[Any], action: str, *, of: int, to: int, proven_by: tuple[str, str]) -> None:
    detail = {"to": to, "proven_by": list(proven_by)}
    audit.record(conn, actor="intake", action=action, subject=f"contact:{of}", detail=detail)
    log.info("contact changed", action=action, contact_id=of, to=to, proven_by=list(proven_by))


def _first_owner(names: Sequence[_Name], owners: dict[IdentityKey, int]) -> int:
    for name in names:
        owner = name.owner(owners)
        if owner is not None:
            return owner
    raise LookupError("a sender has no name that belongs to a contact")
