"""What a finding is, and what the findings on a channel are drawn from."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from console.doctor.hints import HINTS, Hints
from shared.db.channels import Channel
from shared.db.datasets import Dataset
from shared.db.health import ChannelTraffic
from shared.providers import PROVIDERS
from shared.providers.base import Provider


class Severity(StrEnum):
    """How bad a finding is: as it should be, worth a look, or something that loses leads."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. `where` names the screens to go to, when they aren't here."""

    check: str
    severity: Severity
    words: str
    next_step: str | None = None
    where: str | None = None

    def as_row(self) -> dict[str, Any]:
        """The finding as JSON-ready values."""
        return asdict(self)


class Proof(StrEnum):
    """What authenticates a channel's webhooks."""

    SET = "set"
    ROTATING = "rotating"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, kw_only=True)
class ChannelFacts:
    """What the findings are drawn from."""

    channel: Channel
    proof: Proof
    traffic: ChannelTraffic
    dataset: Dataset | None
    url: str

    @property
    def provider(self) -> Provider:
        return PROVIDERS[self.channel.provider]

    @property
    def hints(self) -> Hints:
        return HINTS[self.channel.provider]

    @property
    def inbound(self) -> int:
        return sum(self.traffic.classes.values())

    @property
    def ads(self) -> int:
        return self.traffic.classes.get("ad", 0) + self.traffic.classes.get("ad_without_click_id", 0)


#: One thing to look at; what is as it should be may be left unsaid.
Check: TypeAlias = Callable[[ChannelFacts], Iterator[Finding]]
