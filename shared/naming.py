"""The names of people as they are compared and hashed: one form of each, and its keys under every live hash key."""

from shared.crypto import HashRing, KeyedHash
from shared.db.contacts import IdentityKey
from shared.domain.phones import canonical_phone


def compared_form(kind: str, value: str) -> str:
    """The form of a name that is hashed, in which two spellings of one phone or e-mail address are equal."""
    if kind == "phone":
        return canonical_phone(value)
    return value.strip().casefold() if kind == "email" else value


def name_hashes(ring: HashRing, kind: str, value: str) -> list[KeyedHash]:
    """The hash of a name under every live key, newest first."""
    return ring.candidates(kind, compared_form(kind, value))


def identity_keys(ring: HashRing, workspace: str, kind: str, value: str) -> list[IdentityKey]:
    """The keys under which a name may stand in `contact_identities`, newest first."""
    return [(workspace, kind, one.digest) for one in name_hashes(ring, kind, value)]
