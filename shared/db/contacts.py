"""The `contacts` and `contact_identities` tables: people, and the names each of them is known by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

#: What tells two identities apart: workspace, kind and keyed hash.
IdentityKey = tuple[str, str, bytes]


@dataclass(frozen=True, kw_only=True, repr=False)
class NewIdentity:
    """One name of a person, ready for the table: the plain value is in none of these."""

    workspace: str
    kind: str
    hash_key: str
    hash: bytes
    #: None where the workspace keeps hashes only.
    ciphertext: bytes | None

    @property
    def key(self) -> IdentityKey:
        return (self.workspace, self.kind, self.hash)


def find_contacts(conn: psycopg.Connection[Any], keys: Iterable[IdentityKey]) -> dict[IdentityKey, int]:
    """The contact each of these identities belongs to, merges followed; unknown ones are left out."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = conn.execute(
        """
        select i.workspace, i.kind, i.hash, coalesce(c.merged_into, c.id)
        from unnest(%b::text[], %b::text[], %b::bytea[]) as k (workspace, kind, hash)
        join contact_identities i using (workspace, kind, hash)
        join contacts c on c.id = i.contact_id
        """,
        [[key[0] for key in wanted], [key[1] for key in wanted], [key[2] for key in wanted]],
    ).fetchall()
    return {(workspace, kind, digest): contact_id for workspace, kind, digest, contact_id in rows}


def workspace_of(conn: psycopg.Connection[Any], contact_id: int) -> tuple[str, bool]:
    """The workspace of a contact, and whether it is a test. Raises LookupError."""
    row = conn.execute("select workspace, is_test from contacts where id = %s", [contact_id]).fetchone()
    if row is None:
        raise LookupError("a contact that is not there")
    return str(row[0]), bool(row[1])


@dataclass(frozen=True)
class NewContact:
    """A person at the first sight of them. `country` is where they are, as far as a number of theirs tells."""

    workspace: str
    is_test: bool
    country: str | None = None


def insert_contacts(conn: psycopg.Connection[Any], people: Sequence[NewContact]) -> list[int]:
    """Adds a contact for each; their ids, in order."""
    if not people:
        return []
    rows = conn.execute(
        """
        insert into contacts (workspace, is_test, country)
        select workspace, is_test, country
        from unnest(%s::text[], %s::boolean[], %s::text[]) with ordinality as o (workspace, is_test, country, n)
        order by n returning id
        """,
        [
            [person.workspace for person in people],
            [person.is_test for person in people],
            [person.country for person in people],
        ],
    ).fetchall()
    return [contact_id for (contact_id,) in rows]


def insert_identities(
    conn: psycopg.Connection[Any], identities: Sequence[tuple[int, NewIdentity]]
) -> dict[IdentityKey, int]:
    """Gives contacts their names; for each name, the contact that has it now (another worker may have been first)."""
    if not identities:
        return {}
    # Sorted, so that two workers with the same people wait for each other instead of deadlocking.
    ordered = sorted(identities, key=lambda pair: pair[1].key)
    conn.execute(
        """
        insert into contact_identities (contact_id, workspace, kind, hash_key, hash, ciphertext)
        select * from unnest(%b::bigint[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::bytea[])
        on conflict (workspace, kind, hash) do nothing
        """,
        [
            [contact_id for contact_id, _ in ordered],
            [identity.workspace for _, identity in ordered],
            [identity.kind for _, identity in ordered],
            [identity.hash_key for _, identity in ordered],
            [identity.hash for _, identity in ordered],
            [identity.ciphertext for _, identity in ordered],
        ],
    )
    return find_contacts(conn, [identity.key for _, identity in ordered])


def set_countries(conn: psycopg.Connection[Any], countries: Mapping[int, str]) -> None:
    """Writes down where contacts are, as their number tells; a country that is known already stays."""
    if countries:
        conn.execute(
            "update contacts c set country = k.country from unnest(%s::bigint[], %s::text[]) as k (id, country)"
            " where c.id = k.id and c.country is null",
            [list(countries), list(countries.values())],
        )


def sealed_identities(
    conn: psycopg.Connection[Any], delivery_ids: Sequence[int], kinds: Sequence[str]
) -> dict[tuple[int, str], bytes]:
    """The newest name of each of these kinds of the people that deliveries are about, sealed: (delivery, kind) -> it.

    Names are those of the contact and of all that were merged into it or stand with it.
    """
    if not delivery_ids or not kinds:
        return {}
    rows = conn.execute(
        """
        select distinct on (d.id, i.kind) d.id, i.kind, i.ciphertext
        from deliveries d join conversions c on c.id = d.conversion_id join contacts p on p.id = c.contact_id
        join contacts o on o.id = coalesce(p.merged_into, p.id) or o.merged_into = coalesce(p.merged_into, p.id)
        join contact_identities i on i.contact_id = o.id and i.kind = any(%s) and i.ciphertext is not null
        where d.id = any(%s) order by d.id, i.kind, i.id desc
        """,
        [list(kinds), list(delivery_ids)],
    ).fetchall()
    return {(delivery_id, kind): ciphertext for delivery_id, kind, ciphertext in rows}


def delete_nameless_contacts(conn: psycopg.Connection[Any], contact_ids: Sequence[int]) -> None:
    """Removes contacts made a moment ago in this transaction whose names turned out to be somebody else's."""
    if contact_ids:
        conn.execute(
            "delete from contacts c where id = any(%s)"
            " and not exists (select from contact_identities i where i.contact_id = c.id)",
            [list(contact_ids)],
        )


