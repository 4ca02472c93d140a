"""People: finding one by a name, showing and exporting what is held, and asking for their erasure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError
from console.privacy import named, open_sealed
from console.webhooks import readable_body
from shared.crypto import CannotDecrypt, HashRing, KeyRing
from shared.db import audit
from shared.db.contacts import find_contacts
from shared.db.erasures import Erasure, erasure_by_id, open_erasure_of, request_erasure
from shared.db.persons import SECTIONS, contact_group, held_counts, held_rows, identities_of
from shared.db.workspaces import all_workspaces
from shared.naming import identity_keys
from shared.wanted import Wanted

#: What a person may be looked for by.
KINDS = ("phone", "email", "bsuid", "lid", "provider_id")


@dataclass(frozen=True, repr=False)
class Rings:
    """The two rings that people's names are kept under."""

    secrets: KeyRing
    hashes: HashRing


@dataclass(frozen=True, repr=False)
class Person:
    """One person in one workspace: the contact they are by now, first, and those merged into it."""

    workspace: str
    contact_ids: tuple[int, ...]
    #: The name they were found by as (kind, value); None when it was our own id.
    found_by: tuple[str, str] | None

    @property
    def id(self) -> int:
        """The contact they are by now."""
        return self.contact_ids[0]


def cleaned_name(kind: str, value: str) -> str:
    """A name as it is stored: a phone as digits with the country code. Raises InvalidError."""
    if kind == "phone":
        digits = re.sub(r"[\s()./+-]", "", value)
        if not re.fullmatch(r"[0-9]{5,20}", digits) or digits.startswith("0"):
            raise InvalidError("A phone number is given with its country code, such as +5531998877665.")
        return digits
    name = value.strip()
    if not name or len(name) > 320:
        raise InvalidError("The name is empty or too long.")
    return name


def search_people(
    conn: psycopg.Connection[Any], ring: HashRing, kind: str, value: str, *, workspace: str | None = None
) -> list[Person]:
    """The person of this name in each workspace, or in one. Raises InvalidError for what can be no such name."""
    name = cleaned_name(kind, value)
    spaces = [workspace] if workspace else [one.name for one in all_workspaces(conn)]
    keys = [key for space in spaces for key in identity_keys(ring, space, kind, name)]
    found = {key[0]: contact_id for key, contact_id in find_contacts(conn, keys).items()}
    return [
        Person(space, tuple(contact_group(conn, contact_id)), (kind, name))
        for space, contact_id in sorted(found.items())
    ]


def person_by_id(conn: psycopg.Connection[Any], contact_id: int) -> Person:
    """The person who is this contact. Raises NotFoundError."""
    group = contact_group(conn, contact_id)
    if not group:
        raise NotFoundError(f"There is no contact {contact_id}.")
    row = conn.execute("select workspace from contacts where id = %s", [group[0]]).fetchone()
    assert row is not None
    return Person(row[0], tuple(group), None)


def summary(conn: psycopg.Connection[Any], rings: Rings, person: Person) -> dict[str, Any]:
    """Who a person is, names shortened, and how much is held of them; JSON-ready."""
    [contact] = [row for row in held_rows(conn, "contacts", person.contact_ids) if row["id"] == person.id]
    counts = held_counts(conn, person.contact_ids)
    touchpoints = held_rows(conn, "touchpoints", person.contact_ids)
    return {
        "id": person.id,
        "workspace": person.workspace,
        "merged_contacts": list(person.contact_ids[1:]),
        "identities": [
            named(rings.secrets, one.kind, one.ciphertext) for one in identities_of(conn, person.contact_ids)
        ],
        "country": contact["country"],
        "stage": contact["stage"],
        "tags": contact["tags"],
        "consent": contact["consent"],
        "created_at": contact["created_at"],
        "erased_at": contact["erased_at"],
        "first_touch_at": touchpoints[0]["occurred_at"] if touchpoints else None,
        "last_touch_at": touchpoints[-1]["occurred_at"] if touchpoints else None,
        "ads": list(dict.fromkeys(row["ad_id"] for row in touchpoints if row["ad_id"])),
        "held": counts,
    }


