"""What the rules make of one call to `/events`: version, token, permission, data, events. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox import rules, versions, wire
from sandbox.errors import (
    PROOF_MISSING,
    PROOF_WRONG,
    SCOPE_MISSING,
    TOKEN_EXPIRED,
    TOKEN_MISSING,
    TOKEN_REVOKED,
    TOKEN_UNKNOWN,
    UNVERSIONED,
    GraphError,
    object_missing,
    unknown_path,
)
from sandbox.store import Outcome
from sandbox.world import MESSAGING_SCOPES, Dataset, Token, World


@dataclass(frozen=True)
class Asked:
    """A call as it came in."""

    version: str
    object_id: str
    path: str
    params: Mapping[str, Any]
    secret: str | None = field(repr=False)
    now: datetime


@dataclass(frozen=True)
class Judged:
    """A refusal, or the events to keep. `count`: how many events were sent, None where that is not known."""

    error: GraphError | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    count: int | None = None

    @property
    def outcome(self) -> Outcome:
        if self.error is wire.DATA_EMPTY:
            return "probe"
        return "accepted" if self.error is None else "refused"


def version(asked: Asked) -> versions.Served | GraphError:
    """The version that serves the call."""
    if not versions.looks_like_a_version(asked.version):
        return UNVERSIONED
    return versions.serve(asked.version, asked.now.date()) or unknown_path(asked.path)


def token(world: World, asked: Asked) -> Token | GraphError:
    """The token, if it is known and alive, with its proof if its app wants one."""
    if asked.secret is None:
        return TOKEN_MISSING
    found = world.token(asked.secret)
    if found is None:
        return TOKEN_UNKNOWN
    if found.state in ("expired", "revoked"):
        return TOKEN_EXPIRED if found.state == "expired" else TOKEN_REVOKED
    if found.app_secret is None:
        return found
    proof = asked.params.get("appsecret_proof")
    if proof is None:
        return PROOF_MISSING
    return found if wire.proof_is_right(found.app_secret, asked.secret, proof) else PROOF_WRONG


def dataset(world: World, found: Token, asked: Asked) -> Dataset | GraphError:
    """The dataset, if this token may post to it."""
    target = world.datasets.get(asked.object_id)
    if target is None or not found.may_use(target.id):
        return object_missing(asked.object_id)
    if target.waba_id and target.era == "current" and not found.scopes >= MESSAGING_SCOPES:
        return SCOPE_MISSING
    return target


def events(world: World, asked: Asked) -> Judged:
    """The whole judgement on a call to `/events`."""
    served = version(asked)
    if isinstance(served, GraphError):
        return Judged(served)
    caller = token(world, asked)
    if isinstance(caller, GraphError):
        return Judged(caller)
    target = dataset(world, caller, asked)
    if isinstance(target, GraphError):
        return Judged(target)
    sent = wire.events(asked.params.get("data"))
    if isinstance(sent, GraphError):
        return Judged(sent)
    error = rules.first_refusal(sent, rules.Context(target, world.clicks, asked.now))
    return Judged(error, [] if error else sent, len(sent))
