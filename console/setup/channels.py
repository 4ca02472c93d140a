"""Channels: adding and changing them, and giving them new secrets without losing a webhook."""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from console.errors import ConflictError, InvalidError, NotFoundError, invalid
from console.setup.datasets import dataset_named
from console.setup.schemas import ChannelSchema, load
from shared.crypto import KeyRing
from shared.db import audit
from shared.db.channels import (
    Channel,
    all_channels,
    channel_by,
    insert_channel,
    open_secrets,
    seal_secrets,
    update_channel,
)
from shared.db.datasets import all_datasets
from shared.domain.sentences import Sentence, sentence
from shared.providers import get_provider
from shared.providers.base import Provider


@dataclass(frozen=True, repr=False)
class AddedChannel:
    """A channel just made, with its secrets in full, since some go into the provider's settings."""

    id: int
    key: str
    name: str
    provider: str
    secrets: Mapping[str, str]


def add_channel(
    conn: psycopg.Connection[Any],
    ring: KeyRing,
    values: Mapping[str, Any],
    *,
    actor: str,
    key: str | None = None,
) -> AddedChannel:
    """Adds a channel under an unguessable URL key. `values` are ChannelSchema's, `ring` is SECRET_KEYS'.

    Secrets that the provider lets us choose are made up unless given. Raises InvalidError, ConflictError and
    NotFoundError.
    """
    said = load(ChannelSchema, values, what=sentence("This channel"))
    _name_is_free(conn, said["name"])
    provider = get_provider(said["provider"])
    complete = complete_secrets(provider, said["secrets"], unsigned=said["unsigned"])
    url_key = key or secrets.token_hex(16)
    columns = _columns(conn, said)
    channel_id = insert_channel(conn, {**columns, "key": url_key, "secrets": seal_secrets(ring, [complete])})
    audit.record(
        conn,
        actor=actor,
        action="channel.add",
        subject=f"channel:{said['name']}",
        detail=_auditable(said),
        workspace=said["workspace"],
    )
    return AddedChannel(channel_id, url_key, said["name"], provider.name, complete)


def change_channel(
    conn: psycopg.Connection[Any], ring: KeyRing, name: str, changes: Mapping[str, Any], *, actor: str
) -> Mapping[str, tuple[Any, Any]]:
    """Changes what `changes` says and nothing else; field -> (before, after), a secret's value left out.

    Secrets given here replace the present ones at once; `rotate_secrets` is the way that loses no webhook.
    """
    channel = channel_named(conn, name)
    said = load(ChannelSchema, changes, what=sentence("This change"), partial=True)
    if said.get("provider", channel.provider) != channel.provider:
        raise InvalidError(sentence("A channel's provider can't be changed: add another channel and disable this one."))
    given = said.pop("secrets", {})
    before = described(conn, channel)
    differing = {field: (before[field], value) for field, value in said.items() if before[field] != value}
    held = open_secrets(ring, channel.secrets)
    current = held[0] if held else {}
    changed_secrets = [field for field, value in given.items() if not same_secret(current.get(field, ""), value)]
    unsigned = said.get("unsigned", channel.unsigned)
    if changed_secrets or "unsigned" in differing:
        complete = complete_secrets(get_provider(channel.provider), {**current, **given}, unsigned=unsigned)
        held = [complete, *held[1:]]
        differing |= {f"secrets.{field}": (None, None) for field in changed_secrets}
    if not differing:
        return {}
    if "name" in differing:
        _name_is_free(conn, said["name"])
    columns = _columns(conn, {**before, **said})
    update_channel(conn, channel.id, {**columns, "secrets": seal_secrets(ring, held)})
    audit.record(
        conn,
        actor=actor,
        action="channel.change",
        subject=f"channel:{channel.name}",
        detail={"changes": {field: list(pair) for field, pair in differing.items()}},
        workspace=channel.workspace,
    )
    return differing


def rotate_secrets(
    conn: psycopg.Connection[Any], ring: KeyRing, name: str, given: Mapping[str, str], *, actor: str
) -> Mapping[str, str]:
    """Gives a channel new secrets beside the present ones, which stay valid until `finish_rotation`.

    The fields in `given` are replaced; without any, those we make up ourselves. The new secrets, complete.
    Raises NotFoundError, InvalidError, and ConflictError while an earlier rotation isn't finished.
    """
    channel = channel_named(conn, name)
    provider = get_provider(channel.provider)
    held = open_secrets(ring, channel.secrets)
    if len(held) > 1:
        raise ConflictError(
            sentence(
                "Channel {name!r} has two sets of secrets already. Finish with"
                " `ctwa channels rotate {name} --finish` once the provider uses the new one.",
                name=channel.name,
            )
        )
    if channel.unsigned:
        raise InvalidError(sentence("Channel {name!r} is unsigned; there is nothing to rotate.", name=channel.name))
    replaced = set(given) or {field.name for field in provider.secret_fields if field.generated}
    kept = {field: value for field, value in (held[0] if held else {}).items() if field not in replaced}
    complete = complete_secrets(provider, {**kept, **given}, unsigned=False)
    _write_secrets(conn, ring, channel, [complete, *held])
    audit.record(
        conn,
        actor=actor,
        action="channel.rotate",
        subject=f"channel:{channel.name}",
        detail={"fields": sorted(replaced)},
        workspace=channel.workspace,
    )
    return complete


