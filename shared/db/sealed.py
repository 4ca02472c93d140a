"""What is sealed, table by table, for sealing it anew under the newest key: batches in order of a key column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql


@dataclass(frozen=True)
class SealedColumn:
    """A sealed column, the ring it stands under, and the columns that order and name its rows."""

    table: str
    column: str
    ring: str
    key: tuple[str, ...] = ("id",)


#: `erasures.names` is not among them: it lives for minutes, and a rotation waits until no erasure is under way.
COLUMNS = (
    SealedColumn("credentials", "token", "TOKEN_KEYS"),
    SealedColumn("channels", "secrets", "SECRET_KEYS"),
    SealedColumn("endpoints", "secrets", "SECRET_KEYS"),
    SealedColumn("alert_routes", "target", "SECRET_KEYS"),
    SealedColumn("users", "totp_secret", "SECRET_KEYS"),
    SealedColumn("contact_identities", "ciphertext", "SECRET_KEYS"),
    SealedColumn("messages", "text", "SECRET_KEYS"),
    SealedColumn("webhooks", "body", "SECRET_KEYS", ("received_at", "id")),
)

Row = tuple[tuple[Any, ...], bytes]


def count_sealed(conn: psycopg.Connection[Any], which: SealedColumn) -> int:
    """How many rows have something sealed there."""
    row = conn.execute(f"select count(*) from {which.table} where length({which.column}) > 0".encode()).fetchone()
    return int(row[0]) if row else 0


def sealed_after(
    conn: psycopg.Connection[Any], which: SealedColumn, after: tuple[Any, ...] | None, *, limit: int
) -> list[Row]:
    """The next rows as (key, sealed), in order of their key; rows that somebody works on are waited for."""
    keys = ", ".join(which.key)
    marks = ", ".join(["%s"] * len(which.key))
    beyond = f"and ({keys}) > ({marks})" if after else ""
    rows = conn.execute(
        sql.SQL(
            f"select {keys}, {which.column} from {which.table} where length({which.column}) > 0 {beyond}"
            f" order by {keys} limit %s for no key update"
        ),
        [*(after or ()), limit],
    ).fetchall()
    return [(row[:-1], row[-1]) for row in rows]


def reseal(conn: psycopg.Connection[Any], which: SealedColumn, rows: Sequence[Row]) -> None:
    """Writes what was sealed anew."""
    where = " and ".join(f"{column} = %s" for column in which.key)
    with conn.cursor() as cursor:
        cursor.executemany(
            sql.SQL(f"update {which.table} set {which.column} = %s where {where}"),
            [(sealed, *key) for key, sealed in rows],
        )


def hashes_under_other_keys(
    conn: psycopg.Connection[Any], newest: str, after: int, *, limit: int
) -> list[tuple[int, str, bytes]]:
    """The next identities whose hash another key than the newest made and whose name can be opened, as
    (id, kind, ciphertext)."""
    return conn.execute(
        "select id, kind, ciphertext from contact_identities"
        " where hash_key <> %s and ciphertext is not null and id > %s order by id limit %s for update",
        [newest, after, limit],
    ).fetchall()


def rehash(conn: psycopg.Connection[Any], hashes: Sequence[tuple[int, str, bytes]]) -> int:
    """Writes hashes as (id, id of the key, hash); how many. One whose name stands under the new key already is
    superfluous and goes."""
    ids = [row[0] for row in hashes]
    keys, digests = [row[1] for row in hashes], [row[2] for row in hashes]
    conn.execute(
        """
        delete from contact_identities i using unnest(%b::bigint[], %b::bytea[]) as n (id, hash)
        where i.id = n.id and exists (select from contact_identities o where o.workspace = i.workspace
            and o.kind = i.kind and o.hash = n.hash and o.id <> i.id)
        """,
        [ids, digests],
    )
    return conn.execute(
        """
        update contact_identities i set hash_key = n.hash_key, hash = n.hash
        from unnest(%b::bigint[], %b::text[], %b::bytea[]) as n (id, hash_key, hash) where i.id = n.id
        """,
        [ids, keys, digests],
    ).rowcount


def identities_by_key(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """How many identities each hash key has: without the key they can't be found."""
    return dict(conn.execute("select hash_key, count(*) from contact_identities group by hash_key").fetchall())


def drop_ciphertexts(conn: psycopg.Connection[Any], workspace: str, *, limit: int) -> int:
    """Takes the ciphertexts out of a workspace's identities; how many. The hashes stay."""
    return conn.execute(
        "update contact_identities set ciphertext = null where id in (select id from contact_identities"
        " where workspace = %s and ciphertext is not null limit %s)",
        [workspace, limit],
    ).rowcount
