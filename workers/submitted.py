"""Requests that report something, their items, and what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.db.submissions import Reporter
from shared.domain.submissions import KINDS, Item


@dataclass(frozen=True)
class Refusal:
    """An item that couldn't be read: a reason code, and in words what is wrong with it."""

    reason: str
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Submitted:
    """One request or file part: who reported, and its items in order. `origin` is api, csv or console, `actor` who."""

    webhook_id: UUID
    received_at: datetime
    reporter: Reporter
    path: str
    items: Sequence[Item | Refusal]
    origin: str = "api"
    actor: str | None = None
    may_send: bool = True

    @property
    def kind(self) -> str:
        """What its items are, as `submissions` calls it."""
        return KINDS[self.path]


@dataclass(frozen=True, kw_only=True, repr=False)
class Entry:
    """One item to look at."""

    id: UUID
    submitted: Submitted
    item: Item

    @property
    def is_test(self) -> bool:
        return self.submitted.reporter.is_test

    @property
    def workspace(self) -> str:
        return self.submitted.reporter.workspace


@dataclass(frozen=True, kw_only=True, repr=False)
class Matched:
    """One item, the contact it is about, and the hash of the click id that it named."""

    entry: Entry
    contact_id: int
    click_hash: str | None


@dataclass(frozen=True, kw_only=True)
class End:
    """What became of one item, as far as the table wants to know."""

    state: str
    reason: str | None = None
    detail: str | None = None
    contact_id: int | None = None
    conversion_id: UUID | None = None
    ready: int = 0
