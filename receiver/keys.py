"""The API keys this process knows: their hashes, never a key itself."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from receiver.known import Known
from shared.api_keys import hash_key
from shared.db.api_keys import DoorKey


class Keys(Known[DoorKey]):
    """The known keys by the SHA-256 of each. Revoked ones are not among them."""

    what = "keys"
    copy_name = "keys.sealed"
    _by_hash: Mapping[bytes, DoorKey] = {}

    def get(self, key: str) -> DoorKey | None:
        """What is known of this key. No I/O.

        A look-up by hash tells a guesser nothing of the key; the comparison that decides takes the same time always.
        """
        digest = hash_key(key)
        found = self._by_hash.get(digest)
        return found if found is not None and hmac.compare_digest(found.hash, digest) else None

    def use(self, rows: Sequence[DoorKey], before: Sequence[DoorKey]) -> int:
        """Takes them over as they are."""
        self._by_hash = {row.hash: row for row in rows}
        return len(rows)

    def as_json(self, row: DoorKey) -> dict[str, object]:
        """A key's row as it stands in the copy."""
        return asdict(row) | {"hash": row.hash.hex()}

    def from_json(self, row: dict[str, Any]) -> DoorKey:
        """A key's row from the copy."""
        return DoorKey(**{**row, "hash": bytes.fromhex(row["hash"]), "scopes": tuple(row["scopes"])})
