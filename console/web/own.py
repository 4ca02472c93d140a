"""What of the installation a workspace has: its channels, and the datasets that they report to."""

from collections.abc import Sequence
from typing import Any

import psycopg
from flask import abort

from console.errors import ConflictError, NotFoundError
from console.team.words import N_
from console.web.access import membership, person
from shared.db.ad_accounts import AdAccount, all_accounts
from shared.db.channels import Channel, all_channels
from shared.db.datasets import Dataset, all_datasets


def own_channels(conn: psycopg.Connection[Any]) -> list[Channel]:
    """The channels of this page's workspace, by name."""
    return [channel for channel in all_channels(conn) if channel.workspace == membership().workspace]


def only_tests(conn: psycopg.Connection[Any], channels: Sequence[Channel]) -> bool:
    """Whether nothing but test rows comes of these channels, so that pages show those unasked.

    Each is a test channel, or reports to a dataset of tests, as the sandbox's are.
    """
    real = [channel for channel in channels if not channel.is_test]
    tests = {dataset.id for dataset in all_datasets(conn) if dataset.is_test} if real else set()
    return bool(channels) and all(channel.dataset_id in tests for channel in real)


def own_channel(conn: psycopg.Connection[Any], channel_id: int) -> Channel:
    """The channel of this id in this page's workspace. Raises NotFoundError."""
    found = next((channel for channel in own_channels(conn) if channel.id == channel_id), None)
    if found is None:
        raise NotFoundError(N_("There is no such channel in this workspace."))
    return found


def own_datasets(conn: psycopg.Connection[Any]) -> list[Dataset]:
    """The datasets that channels of this page's workspace report to, by name."""
    used = {channel.dataset_id for channel in own_channels(conn)}
    return [dataset for dataset in all_datasets(conn) if dataset.id in used]


def own_account(conn: psycopg.Connection[Any], account_id: int) -> AdAccount:
    """The ad account of this id in this page's workspace; else there is no such page."""
    found = next((one for one in all_accounts(conn, workspace=membership().workspace) if one.id == account_id), None)
    return found or abort(404)


def choosable_datasets(conn: psycopg.Connection[Any]) -> list[Dataset]:
    """Those that this person may give a channel: all for who owns everything, else those in use here."""
    return all_datasets(conn) if person().owner_everywhere else own_datasets(conn)


def only_for_owners_of_everything() -> None:
    """Datasets and tokens belong to no workspace. Raises ConflictError for anybody else."""
    if not person().owner_everywhere:
        raise ConflictError(
            N_("Datasets and tokens belong to the whole installation. Somebody who owns everything can change them.")
        )