def names_of(
    conn: psycopg.Connection[Any], rings: Rings, contact_ids: Sequence[int]
) -> dict[int, list[dict[str, Any]]]:
    """The names of each of these contacts, shortened: id -> [{kind, value, key_lost}]."""
    found: dict[int, list[dict[str, Any]]] = {}
    for one in identities_of(conn, contact_ids):
        shown = named(rings.secrets, one.kind, one.ciphertext)
        found.setdefault(one.contact_id, []).append(shown)
    return found


def reveal_names(conn: psycopg.Connection[Any], rings: Rings, person: Person, *, actor: str) -> list[dict[str, Any]]:
    """A person's names in clear: [{kind, value, key_lost}]; the audit log keeps who asked."""
    audit.record(conn, actor=actor, action="contact.reveal", subject=f"contact:{person.id}", workspace=person.workspace)
    return [
        named(rings.secrets, one.kind, one.ciphertext, reveal=True) for one in identities_of(conn, person.contact_ids)
    ]


def export(conn: psycopg.Connection[Any], rings: Rings, person: Person, *, actor: str) -> dict[str, Any]:
    """All that is held about a person, in clear, with times in UTC and the zones of their channels; audited.

    What can't be opened, or is kept as a hash only, stands there as null with a note.
    """
    sections = {section: held_rows(conn, section, person.contact_ids) for section in SECTIONS}
    for row in sections["identities"]:
        row["value"], row["note"] = open_sealed(rings.secrets, row.pop("ciphertext"))
    for row in sections["messages"]:
        sealed = row.pop("text")
        row["text"] = open_sealed(rings.secrets, sealed)[0] if sealed is not None else None
    for row in sections["webhooks"]:
        row["body"] = _body(rings.secrets, row)
    for row in sections["requests_to_meta"]:
        row["events"] = [one for one in row.pop("body").get("data", []) if one.get("event_id") == row["event_id"]]
    audit.record(
        conn, actor=actor, action="contact.export", subject=f"contact:{person.id}",
        detail={"rows": {section: len(rows) for section, rows in sections.items()}}, workspace=person.workspace,
    )  # fmt: skip
    return {
        "exported_at": datetime.now(UTC),
        "contact": person.id,
        "workspace": person.workspace,
        "times": "UTC, ISO 8601",
        "zones": _zones(conn, person),
        "shared_bodies": "A webhook's body is as it came and may hold other people: look before you hand it on.",
        **sections,
    }


def ask_for_erasure(conn: psycopg.Connection[Any], rings: Rings, person: Person, *, actor: str) -> Erasure:
    """Writes down that a person is to be erased, which the workers do; the request. One that runs is returned as it is.

    Raises ConflictError when the contact has been erased.
    """
    if running := open_erasure_of(conn, person.contact_ids):
        return running
    [contact] = [row for row in held_rows(conn, "contacts", person.contact_ids) if row["id"] == person.id]
    if contact["erased_at"] is not None:
        raise ConflictError(f"Contact {person.id} was erased on {contact['erased_at']:%Y-%m-%d}.")
    asked_by = Wanted(names=[person.found_by] if person.found_by else [])
    erasure_id = request_erasure(
        conn,
        workspace=person.workspace,
        contact_ids=person.contact_ids,
        names=rings.secrets.seal(asked_by.as_json()),
        requested_by=actor,
    )
    audit.record(
        conn, actor=actor, action="contact.erase", subject=f"contact:{person.id}",
        detail={"erasure": erasure_id, "contacts": list(person.contact_ids)}, workspace=person.workspace,
    )  # fmt: skip
    erasure = erasure_by_id(conn, erasure_id)
    assert erasure is not None
    return erasure


def _zones(conn: psycopg.Connection[Any], person: Person) -> dict[str, str]:
    rows = conn.execute(
        "select distinct ch.name, ch.zone from messages m join channels ch on ch.id = m.channel_id"
        " where m.contact_id = any(%s)",
        [list(person.contact_ids)],
    ).fetchall()
    return {name: str(ZoneInfo(zone)) for name, zone in rows}


def _body(ring: KeyRing, row: Mapping[str, Any]) -> Any:
    if row["erased_at"] is not None:
        return None
    try:
        return readable_body(ring.open(row["body"]), row["headers"].get("content-type", ""))
    except CannotDecrypt:
        return None
