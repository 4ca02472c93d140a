"""What a call to Meta needs for a dataset: its profile and its token, or the reason why it would be in vain."""

from dataclasses import dataclass, field

from shared.capi.answers import PauseReason
from shared.capi.payload import DatasetProfile, dataset_problem
from shared.crypto import CannotDecrypt, KeyRing
from shared.db.credentials import Credential
from shared.db.datasets import Dataset, profile_of


@dataclass(frozen=True)
class NoAccess:
    """The set-up can't work: the pause it calls for, and the reason code of its detail."""

    pause: PauseReason
    detail: str


@dataclass(frozen=True)
class Access:
    """A dataset's contract and the token to send with."""

    profile: DatasetProfile
    token: str = field(repr=False)


def open_access(ring: KeyRing, dataset: Dataset, credential: Credential | None) -> Access | NoAccess:
    """How to call Meta for this dataset. `ring` is TOKEN_KEYS'."""
    profile = profile_of(dataset)
    problem = dataset_problem(profile)
    if problem is not None:
        return NoAccess(PauseReason.LINK, problem)
    if credential is None:
        return NoAccess(PauseReason.TOKEN, "credential_missing")
    try:
        return Access(profile, ring.open(credential.token).decode())
    except CannotDecrypt:
        return NoAccess(PauseReason.TOKEN, "cannot_decrypt")
