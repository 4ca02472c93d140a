"""What a reason is, and texts that several have."""

from dataclasses import dataclass

from shared.capi.verdicts import Meaning
from shared.domain.sentences import sentence


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What a code means, and what a person should do about it."""

    words: str
    next_step: str


def reason(words: str, next_step: str) -> Reason:
    """A reason whose texts a page can say in another language."""
    return Reason(words=sentence(words), next_step=sentence(next_step))


def of(meaning: Meaning) -> Reason:
    """The reason in the words of Meta's codes."""
    return reason(meaning.words, meaning.next_step)


NOTHING = "Nothing: this is as it should be."
BY_ITSELF = "Nothing: it is tried again by itself."
FIX_AND_SEND = "Correct the conversion at its source, then send it again by hand."
CANNOT_DECRYPT = reason(
    "It was encrypted with a key this process does not have.",
    "Put the old key back into TOKEN_KEYS or SECRET_KEYS and restart.",
)
COMPARE = "Compare with Events Manager, then settle it by hand as accepted, not taken or to be sent again."
