"""A conversion as somebody reported it or a rule made it, and what became of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from shared.domain.business_keys import Once
from shared.domain.submissions import SubmittedConversion


@dataclass(frozen=True, kw_only=True, repr=False)
class Reported:
    """One conversion as it came: what was said of it, by whom, and the contact it was found to be about.

    `given_click_hash` is the click id that the report named. A rule says `once`, the message it fired on (our row's id,
    and the provider's), and a delay in `due_after`.
    """

    id: UUID
    workspace: str
    source: Literal["api", "csv", "rule"]
    contact_id: int
    item: SubmittedConversion
    given_click_hash: str | None = None
    channel_id: int | None = None
    may_send: bool = True
    is_test: bool = False
    submission_id: UUID | None = None
    once: Once = Once.REPORTED
    rule_id: int | None = None
    rule_version: int | None = None
    message_id: int | None = None
    provider_message_id: str | None = None
    due_after: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What became of it: `state` and `reason` as in `submissions`, the conversion it is, changes or repeats, and how
    many deliveries can be sent now."""

    state: Literal["stored", "duplicate", "changed", "refused"]
    reason: str | None = None
    detail: str | None = None
    conversion_id: UUID | None = None
    ready: int = 0
