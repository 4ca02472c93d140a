"""What an erased person is looked for by in raw bodies; sealed, it stands beside the request until that is done."""

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Wanted:
    """Names in clear as (kind, value), other texts, and hashes of names as (kind, hex)."""

    names: Sequence[tuple[str, str]] = ()
    texts: Sequence[str] = ()
    hashes: Sequence[tuple[str, str]] = ()

    def as_json(self) -> bytes:
        """To be sealed and kept; `from_json` reads it."""
        return json.dumps({"names": list(self.names), "texts": list(self.texts), "hashes": list(self.hashes)}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Wanted":
        values = json.loads(text)
        return cls(
            names=[(kind, value) for kind, value in values["names"]],
            texts=values["texts"],
            hashes=[(kind, digest) for kind, digest in values["hashes"]],
        )
