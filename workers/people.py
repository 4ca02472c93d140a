"""Whom a reported item is about: finds or makes the contact of each Person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from shared.db.contacts import NewContact, contacts_in, insert_contacts
from shared.db.conversions import contacts_that_wait
from shared.db.persons import erased_among
from shared.db.touchpoints import contacts_of_clicks
from shared.domain.attribution import hash_click_id
from shared.domain.submissions import Person
from workers.identities import Identities, Sender


@dataclass(frozen=True, kw_only=True, repr=False)
class Subject:
    """A person, and where they were reported."""

    workspace: str
    is_test: bool
    person: Person
    #: When what was reported of them happened.
    at: datetime


@dataclass(frozen=True)
class Found:
    """The contact of a person, or the reason why it can't be told; and the hash of the click id they were named by."""

    contact_id: int | None
    click_hash: str | None = None
    reason: str | None = None


def find_people(conn: psycopg.Connection[Any], identities: Identities, subjects: Sequence[Subject]) -> list[Found]:
    """The contact of each person, in order.

    Our own id decides, then a known name, then the click id. An unknown phone, BSUID or e-mail becomes a contact; an
    unknown click id alone a contact without a name, until that click's message comes. Names that nobody has yet are
    added to the contact that was found. Somebody who was erased after what was reported of them stays nobody.
    """
    own_ids = [(one.workspace, one.person.contact_id) for one in subjects if one.person.contact_id is not None]
    by_id = contacts_in(conn, [workspace for workspace, _ in own_ids], [contact for _, contact in own_ids])
    clicks = {
        (one.workspace, hash_click_id(one.person.click_id)): None for one in subjects if one.person.click_id is not None
    }
    by_click = contacts_of_clicks(conn, list(clicks)) if clicks else {}
    shown = [by_id.get((one.workspace, one.person.contact_id or 0)) for one in subjects]
    gone = _erased(conn, identities, subjects)
    named = [place for place, one in enumerate(subjects) if _has_name(one.person) and place not in gone]
    known = identities.known(conn, [_sender(subjects[place], None) for place in named])
    for place, contact in zip(named, known, strict=True):
        shown[place] = shown[place] or contact
    for place, one in enumerate(subjects):
        if shown[place] is None and one.person.click_id is not None:
            shown[place] = by_click.get((one.workspace, hash_click_id(one.person.click_id)))
    resolved = identities.resolve(conn, [_sender(subjects[place], shown[place]) for place in named]) if named else []
    for place, contact in zip(named, resolved, strict=True):
        shown[place] = contact
    _make_nameless(conn, subjects, shown, gone)
    erased = erased_among(conn, [contact for contact in shown if contact is not None])
    return [
        Found(None, reason="erased") if place in gone or shown[place] in erased else _found(one, shown[place])
        for place, one in enumerate(subjects)
    ]


def _erased(conn: psycopg.Connection[Any], identities: Identities, subjects: Sequence[Subject]) -> set[int]:
    """The places of those who were erased after what was reported of them."""
    places = [place for place, one in enumerate(subjects) if _has_name(one.person)]
    erased = identities.erased(conn, [(_sender(subjects[place], None), subjects[place].at) for place in places])
    return {place for place, is_erased in zip(places, erased, strict=True) if is_erased}


def _make_nameless(
    conn: psycopg.Connection[Any], subjects: Sequence[Subject], shown: list[int | None], gone: set[int]
) -> None:
    """A contact for each click id that nobody has brought yet; the same for all that name it."""
    unknown: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(subjects):
        click_id = one.person.click_id
        if shown[place] is None and click_id is not None and place not in gone:
            unknown.setdefault((one.workspace, hash_click_id(click_id)), []).append(place)
    contacts = contacts_that_wait(conn, list(unknown))
    strangers = [click for click in unknown if click not in contacts]
    made = insert_contacts(conn, [NewContact(click[0], subjects[unknown[click][0]].is_test) for click in strangers])
    contacts |= dict(zip(strangers, made, strict=True))
    for click, places in unknown.items():
        for place in places:
            shown[place] = contacts[click]


def _has_name(person: Person) -> bool:
    return bool(person.phone or person.bsuid or person.email)


def _sender(one: Subject, contact_id: int | None) -> Sender:
    return Sender(workspace=one.workspace, is_test=one.is_test, message=one.person, contact_id=contact_id)


def _found(one: Subject, contact_id: int | None) -> Found:
    click_hash = hash_click_id(one.person.click_id) if one.person.click_id else None
    if contact_id is None:
        reason = "person_missing" if one.person == Person() else "contact_unknown"
        return Found(None, click_hash, reason)
    return Found(contact_id, click_hash)
