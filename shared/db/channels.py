"""The `channels` table: business numbers at providers, each with its webhook secrets and its dataset."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

from shared.crypto import KeyRing
from shared.db.workspaces import ensure_workspace


@dataclass(frozen=True, kw_only=True, repr=False)
class DoorChannel:
    """What the receiver may know of a channel. `secrets` is sealed; `open_secrets` opens it."""

    id: int
    key: str
    provider: str
    secrets: bytes
    unsigned: bool
    enabled: bool


@dataclass(frozen=True, kw_only=True, repr=False)
class Channel:
    """One business number at one provider."""

    id: int
    key: str
    name: str
    workspace: str
    provider: str
    secrets: bytes
    unsigned: bool
    dataset_id: int | None
    currency: str | None
    country: str | None
    zone: str
    post_policy: str
    #: Of a sale whose cost isn't reported, in percent; None: nobody has said.
    margin_percent: int | None
    enabled: bool
    is_test: bool


_COLUMNS = (
    "id, key, name, workspace, provider, secrets, unsigned, dataset_id, currency, country, zone, post_policy,"
    " margin_percent::integer as margin_percent, enabled, is_test"
)


def door_channels(conn: psycopg.Connection[Any]) -> list[DoorChannel]:
    """Every channel, as much of it as the receiver's role may read."""
    with conn.cursor(row_factory=class_row(DoorChannel)) as cursor:
        cursor.execute("select id, key, provider, secrets, unsigned, enabled from channels order by id")
        return cursor.fetchall()


def all_channels(conn: psycopg.Connection[Any]) -> list[Channel]:
    """Every channel, by name."""
    with conn.cursor(row_factory=class_row(Channel)) as cursor:
        cursor.execute(f"select {_COLUMNS} from channels order by name")
        return cursor.fetchall()


def channel_by(conn: psycopg.Connection[Any], key_or_name: str) -> Channel | None:
    """The channel with this key or this name."""
    with conn.cursor(row_factory=class_row(Channel)) as cursor:
        cursor.execute(f"select {_COLUMNS} from channels where key = %(it)s or name = %(it)s", {"it": key_or_name})
        return cursor.fetchone()


def insert_channel(conn: psycopg.Connection[Any], values: Mapping[str, Any]) -> int:
    """Adds a channel, and its workspace if that is new; its id. `values` holds columns by name; `secrets` sealed."""
    ensure_workspace(conn, values["workspace"])
    row = conn.execute(
        """
        insert into channels (key, name, workspace, provider, secrets, unsigned, dataset_id, currency, country, zone,
                              post_policy, margin_percent, enabled, is_test)
        values (%(key)s, %(name)s, %(workspace)s, %(provider)s, %(secrets)s, %(unsigned)s, %(dataset_id)s,
                %(currency)s, %(country)s, %(zone)s, %(post_policy)s, %(margin_percent)s, %(enabled)s,
                %(is_test)s)
        returning id
        """,
        {"margin_percent": None, **values},
    ).fetchone()
    assert row is not None
    return int(row[0])


def update_channel(conn: psycopg.Connection[Any], channel_id: int, values: Mapping[str, Any]) -> None:
    """Sets every changeable column of a channel (not its key: a provider posts to it)."""
    ensure_workspace(conn, values["workspace"])
    conn.execute(
        """
        update channels set name = %(name)s, workspace = %(workspace)s, secrets = %(secrets)s,
               unsigned = %(unsigned)s, dataset_id = %(dataset_id)s, currency = %(currency)s,
               country = %(country)s, zone = %(zone)s, post_policy = %(post_policy)s,
               margin_percent = %(margin_percent)s, enabled = %(enabled)s, is_test = %(is_test)s, updated_at = now()
        where id = %(id)s
        """,
        {**values, "id": channel_id},
    )


def seal_secrets(ring: KeyRing, secrets: Sequence[Mapping[str, str]]) -> bytes:
    """The current secrets and, during a rotation, the previous ones, sealed for the table."""
    return ring.seal(json.dumps([dict(one) for one in secrets]).encode())


def open_secrets(ring: KeyRing, sealed: bytes) -> list[dict[str, str]]:
    """What `seal_secrets` sealed, current first. Raises CannotDecrypt."""
    opened: list[dict[str, str]] = json.loads(ring.open(sealed))
    return opened


@dataclass(frozen=True, kw_only=True)
class IntakeChannel:
    """What intake needs of a channel and of the dataset its events go to."""

    id: int
    name: str
    workspace: str
    provider: str
    currency: str | None
    post_policy: str
    is_test: bool
    #: The text of its messages is kept, sealed.
    keep_text: bool
    dataset_id: int | None
    dataset_meta_id: str | None
    dataset_sending: str | None
    dataset_automatic_policy: str | None
    dataset_unknown_policy: dict[str, Literal["resend", "hold"]] | None
    dataset_attribution_days: int | None
    dataset_consent_policy: str | None
    dataset_allow_zero_value: bool | None


_INTAKE = """
select c.id, c.name, c.workspace, c.provider, c.currency, c.post_policy,
       c.is_test or coalesce(d.is_test, false) as is_test, w.keep_text, c.dataset_id, d.meta_id as dataset_meta_id,
       d.sending as dataset_sending, d.unknown_policy as dataset_unknown_policy,
       d.automatic_policy as dataset_automatic_policy, d.attribution_days as dataset_attribution_days,
       d.consent_policy as dataset_consent_policy, d.allow_zero_value as dataset_allow_zero_value
from channels c join workspaces w on w.name = c.workspace left join datasets d on d.id = c.dataset_id
"""


def intake_channels(conn: psycopg.Connection[Any], ids: Sequence[int]) -> dict[int, IntakeChannel]:
    """The channels with these ids, each with its dataset."""
    with conn.cursor(row_factory=class_row(IntakeChannel)) as cursor:
        cursor.execute(f"{_INTAKE} where c.id = any(%s)", [list(ids)])
        return {channel.id: channel for channel in cursor.fetchall()}


def workspace_channels(conn: psycopg.Connection[Any], workspaces: Sequence[str]) -> dict[str, dict[int, IntakeChannel]]:
    """The channels of each of these workspaces by id, each with its dataset."""
    found: dict[str, dict[int, IntakeChannel]] = {workspace: {} for workspace in workspaces}
    with conn.cursor(row_factory=class_row(IntakeChannel)) as cursor:
        for channel in cursor.execute(f"{_INTAKE} where c.workspace = any(%s) order by c.id", [list(workspaces)]):
            found[channel.workspace][channel.id] = channel
    return found
