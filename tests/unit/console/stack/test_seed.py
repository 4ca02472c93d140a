"""The demo rows: both sides know the same datasets, and neighbouring channels use different ones."""

import re
from pathlib import Path

from console.stack.seed import DATASETS, demo_ads, demo_channels, sandbox_configuration
from sandbox.config import apply
from sandbox.world import World
from shared.providers import PROVIDERS

TOKENS = {dataset.token: f"EAASANDBOX{number:048d}" for number, dataset in enumerate(DATASETS)}

SAMPLES = Path(__file__).parents[4] / "shared" / "providers" / "samples"


def test_every_provider_has_a_channel_and_no_dataset_shares_an_account_or_a_token():
    assert {channel.provider for channel in demo_channels()} == set(PROVIDERS)
    assert len({channel.name for channel in demo_channels()}) == len(PROVIDERS) + 1
    assert {channel.dataset for channel in demo_channels()} == set(DATASETS)
    for field in ("name", "meta_id", "waba_id", "token"):
        assert len({getattr(dataset, field) for dataset in DATASETS}) == len(DATASETS)


def test_the_sandbox_takes_the_configuration_and_opens_each_dataset_to_its_own_token_alone():
    world = apply(sandbox_configuration(TOKENS), World())
    assert {meta_id: dataset.waba_id for meta_id, dataset in world.datasets.items()} == {
        dataset.meta_id: dataset.waba_id for dataset in DATASETS
    }
    assert [token.datasets for token in world.tokens.values()] == [frozenset({d.meta_id}) for d in DATASETS]
    assert [dataset.era for dataset in world.datasets.values()] == ["current", "current", "guide"]


def test_the_ads_of_the_samples_are_ads_of_the_sandbox() -> None:
    known = {ad["id"] for ad in demo_ads()}
    named = set()
    for path in SAMPLES.rglob("*.json"):
        named |= set(re.findall(r"\b1202000000000000[0-9]{2}\b", path.read_text(encoding="utf-8")))
    assert named
    assert named <= known
