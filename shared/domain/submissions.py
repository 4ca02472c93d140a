"""What businesses report of their contacts, by the API or a file: conversions, stages, tags, consent, past touchpoints.

Their JSON is checked and turned into these types by the door that takes it in, and again by the worker that reads it.
Everything is pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias


@dataclass(frozen=True, kw_only=True)
class Person:
    """Whom an item is about, by one name or several: the first that is known decides.

    `phone` is the digits as they came, `contact_id` our own. A `click_id` finds the contact whose ad message had it.
    """

    phone: str | None = field(default=None, repr=False)
    bsuid: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    click_id: str | None = field(default=None, repr=False)
    contact_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class SubmittedConversion:
    """One conversion, under its inside name (`Lead`, never `LeadSubmitted`).

    `order_source` tells the orders of two shops apart. `channel` is a channel's name, where the business says it.
    `amends` changes the value of the conversion with the same key instead of being a duplicate of it.
    """

    person: Person
    event_name: str
    occurred_at: datetime
    value: Decimal | None = None
    currency: str | None = None
    order_id: str | None = None
    order_source: str = "default"
    event_id: str | None = None
    idempotency_key: str | None = None
    contents: tuple[Mapping[str, Any], ...] | None = None
    custom_data: Mapping[str, Any] | None = None
    cost: Decimal | None = None
    channel: str | None = None
    amends: bool = False


@dataclass(frozen=True, kw_only=True)
class SubmittedStage:
    """A contact has come to a stage of the business's own funnel."""

    person: Person
    stage: str
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True)
class SubmittedTags:
    """Tags put on a contact and taken off it."""

    person: Person
    occurred_at: datetime
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SubmittedConsent:
    """A contact has agreed, or no longer agrees, to the use of their data for ads; `origin` is where they said so."""

    person: Person
    given: bool
    occurred_at: datetime
    origin: str | None = None


@dataclass(frozen=True, kw_only=True)
class SubmittedTouchpoint:
    """A click from before this service, taken over from another system. It is never reported."""

    person: Person
    channel: str
    occurred_at: datetime
    external_id: str
    ad_id: str | None = None
    source_url: str | None = None
    headline: str | None = None
    source_app: str | None = None


Item: TypeAlias = SubmittedConversion | SubmittedStage | SubmittedTags | SubmittedConsent | SubmittedTouchpoint

#: What an import says of itself where a request has its headers: csv or console, and who did it.
ORIGIN, ACTOR = "ctwa-origin", "ctwa-actor"

#: The paths of requests that hold such items, and the kind of a submission that each makes.
KINDS: Mapping[str, str] = {
    "conversions": "conversion",
    "contacts/stage": "stage",
    "contacts/tags": "tags",
    "contacts/consent": "consent",
    "touchpoints": "touchpoint",
}
