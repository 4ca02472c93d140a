"""What the rules of `shared.domain.alerts` are told: numbers and names of one moment, nothing secret or personal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """What is known of one dataset that is no test. `workspace` is None when channels of several use it.

    Of the last 15 minutes: `accepted` and `rejected` events. `unknown` are deliveries whose outcome has been unknown
    for a minute or more; `aging` those pending, waiting or unknown with less than a day left until they expire.
    """

    name: str
    workspace: str | None = None
    pause_reason: str | None = None
    pause_detail: str | None = None
    pauses: int = 0
    probe_result: str | None = None
    test_until: datetime | None = None
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    unknown_since: datetime | None = None
    aging: int = 0
    oldest_event: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CredentialFacts:
    """What Meta said of one token, and how many of the datasets that send with it are paused for it."""

    name: str
    workspace: str | None = None
    inspection: str | None = None
    expires_at: datetime | None = None
    data_access_expires_at: datetime | None = None
    paused: int = 0


@dataclass(frozen=True, kw_only=True)
class ChannelFacts:
    """One live channel's ad messages: the last one, those of the last 24 hours, of the 24 before, and of the 7 days
    before the last message; and how many of its webhooks could not be read in the last 15 minutes."""

    name: str
    workspace: str
    last_ad_at: datetime | None = None
    week: int = 0
    today: int = 0
    today_with_click_id: int = 0
    yesterday: int = 0
    yesterday_with_click_id: int = 0
    unreadable: int = 0
    last_unreadable_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CodeFacts:
    """A code of Meta's in answers of the last day, for one dataset."""

    dataset: str
    workspace: str | None
    code: int
    subcode: int | None
    count: int
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class CurrencyFacts:
    """Conversions of the last day in another currency than their channel's."""

    channel: str
    workspace: str
    expected: str
    found: str
    count: int
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class SpoolFacts:
    """What one receiver last said of the acknowledged webhooks on its disk."""

    host: str
    bytes: int
    set_aside: int
    since: datetime | None


@dataclass(frozen=True, kw_only=True)
class AccountFacts:
    """One ad account. `synced_at` is None where spend isn't fetched from Meta; `spends` is whether its newest days,
    yesterday and today in its zone, cost something; `last_ad_at` is the last message from any ad in its workspace.

    Of the 3 whole days before today: the conversations that Meta says `started`, and those `captured` from its ads.
    """

    name: str
    workspace: str
    synced_at: datetime | None = None
    spends: bool = False
    last_ad_at: datetime | None = None
    started: int = 0
    captured: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the rules may ask, at one moment of Postgres's clock. Queue ages are in seconds."""

    now: datetime
    queue_seconds: Mapping[str, float] = field(default_factory=dict)
    datasets: Sequence[DatasetFacts] = ()
    credentials: Sequence[CredentialFacts] = ()
    channels: Sequence[ChannelFacts] = ()
    codes: Sequence[CodeFacts] = ()
    currencies: Sequence[CurrencyFacts] = ()
    spools: Sequence[SpoolFacts] = ()
    accounts: Sequence[AccountFacts] = ()
