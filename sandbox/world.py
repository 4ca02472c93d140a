"""What the fake Graph knows: datasets, tokens, WhatsApp Business Accounts and click ids.

A `World` is immutable; a change makes a new one, so that a request sees one state from start to end.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from sandbox.ads import AdAccount

Era = Literal["current", "guide"]
TokenState = Literal["ok", "expired", "revoked", "write_only"]

MESSAGING_SCOPES = frozenset({"whatsapp_business_management", "whatsapp_business_manage_events"})
DEFAULT_SCOPES = MESSAGING_SCOPES | {"ads_management", "page_events", "instagram_manage_events"}


@dataclass(frozen=True)
class Dataset:
    """Where events are posted to. `era`: the contract it answers by, today's API's or the blog guide's."""

    id: str
    name: str
    waba_id: str | None = None
    page_id: str | None = None
    ig_account_id: str | None = None
    era: Era = "current"


@dataclass(frozen=True)
class Token:
    """An access token, known by its digest only. `datasets` None: it may post to all of them. Its times are what
    `debug_token` shows; `state` says whether it works."""

    digest: str
    state: TokenState = "ok"
    scopes: frozenset[str] = DEFAULT_SCOPES
    datasets: frozenset[str] | None = None
    ad_accounts: frozenset[str] | None = None
    app_secret: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    data_access_expires_at: datetime | None = None

    def may_use(self, dataset_id: str) -> bool:
        return self.datasets is None or dataset_id in self.datasets


@dataclass(frozen=True)
class Click:
    """A registered click id, by its digest. Only strict mode asks for it."""

    digest: str
    waba_id: str | None = None
    page_id: str | None = None
    ad_id: str | None = None
    clicked_at: datetime | None = None


@dataclass(frozen=True)
class Clicks:
    """Which click ids are taken: any plausible one but the bad, or with `strict` the registered ones only."""

    strict: bool = False
    bad: frozenset[str] = frozenset()
    registered: Mapping[str, Click] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """Everything the fake knows, keyed by id; tokens and click ids by digest."""

    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)
    wabas: Mapping[str, str] = field(default_factory=dict)
    clicks: Clicks = field(default_factory=Clicks)
    ad_accounts: Mapping[str, AdAccount] = field(default_factory=dict)
    usage_percent: int = 1

    def token(self, secret: str) -> Token | None:
        """The token whose digest is that of `secret`; comparing digests gives nothing away in its timing."""
        return self.tokens.get(digest(secret))

    def dataset_of(self, owner_id: str) -> Dataset | None:
        """The one dataset of a WhatsApp Business Account or Page."""
        owned = (d for d in self.datasets.values() if owner_id in (d.waba_id, d.page_id, d.ig_account_id))
        return next(owned, None)

    def owner_name(self, owner_id: str) -> str | None:
        """The name of a WhatsApp Business Account, or None where it is unknown."""
        if owner_id in self.wabas:
            return self.wabas[owner_id]
        return f"WhatsApp account {owner_id}" if self.dataset_of(owner_id) else None

    def with_dataset(self, dataset: Dataset, made_by: Token) -> "World":
        """This world with a new dataset that the token which made it may use."""
        tokens = dict(self.tokens)
        if made_by.datasets is not None:
            tokens[made_by.digest] = replace(made_by, datasets=made_by.datasets | {dataset.id})
        return replace(self, datasets={**self.datasets, dataset.id: dataset}, tokens=tokens)


def digest(secret: str) -> str:
    """SHA-256 in hex, under which tokens and click ids are kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
