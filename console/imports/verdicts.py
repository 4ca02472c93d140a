"""What would become of each row of a file, before anything is stored."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from shared.crypto import HashRing
from shared.db.channels import IntakeChannel, workspace_channels
from shared.db.contacts import contacts_in, find_contacts
from shared.db.conversions import KnownBy, find_conversions
from shared.db.persons import contact_group
from shared.db.touchpoints import TouchRow, contacts_of_clicks, has_external, touches_of
from shared.domain.attribution import attribute, hash_click_id
from shared.domain.business_keys import business_key
from shared.domain.deliveries import is_aged
from shared.domain.submissions import Item, Person, SubmittedConversion, SubmittedTouchpoint
from shared.naming import identity_keys

#: Verdict -> what it means.
WORDS: Mapping[str, str] = {
    "new": "belongs to an ad click and is sent",
    "no click id": "belongs to an ad click whose id is not known: kept, counted, not sent",
    "unattributed": "of a contact without an ad click in time: kept, counted, not sent",
    "unknown contact": "of somebody who never wrote: kept; attributed if their click comes to be known",
    "expired": "too old to be sent to Meta; counts in the return",
    "value": "gives its value to a conversion that waits for it",
    "amends": "changes the value of a known conversion",
    "history": "a past click, kept with its time and never sent",
    "duplicate": "known already, or twice in this file: left out",
    "bad": "can't be used",
}


@dataclass
class Judge:
    """Judges the rows of one file, one after the other: it remembers which conversions the file had already."""

    conn: psycopg.Connection[Any]
    ring: HashRing
    workspace: str
    now: datetime
    channels: Mapping[int, IntakeChannel] = field(init=False)
    seen: set[tuple[Any, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.channels = workspace_channels(self.conn, [self.workspace])[self.workspace]

    def verdict(self, item: Item) -> tuple[str, str | None]:
        """The verdict on one row, a key of WORDS, and a reason in words where it is bad."""
        channel = getattr(item, "channel", None)
        if channel is not None and channel not in {one.name for one in self.channels.values()}:
            return "bad", f"channel: there is no channel {channel!r} in workspace {self.workspace}"
        if isinstance(item, SubmittedTouchpoint):
            return self._touchpoint(item), None
        assert isinstance(item, SubmittedConversion)
        return self._conversion(item)

    def _touchpoint(self, item: SubmittedTouchpoint) -> str:
        key = (item.channel, item.external_id)
        [channel] = [one for one in self.channels.values() if one.name == item.channel]
        if key in self.seen or has_external(self.conn, channel.id, item.external_id):
            return "duplicate"
        self.seen.add(key)
        return "history"

    def _conversion(self, item: SubmittedConversion) -> tuple[str, str | None]:
        contact_id = self._contact(item.person)
        if contact_id is None and item.person == Person(contact_id=item.person.contact_id):
            return "bad", "contact_id: the workspace has no such contact"
        named = hash_click_id(item.person.click_id) if item.person.click_id else None
        group = contact_group(self.conn, contact_id) if contact_id is not None else []
        touches = touches_of(self.conn, self.workspace, group[:1], click_hashes=[named] if named else [])
        found = attribute(
            [row.touch(named=named) for row in touches],
            occurred_at=item.occurred_at,
            click_named=named is not None,
        )
        touch = next((row for row in touches if row.id == found.touchpoint_id), None)
        who = tuple(group) or (0,)
        key = business_key(item, contact_ids=who, click_hash=touch.click_hash if touch else named)
        in_file = (item.event_name, key.key, astuple(item.person) if not group else ())
        if in_file in self.seen:
            return "duplicate", None
        self.seen.add(in_file)
        known_by = KnownBy(event_name=item.event_name, keys=(key.key, *key.known_as), click_hash=key.click_hash)
        [known] = find_conversions(self.conn, self.workspace, [known_by], lock=False)
        if known is not None:
            if known.value is None and item.value is not None:
                return "value", None
            changed = item.amends and item.value not in (None, known.value)
            return ("amends" if changed else "duplicate"), None
        return self._news(item, contact_id, touch)

    def _news(
        self, item: SubmittedConversion, contact_id: int | None, touch: TouchRow | None
    ) -> tuple[str, str | None]:
        sold = next((one for one in self.channels.values() if one.name == item.channel), None)
        sold = sold or self.channels.get(touch.channel_id if touch else 0)
        if sold is None and len(self.channels) == 1:
            sold = next(iter(self.channels.values()))
        if item.event_name == "Purchase" and item.value == 0 and not (sold and sold.dataset_allow_zero_value):
            return "bad", "value: a purchase of nothing is refused, unless the dataset allows it"
        if item.value is not None and item.currency is None and sold is not None and sold.currency is None:
            return "bad", f"currency: there is none, and channel {sold.name} has none either"
        if is_aged(item.occurred_at, self.now):
            return "expired", None
        if contact_id is None:
            return "unknown contact", None
        if touch is None:
            return "unattributed", None
        return ("new" if touch.has_click_id else "no click id"), None

    def _contact(self, person: Person) -> int | None:
        if person.contact_id is not None:
            found = contacts_in(self.conn, [self.workspace], [person.contact_id])
            if found:
                return next(iter(found.values()))
        for kind in ("bsuid", "phone", "email"):
            name = getattr(person, kind)
            if name:
                owners = find_contacts(self.conn, identity_keys(self.ring, self.workspace, kind, name))
                if owners:
                    return next(iter(owners.values()))
        if person.click_id:
            click = (self.workspace, hash_click_id(person.click_id))
            return contacts_of_clicks(self.conn, [click]).get(click)
        return None
