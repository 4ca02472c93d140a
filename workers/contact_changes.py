"""Stores what is said of contacts (stages, tags, consent) and does what follows from it.

One function for every way it comes: the API, a file, a rule, a person at the console.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from shared.db.contact_changes import ContactChange, Standing, insert_contact_change, refresh_contact
from shared.db.contacts import family_of
from shared.db.deliveries import reinstate_consented, withdraw_consent
from shared.domain.deliveries import EXPIRES_AFTER


@dataclass(frozen=True, kw_only=True)
class Happened:
    """A change that took effect: a rule may be waiting for it. What is older than what was known takes none."""

    change: ContactChange
    before: Standing
    now: Standing


@dataclass(frozen=True, kw_only=True)
class Changed:
    """How many of the changes are new, what took effect, and how many deliveries can be sent now."""

    new: int
    happened: tuple[Happened, ...]
    ready: int


def change_contact(conn: psycopg.Connection[Any], changes: Sequence[ContactChange]) -> Changed:
    """Writes changes of one contact down, and what holds of it now. Offer `happened` to the rules."""
    contact_id = family_of(conn, changes[0].contact_id)[0]
    new = [change for change in changes if insert_contact_change(conn, change)]
    if not new:
        return Changed(new=0, happened=(), ready=0)
    before, now = refresh_contact(conn, contact_id)
    ready = 0
    if now.consent is not before.consent:
        if now.consent:
            ready = reinstate_consented(conn, contact_id, youngest_seconds=EXPIRES_AFTER.total_seconds())
        else:
            withdraw_consent(conn, contact_id)
    happened = tuple(
        Happened(change=change, before=before, now=now) for change in new if _took_effect(change, before, now)
    )
    return Changed(new=len(new), happened=happened, ready=ready)


def _took_effect(change: ContactChange, before: Standing, now: Standing) -> bool:
    match change.kind:
        case "stage":
            return now.stage == change.value != before.stage
        case "tag_added":
            return change.value in now.tags and change.value not in before.tags
        case "tag_removed":
            return change.value in before.tags and change.value not in now.tags
        case _:
            return now.consent is not before.consent and now.consent is (change.kind == "consent_given")
