"""The rules that are switched on, read a few times a minute and not for each batch."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from shared.db.rules import live_rules
from shared.domain.rule_definitions import DefinitionError, read_definition
from shared.domain.rules import Definition, Trigger
from shared.logs import get_logger

log = get_logger(__name__)

#: A rule that is switched on or changed works after so many seconds at the latest.
FRESH_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class LiveRule:
    """One rule at work."""

    id: int
    version: int
    workspace: str
    channel_id: int | None
    enabled_at: datetime
    definition: Definition


class RuleBook:
    """What one process knows of the rules."""

    def __init__(self, *, seconds: float = FRESH_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._read_at: float | None = None
        self._rules: tuple[LiveRule, ...] = ()

    def rules(self, conn: psycopg.Connection[Any]) -> tuple[LiveRule, ...]:
        """All rules that are switched on. One that today's code can't read is left out, and logged."""
        now = self._clock()
        if self._read_at is None or now - self._read_at >= self._seconds:
            self._rules = _read(conn)
            self._read_at = now
        return self._rules


def triggers(rules: tuple[LiveRule, ...]) -> frozenset[Trigger]:
    """What these rules look at."""
    return frozenset(rule.definition.on for rule in rules)


def _read(conn: psycopg.Connection[Any]) -> tuple[LiveRule, ...]:
    found = []
    for row in live_rules(conn):
        try:
            definition = read_definition(row.definition)
        except DefinitionError:
            log.error("rule cannot be read", rule_id=row.id, version=row.version)
            continue
        found.append(
            LiveRule(
                id=row.id,
                version=row.version,
                workspace=row.workspace,
                channel_id=row.channel_id,
                enabled_at=row.enabled_at,
                definition=definition,
            )
        )
    return tuple(found)
