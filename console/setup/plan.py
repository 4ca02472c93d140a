"""What a declarative file would change, and changing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from console.errors import ConflictError, InvalidError
from console.rules import DEFAULT_WORKSPACE, add_rule, change_rule
from console.rules import described as described_rule
from console.setup.channels import add_channel, change_channel, same_secret, secret_problems
from console.setup.channels import described as described_channel
from console.setup.credentials import add_credential, replace_token
from console.setup.datasets import add_dataset, change_dataset
from console.setup.datasets import described as described_dataset
from console.setup.document import Desired
from shared.crypto import KeyRing
from shared.db.channels import all_channels, open_secrets
from shared.db.credentials import all_credentials
from shared.db.datasets import all_datasets
from shared.db.rules import all_rules
from shared.providers import get_provider

_LOCK = 7_226_292_003  # Any number of our own: two files must not be applied at once.


@dataclass(frozen=True)
class Change:
    """One thing to add, change or disable; field -> (before, after), a secret as (None, None)."""

    kind: str
    name: str
    action: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Rings:
    """The two rings of keys that setting up needs; a ring may be missing when the file has nothing for it."""

    tokens: KeyRing | None
    secrets: KeyRing | None


@dataclass(frozen=True, repr=False)
class Present:
    """What there is, in the words of the file: tokens in clear, and channels with their current secrets."""

    credentials: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_present(conn: psycopg.Connection[Any], rings: Rings, desired: Desired) -> Present:
    """What there is; secrets only of what the file names. Raises CannotDecrypt."""
    return Present(
        credentials={
            one.name: rings.tokens.open(one.token).decode() if rings.tokens and one.name in desired.credentials else ""
            for one in all_credentials(conn)
        },
        datasets={one.name: described_dataset(conn, one) for one in all_datasets(conn)},
        channels={
            one.name: {
                **described_channel(conn, one),
                "secrets": next(iter(open_secrets(rings.secrets, one.secrets)), {})
                if rings.secrets and one.name in desired.channels
                else {},
            }
            for one in all_channels(conn)
        },
        rules={
            rule.name: {**described_rule(rule), "workspace": rule.workspace}
            for rule in all_rules(conn)
            if rule.workspace == desired.rules.get(rule.name, {}).get("workspace", DEFAULT_WORKSPACE)
        },
    )


def plan(desired: Desired, present: Present, *, prune: bool = False) -> list[Change]:
    """What has to change, in the order in which it can be done. Pure. Raises InvalidError with all that can't be.

    What the file doesn't name is left alone; with `prune`, such datasets stop sending, and such channels and rules are
    disabled.
    """
    _check_references(desired, present)
    changes = [
        Change("credential", name, "change" if name in present.credentials else "add", {"token": (None, None)})
        for name, token in desired.credentials.items()
        if not same_secret(present.credentials.get(name, ""), token)
    ]
    for name, said in desired.datasets.items():
        changes += _differences("dataset", name, said, present.datasets.get(name))
    for name, said in desired.channels.items():
        changes += _differences("channel", name, said, present.channels.get(name))
    for name, said in desired.rules.items():
        changes += _differences("rule", name, said, present.rules.get(name))
    if prune:
        changes += [
            Change("rule", name, "disable", {"enabled": (True, False)})
            for name, there in present.rules.items()
            if name not in desired.rules and there["enabled"]
        ]
        changes += [
            Change("channel", name, "disable", {"enabled": (True, False)})
            for name, there in present.channels.items()
            if name not in desired.channels and there["enabled"]
        ]
        changes += [
            Change("dataset", name, "disable", {"sending": (there["sending"], "off")})
            for name, there in present.datasets.items()
            if name not in desired.datasets and there["sending"] != "off"
        ]
    return changes


def carry_out(
    conn: psycopg.Connection[Any],
    rings: Rings,
    desired: Desired,
    agreed: Sequence[Change],
    *,
    prune: bool,
    actor: str,
) -> None:
    """Makes the changes that were agreed to, all or none. Raises ConflictError if they are other ones by now."""
    conn.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
    if plan(desired, read_present(conn, rings, desired), prune=prune) != list(agreed):
        raise ConflictError("Somebody else changed the same meanwhile, and nothing was done. Run it again.")
    for change in agreed:
        _carry_out_one(conn, rings, desired, change, actor=actor)


def _carry_out_one(
    conn: psycopg.Connection[Any], rings: Rings, desired: Desired, change: Change, *, actor: str
) -> None:
    name = change.name
    match change.kind, change.action:
        case "credential", action:
            assert rings.tokens is not None
            keep = add_credential if action == "add" else replace_token
            keep(conn, rings.tokens, name=name, token=desired.credentials[name], actor=actor)
        case "dataset", "add":
            add_dataset(conn, {"name": name, **desired.datasets[name]}, actor=actor)
        case "dataset", action:
            said = {"sending": "off"} if action == "disable" else desired.datasets[name]
            change_dataset(conn, name, said, actor=actor)
        case "rule", "add":
            add_rule(conn, {"name": name, **desired.rules[name]}, actor=actor)
        case "rule", action:
            said = dict({"enabled": False} if action == "disable" else desired.rules[name])
            workspace = said.pop("workspace", DEFAULT_WORKSPACE)
            change_rule(conn, name, said, actor=actor, workspace=workspace)
        case "channel", action:
            assert rings.secrets is not None
            if action == "add":
                add_channel(conn, rings.secrets, {"name": name, **desired.channels[name]}, actor=actor)
            else:
                said = {"enabled": False} if action == "disable" else desired.channels[name]
                change_channel(conn, rings.secrets, name, said, actor=actor)


def _differences(kind: str, name: str, said: Mapping[str, Any], there: Mapping[str, Any] | None) -> list[Change]:
    secrets = said.get("secrets", {})
    plain = {key: value for key, value in said.items() if key != "secrets"}
    if there is None:
        added: dict[str, tuple[Any, Any]] = {key: (None, value) for key, value in plain.items()}
        return [Change(kind, name, "add", added | {f"secrets.{key}": (None, None) for key in secrets})]
    differing = {key: (there[key], value) for key, value in plain.items() if there[key] != value}
    held = there.get("secrets", {})
    differing |= {
        f"secrets.{key}": (None, None) for key, value in secrets.items() if not same_secret(held.get(key, ""), value)
    }
    return [Change(kind, name, "change", differing)] if differing else []


def _check_references(desired: Desired, present: Present) -> None:
    problems: list[str] = []
    for name, said in desired.datasets.items():
        wanted = said.get("credential")
        if wanted and wanted not in {*desired.credentials, *present.credentials}:
            problems.append(f"datasets.{name}.credential: there is no such credential, here or in the database")
    for name, said in desired.channels.items():
        wanted = said.get("dataset")
        if wanted and wanted not in {*desired.datasets, *present.datasets}:
            problems.append(f"channels.{name}.dataset: there is no such dataset, here or in the database")
        problems += _channel_problems(name, said, present.channels.get(name))
    for name, said in desired.rules.items():
        wanted = said.get("channel")
        if wanted and wanted not in {*desired.channels, *present.channels}:
            problems.append(f"rules.{name}.channel: there is no such channel, here or in the database")
    if problems:
        raise InvalidError("This file can't be applied:\n" + "\n".join(f"  {problem}" for problem in problems))


def _channel_problems(name: str, said: Mapping[str, Any], there: Mapping[str, Any] | None) -> list[str]:
    if there and there["provider"] != said["provider"]:
        return [f"channels.{name}.provider: can't be changed; give the new channel another name"]
    given = {**(there["secrets"] if there else {}), **said.get("secrets", {})}
    unsigned = said.get("unsigned", there["unsigned"] if there else False)
    return [
        f"channels.{name}.secrets_env.{field_name}: {problem}"
        for field_name, problem in secret_problems(get_provider(said["provider"]), given, unsigned=unsigned).items()
    ]
