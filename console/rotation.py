"""Sealing anew under the newest keys, so that old ones can go. Each batch is a transaction that can be repeated: a run
that is killed begins anew, and passes what is done already."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from console.errors import ConflictError
from shared.crypto import CannotDecrypt, HashRing, KeyRing
from shared.db import audit
from shared.db.erasures import erasure_backlog
from shared.db.sealed import (
    COLUMNS,
    Row,
    SealedColumn,
    count_sealed,
    hashes_under_other_keys,
    identities_by_key,
    rehash,
    reseal,
    sealed_after,
)
from shared.db.tombstones import tombstones_by_key
from shared.naming import name_hashes

BATCH = 500

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]
#: Told what is worked on, how many rows were looked at, and how many there are.
Progress = Callable[[str, int, int], None]


@dataclass
class Rotated:
    """How many rows were sealed anew and couldn't be opened, by table, and what keeps old hash keys needed."""

    resealed: dict[str, int] = field(default_factory=dict)
    unopened: dict[str, int] = field(default_factory=dict)
    rehashed: int = 0
    #: Old hash key -> identities that are kept as hashes only, and tombstones, which only it finds.
    still_needed: dict[str, dict[str, int]] = field(default_factory=dict)


def rotate(
    connect: Connect, rings: Mapping[str, KeyRing], hashes: HashRing, *, actor: str, progress: Progress
) -> Rotated:
    """Seals every row under the newest key of its ring, and hashes names under the newest hash key.

    Raises ConflictError while somebody is being erased.
    """
    with connect() as conn:
        if erasure_backlog(conn).waiting:
            raise ConflictError("An erasure is under way, with names sealed beside it. Wait until it is done.")
    result = Rotated()
    for which in COLUMNS:
        _rotate_column(connect, which, rings[which.ring], result, progress)
    _rehash(connect, rings["SECRET_KEYS"], hashes, result, progress)
    with connect() as conn:
        for what, counts in (("identities", identities_by_key(conn)), ("tombstones", tombstones_by_key(conn))):
            for key, count in counts.items():
                if key != hashes.newest:
                    result.still_needed.setdefault(key, {})[what] = count
        audit.record(
            conn, actor=actor, action="keys.rotate", subject="keys",
            detail={"resealed": result.resealed, "unopened": result.unopened, "rehashed": result.rehashed},
        )  # fmt: skip
    return result


def _rotate_column(connect: Connect, which: SealedColumn, ring: KeyRing, result: Rotated, progress: Progress) -> None:
    with connect() as conn:
        total = count_sealed(conn, which)
    seen = 0
    after: tuple[Any, ...] | None = None
    while True:
        with connect() as conn:
            rows = sealed_after(conn, which, after, limit=BATCH)
            anew, unopened = _anew(ring, rows)
            reseal(conn, which, anew)
        result.resealed[which.table] = result.resealed.get(which.table, 0) + len(anew)
        if unopened:
            result.unopened[which.table] = result.unopened.get(which.table, 0) + unopened
        seen += len(rows)
        progress(f"{which.table}.{which.column}", seen, max(total, seen))
        if len(rows) < BATCH:
            return
        after = rows[-1][0]


def _anew(ring: KeyRing, rows: list[Row]) -> tuple[list[Row], int]:
    """The rows that another key than the newest seals, sealed under that; and how many no key opens."""
    anew: list[Row] = []
    unopened = 0
    for key, sealed in rows:
        try:
            if not ring.is_newest(sealed):
                anew.append((key, ring.rotate(sealed)))
        except CannotDecrypt:
            unopened += 1
    return anew, unopened


def _rehash(connect: Connect, ring: KeyRing, hashes: HashRing, result: Rotated, progress: Progress) -> None:
    after = seen = 0
    while True:
        with connect() as conn:
            rows = hashes_under_other_keys(conn, hashes.newest, after, limit=BATCH)
            anew = []
            for identity_id, kind, ciphertext in rows:
                try:
                    name = ring.open(ciphertext).decode("utf-8", "surrogatepass")
                except CannotDecrypt:
                    continue
                hashed = name_hashes(hashes, kind, name)[0]
                anew.append((identity_id, hashed.key_id, hashed.digest))
            result.rehashed += rehash(conn, anew)
        seen += len(rows)
        progress("contact_identities.hash", seen, seen)
        if len(rows) < BATCH:
            return
        after = rows[-1][0]
