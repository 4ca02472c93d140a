"""What a local stack begins with: datasets that the sandbox knows, and a demo channel for each provider."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from console.setup.ad_accounts import add_account
from console.setup.channels import add_channel
from console.setup.credentials import add_credential
from console.setup.datasets import add_dataset
from shared.crypto import KeyRing
from shared.db.ad_accounts import account_by_name
from shared.db.channels import channel_by
from shared.db.credentials import credential_by_name
from shared.db.datasets import dataset_by_name
from shared.providers import PROVIDERS
from shared.providers.base import Provider

_ACTOR = "ctwa up"


@dataclass(frozen=True, kw_only=True)
class DemoDataset:
    """A dataset as both sides know it: ours, and the sandbox's. `token` names one of the stack's secrets."""

    name: str
    meta_id: str
    waba_id: str | None
    profile: str
    token: str


@dataclass(frozen=True, kw_only=True)
class DemoChannel:
    """A channel of one provider, and the dataset its events go to."""

    name: str
    provider: str
    dataset: DemoDataset


_ONE = DemoDataset(
    name="demo-one",
    meta_id="1000000000000001",
    waba_id="100000000000001",
    profile="whatsapp",
    token="META_TOKEN_ONE",  # noqa: S106 (the name of a secret)
)
_TWO = DemoDataset(
    name="demo-two",
    meta_id="1000000000000002",
    waba_id="100000000000002",
    profile="whatsapp",
    token="META_TOKEN_TWO",  # noqa: S106
)
_GUIDE = DemoDataset(
    name="demo-guide",
    meta_id="1000000000000003",
    waba_id=None,
    profile="guide",
    token="META_TOKEN_GUIDE",  # noqa: S106
)
DATASETS = (_ONE, _TWO, _GUIDE)


AD_ACCOUNT = "demo-ads"
_AD_ACCOUNT_ID = "4000000000000001"
#: The ads that the providers' samples name, so that samples and spend meet.
_ADS = 16


def demo_ads() -> list[dict[str, Any]]:
    """Ads in two campaigns of two ad sets each, as the sandbox knows them."""
    campaigns = ("Spring sale", "Always on")
    ads = []
    for number in range(1, _ADS + 1):
        campaign, ad_set = number % 2, number % 4
        ads.append(
            {
                "id": f"{120200000000000000 + number}",
                "name": f"Video {number}" if number % 3 else f"Carousel {number}",
                "ad_set_id": f"{120300000000000001 + ad_set}",
                "ad_set_name": ("Women 25-45", "Lookalike 1 %", "Retargeting 30 days", "Broad")[ad_set],
                "campaign_id": f"{120400000000000001 + campaign}",
                "campaign_name": campaigns[campaign],
                "headline": "Chat with us",
                "body": "Tap to ask us anything on WhatsApp.",
                "daily_cents": 1500 + 650 * number,
            }
        )
    return ads


def demo_channels() -> list[DemoChannel]:
    """One channel for each provider, the datasets by turns, and one of the first provider by the guide's recipe."""
    channels = [
        DemoChannel(name=f"demo-{name}", provider=name, dataset=(_ONE, _TWO)[number % 2])
        for number, name in enumerate(PROVIDERS)
    ]
    return [*channels, DemoChannel(name=_GUIDE.name, provider=next(iter(PROVIDERS)), dataset=_GUIDE)]


def seed(conn: psycopg.Connection[Any], values: Mapping[str, str]) -> None:
    """Adds what is missing and leaves what is there as it is. `values` are the stack's secrets."""
    token_ring = KeyRing(values["TOKEN_KEYS"].split(","), name="TOKEN_KEYS")
    secret_ring = KeyRing(values["SECRET_KEYS"].split(","), name="SECRET_KEYS")
    for dataset in DATASETS:
        if credential_by_name(conn, dataset.name) is None:
            add_credential(conn, token_ring, name=dataset.name, token=values[dataset.token], actor=_ACTOR)
        if dataset_by_name(conn, dataset.name) is None:
            add_dataset(
                conn,
                {
                    "name": dataset.name,
                    "meta_id": dataset.meta_id,
                    "waba_id": dataset.waba_id,
                    "profile": dataset.profile,
                    "credential": dataset.name,
                    "test": True,
                },
                actor=_ACTOR,
            )
    if account_by_name(conn, AD_ACCOUNT) is None:
        add_account(
            conn,
            {"name": AD_ACCOUNT, "meta_id": _AD_ACCOUNT_ID, "credential": _ONE.name, "test": True},
            actor=_ACTOR,
        )
    for channel in demo_channels():
        if channel_by(conn, channel.name) is None:
            described = {"name": channel.name, "provider": channel.provider, "dataset": channel.dataset.name}
            given = _provider_given_secrets(PROVIDERS[channel.provider])
            add_channel(conn, secret_ring, {**described, "test": True, "secrets": given}, actor=_ACTOR)


def sandbox_configuration(values: Mapping[str, str]) -> dict[str, Any]:
    """The same datasets for `python -m sandbox --config`: each with its account, and a token that opens it alone."""
    return {
        "wabas": [{"id": dataset.waba_id, "name": dataset.name} for dataset in DATASETS if dataset.waba_id],
        "datasets": [
            {
                "id": dataset.meta_id,
                "name": dataset.name,
                "waba_id": dataset.waba_id,
                "era": "guide" if dataset.profile == "guide" else "current",
            }
            for dataset in DATASETS
        ],
        "ad_accounts": [
            {
                "id": _AD_ACCOUNT_ID,
                "name": "Demo Shop ads",
                "currency": "USD",
                "zone": "America/New_York",
                "ads": demo_ads(),
            }
        ],
        "tokens": [{"token": values[dataset.token], "datasets": [dataset.meta_id]} for dataset in DATASETS],
    }


def _provider_given_secrets(provider: Provider) -> dict[str, str]:
    """Made-up values for the secrets that a provider gives out itself, such as Meta's app secret."""
    return {
        field.name: secrets.token_hex(16)
        for field in provider.secret_fields
        if field.required and not field.generated and field.default is None
    }