def finish_rotation(conn: psycopg.Connection[Any], ring: KeyRing, name: str, *, actor: str) -> None:
    """Forgets a channel's previous secrets. Raises NotFoundError, and ConflictError if there are none."""
    channel = channel_named(conn, name)
    held = open_secrets(ring, channel.secrets)
    if len(held) < 2:
        raise ConflictError(
            sentence("Channel {name!r} has no previous secrets: no rotation is under way.", name=channel.name)
        )
    _write_secrets(conn, ring, channel, held[:1])
    audit.record(
        conn,
        actor=actor,
        action="channel.rotate.finish",
        subject=f"channel:{channel.name}",
        workspace=channel.workspace,
    )


def reveal_secrets(
    conn: psycopg.Connection[Any], ring: KeyRing, channel: Channel, *, actor: str
) -> list[dict[str, str]]:
    """A channel's secrets in clear, current first; the audit log keeps who asked. Raises CannotDecrypt."""
    audit.record(
        conn, actor=actor, action="channel.reveal", subject=f"channel:{channel.name}", workspace=channel.workspace
    )
    return open_secrets(ring, channel.secrets)


def complete_secrets(provider: Provider, given: Mapping[str, str], *, unsigned: bool) -> dict[str, str]:
    """The provider's secret fields, given, made up or by default. Raises InvalidError with all that is wrong.

    An unsigned channel needs no secret; what answers a provider's handshake is made up all the same.
    """
    if problems := secret_problems(provider, given, unsigned=unsigned):
        named = {f"secrets.{name}": problem for name, problem in problems.items()}
        raise invalid(sentence("This channel's secrets"), named)
    complete: dict[str, str] = {}
    for field in provider.secret_fields:
        if given.get(field.name):
            complete[field.name] = given[field.name]
        elif field.generated and (not unsigned or provider.handshake is not None):
            complete[field.name] = secrets.token_urlsafe(32)
        elif field.default is not None:
            complete[field.name] = field.default
    return complete


def secret_problems(provider: Provider, given: Mapping[str, str], *, unsigned: bool) -> dict[str, str]:
    """What is wrong with these secrets, by field: unknown to the provider, or needed and missing."""
    known = {field.name: field for field in provider.secret_fields}
    problems: dict[str, str] = dict.fromkeys(
        sorted(given.keys() - known.keys()), sentence("{provider} has no such field", provider=provider.name)
    )
    for name, field in known.items():
        obtainable = field.generated or field.default is not None or not field.required
        if not given.get(name) and not obtainable and not unsigned:
            problems[name] = sentence("is needed. {help}", help=Sentence.of(field.help, {}))
    return problems


def channel_named(conn: psycopg.Connection[Any], key_or_name: str) -> Channel:
    """The channel of that name or URL key. Raises NotFoundError."""
    channel = channel_by(conn, key_or_name)
    if channel is None:
        raise NotFoundError(sentence("There is no such channel. `ctwa channels list` names those there are."))
    return channel


def test_channel_of(conn: psycopg.Connection[Any], provider: str) -> Channel:
    """The first test channel of a provider, by name. Raises NotFoundError."""
    for channel in all_channels(conn):
        if channel.provider == provider and channel.is_test and channel.enabled:
            return channel
    raise NotFoundError(
        f"There is no test channel of {provider!r}. `ctwa up` brings one for each provider; so does"
        f" `ctwa channels add NAME --provider {provider} --test`."
    )


def described(conn: psycopg.Connection[Any], channel: Channel) -> dict[str, Any]:
    """A channel in ChannelSchema's words, without its secrets."""
    names = {dataset.id: dataset.name for dataset in all_datasets(conn)}
    return {
        "name": channel.name,
        "provider": channel.provider,
        "dataset": names.get(channel.dataset_id or 0),
        "workspace": channel.workspace,
        "currency": channel.currency,
        "country": channel.country,
        "zone": channel.zone,
        "posts": channel.post_policy,
        "margin": channel.margin_percent,
        "unsigned": channel.unsigned,
        "enabled": channel.enabled,
        "test": channel.is_test,
    }


def same_secret(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that says nothing of where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def webhook_url(public_url: str, key: str) -> str:
    """Where the provider has to post, or only the path when the receiver's address isn't set (PUBLIC_URL)."""
    return f"{public_url}/webhooks/{key}"


def _columns(conn: psycopg.Connection[Any], said: Mapping[str, Any]) -> dict[str, Any]:
    columns = {field: said[field] for field in ("name", "provider", "workspace", "currency", "country", "zone")}
    return {
        **columns,
        "unsigned": said["unsigned"],
        "enabled": said["enabled"],
        "post_policy": said["posts"],
        "margin_percent": said["margin"],
        "is_test": said["test"],
        "dataset_id": dataset_named(conn, said["dataset"]).id if said["dataset"] else None,
    }


def _write_secrets(
    conn: psycopg.Connection[Any], ring: KeyRing, channel: Channel, held: Sequence[Mapping[str, str]]
) -> None:
    columns = _columns(conn, described(conn, channel))
    update_channel(conn, channel.id, {**columns, "secrets": seal_secrets(ring, held)})


def _auditable(said: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in said.items() if field != "secrets"}


def _name_is_free(conn: psycopg.Connection[Any], name: str) -> None:
    if channel_by(conn, name) is not None:
        raise ConflictError(sentence("There is a channel {name!r} already. `ctwa channels set` changes it.", name=name))
