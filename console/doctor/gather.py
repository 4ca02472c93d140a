"""Gathers what the findings are drawn from: settings, stored traffic, and the receiver's counters."""

from collections.abc import Sequence
from typing import Any

import psycopg
import requests
from prometheus_client.parser import text_string_to_metric_families

from console.doctor.connection import proof_of, refusals, unknown_refusals
from console.doctor.findings import ChannelFacts, Finding, Proof
from console.setup.channels import webhook_url
from shared.crypto import CannotDecrypt, KeyRing
from shared.db.channels import Channel, open_secrets
from shared.db.datasets import all_datasets
from shared.db.health import channel_traffic
from shared.providers import PROVIDERS

_TIMEOUT = (3.0, 5.0)
_LONGEST = 4 * 1024 * 1024


def gather(
    conn: psycopg.Connection[Any], ring: KeyRing, channels: Sequence[Channel], *, public_url: str
) -> list[ChannelFacts]:
    """The facts of each of these channels, in their order. `ring` is SECRET_KEYS'."""
    traffic = channel_traffic(conn, [channel.id for channel in channels])
    datasets = {dataset.id: dataset for dataset in all_datasets(conn)}
    return [
        ChannelFacts(
            channel=channel,
            proof=_proof(ring, channel),
            traffic=traffic[channel.id],
            dataset=datasets.get(channel.dataset_id or 0),
            url=webhook_url(public_url, channel.key),
        )
        for channel in channels
    ]


def read_refusals(url: str | None) -> Finding:
    """What the receiver's metrics page at `url` says of refused requests; never raises for what the network does."""
    if url is None:
        return unknown_refusals("only the receiver counts them.")
    with requests.Session() as http:
        http.trust_env = False
        try:
            with http.get(url, timeout=_TIMEOUT, allow_redirects=False, stream=True) as response:
                page = response.raw.read(_LONGEST, decode_content=True)
                status = response.status_code
        except (requests.RequestException, OSError) as error:
            return unknown_refusals(f"the receiver's metrics can't be read ({type(error).__name__}).")
    if status != 200:
        return unknown_refusals(f"the receiver's metrics answered HTTP {status}.")
    return _read_page(page.decode("utf-8", "replace"))


def _read_page(page: str) -> Finding:
    acknowledged, refused = 0.0, {}
    try:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name == "ctwa_webhooks_acknowledged_total":
                    acknowledged += sample.value
                elif sample.name == "ctwa_webhooks_refused_total":
                    refused[sample.labels.get("reason", "")] = sample.value
    except ValueError:
        return unknown_refusals("that page is not the receiver's metrics.")
    return refusals(acknowledged, refused)


def _proof(ring: KeyRing, channel: Channel) -> Proof:
    try:
        held = open_secrets(ring, channel.secrets)
    except CannotDecrypt:
        return Proof.UNREADABLE
    return proof_of(PROVIDERS[channel.provider], channel.unsigned, held)