def contacts_with_bsuid(conn: psycopg.Connection[Any], contact_ids: Iterable[int]) -> set[int]:
    """Which of these contacts, or of those merged into them, have a BSUID: the surest name there is of a person."""
    rows = conn.execute(
        """
        select distinct coalesce(c.merged_into, c.id)
        from contacts c join contact_identities i on i.contact_id = c.id and i.kind = 'bsuid'
        where c.id = any(%(ids)s) or c.merged_into = any(%(ids)s)
        """,
        {"ids": sorted(set(contact_ids))},
    ).fetchall()
    return {contact_id for (contact_id,) in rows}


def move_identity(conn: psycopg.Connection[Any], key: IdentityKey, contact_id: int) -> None:
    """Gives one name to another contact: a number that now belongs to somebody else."""
    conn.execute(
        "update contact_identities set contact_id = %s where workspace = %s and kind = %s and hash = %s",
        [contact_id, *key],
    )


def merge_contacts(conn: psycopg.Connection[Any], one: int, other: int) -> tuple[int, int]:
    """Makes two contacts one; (the one that stays, the one that is merged into it). The older one stays.

    No row moves, so that clearing `merged_into` undoes it.
    """
    stays, goes = sorted((one, other))
    merge_into(conn, stays, goes)
    return stays, goes


def merge_into(conn: psycopg.Connection[Any], stays: int, goes: int) -> None:
    """Makes `goes`, and what was merged into it, part of `stays`."""
    conn.execute("update contacts set merged_into = %s where id = %s or merged_into = %s", [stays, goes, goes])


def family_of(conn: psycopg.Connection[Any], contact_id: int) -> tuple[int, ...]:
    """As `families_of`, of one contact."""
    return families_of(conn, [contact_id])[contact_id]


def families_of(conn: psycopg.Connection[Any], contact_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """For each of these, the contact that it is by now, first, and all that were merged into that. Raises LookupError.

    Whoever stores something that depends on what is known of a person waits for the others: the contacts are locked, in
    the order of their ids, so that two workers wait for each other instead of deadlocking.
    """
    wanted = sorted(set(contact_ids))
    rows = conn.execute(
        """
        select k.given, c.id from (
            select id as given, coalesce(merged_into, id) as root from contacts where id = any(%s)
        ) k join contacts c on c.id = k.root order by c.id for no key update of c
        """,
        [wanted],
    ).fetchall()
    roots = {int(given): int(root) for given, root in rows}
    if len(roots) < len(wanted):
        raise LookupError("a contact that is not there")
    merged: dict[int, list[int]] = {root: [] for root in roots.values()}
    for root, contact_id in conn.execute(
        "select merged_into, id from contacts where merged_into = any(%s) order by id", [sorted(merged)]
    ):
        merged[root].append(contact_id)
    return {given: (root, *merged[root]) for given, root in roots.items()}


def lock_contacts(conn: psycopg.Connection[Any], contact_ids: Iterable[int]) -> None:
    """Locks contacts in the order of their ids, so that two workers wait for each other instead of deadlocking."""
    wanted = sorted(set(contact_ids))
    if wanted:
        conn.execute("select from contacts where id = any(%s) order by id for no key update", [wanted])


def contacts_in(
    conn: psycopg.Connection[Any], workspaces: Sequence[str], ids: Sequence[int]
) -> dict[tuple[str, int], int]:
    """Which of these ids are contacts of the workspace beside them; the contact that each is by now. Erased ones are
    nobody."""
    rows = conn.execute(
        """
        select n.workspace, n.id, coalesce(c.merged_into, c.id)
        from unnest(%s::text[], %s::bigint[]) as n (workspace, id)
        join contacts c on c.id = n.id and c.workspace = n.workspace where c.erased_at is null
        """,
        [list(workspaces), list(ids)],
    ).fetchall()
    return {(workspace, given): contact_id for workspace, given, contact_id in rows}


def is_nameless(conn: psycopg.Connection[Any], contact_id: int) -> bool:
    """Whether nothing names this contact: it stands for a click whose message has not come."""
    row = conn.execute(
        """
        select not exists (select from contact_identities where contact_id in (
            select id from contacts where id = %(id)s or merged_into = %(id)s))
        """,
        {"id": contact_id},
    ).fetchone()
    return bool(row and row[0])


def last_channel_of(conn: psycopg.Connection[Any], contact_id: int) -> int | None:
    """The channel that the last message of this contact came by; what came of contacts merged into it is not asked."""
    return last_channels_of(conn, [(contact_id,)]).get(contact_id)


def last_channels_of(conn: psycopg.Connection[Any], families: Iterable[tuple[int, ...]]) -> dict[int, int]:
    """The channel that the last message of each family of contacts came by, by the family's first; none: left out."""
    pairs = sorted({(family[0], contact_id) for family in families for contact_id in family})
    if not pairs:
        return {}
    rows = conn.execute(
        """
        select distinct on (f.root) f.root, m.channel_id
        from unnest(%s::bigint[], %s::bigint[]) as f (root, contact_id)
        cross join lateral (
            select channel_id, received_at, id from messages where contact_id = f.contact_id
            order by received_at desc, id desc limit 1
        ) m
        order by f.root, m.received_at desc, m.id desc
        """,
        [[root for root, _ in pairs], [contact_id for _, contact_id in pairs]],
    ).fetchall()
    return dict(rows)
