"""The `rules` and `rule_versions` tables: what follows when something happens in a chat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True, kw_only=True)
class RuleRow:
    """One rule as it is now. `channel` None: every channel of the workspace.

    `fired` counts the conversions that it made, and the changes of contacts.
    """

    id: int
    workspace: str
    channel_id: int | None
    channel: str | None
    name: str
    enabled: bool
    enabled_at: datetime | None
    version: int
    definition: dict[str, Any]
    failures: int
    failed_at: datetime | None
    failure: str | None
    created_at: datetime
    updated_at: datetime
    fired: int
    last_fired_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    """What a rule said at some time, and who made it say so."""

    version: int
    definition: dict[str, Any]
    actor: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class LiveRow:
    """A rule that is switched on, as intake needs it."""

    id: int
    workspace: str
    channel_id: int | None
    version: int
    definition: dict[str, Any]
    enabled_at: datetime


_RULE = """
select r.id, r.workspace, r.channel_id, c.name as channel, r.name, r.enabled, r.enabled_at, r.version, r.definition,
       r.failures, r.failed_at, r.failure, r.created_at, r.updated_at, coalesce(f.fired, 0) as fired, f.last_fired_at
from rules r left join channels c on c.id = r.channel_id
left join lateral (
    select count(*) as fired, max(created_at) as last_fired_at
    from (select v.created_at from conversions v where v.rule_id = r.id
          union all
          select h.created_at from contact_changes h where h.rule_id = r.id) made) f on true
"""


def all_rules(conn: psycopg.Connection[Any], *, workspace: str | None = None) -> list[RuleRow]:
    """Every rule, of one workspace or of all, by name."""
    with conn.cursor(row_factory=class_row(RuleRow)) as cursor:
        return cursor.execute(
            f"{_RULE} where r.removed_at is null and (%(workspace)s::text is null or r.workspace = %(workspace)s)"
            " order by r.workspace, r.name",
            {"workspace": workspace},
        ).fetchall()


def rule_by_name(conn: psycopg.Connection[Any], workspace: str, name: str) -> RuleRow | None:
    """The rule of that name in a workspace."""
    with conn.cursor(row_factory=class_row(RuleRow)) as cursor:
        return cursor.execute(
            f"{_RULE} where r.workspace = %s and r.name = %s and r.removed_at is null", [workspace, name]
        ).fetchone()


def rule_by_id(conn: psycopg.Connection[Any], rule_id: int) -> RuleRow | None:
    """The rule with this id, also one that was removed."""
    with conn.cursor(row_factory=class_row(RuleRow)) as cursor:
        return cursor.execute(f"{_RULE} where r.id = %s", [rule_id]).fetchone()


def versions_of(conn: psycopg.Connection[Any], rule_id: int) -> list[VersionRow]:
    """Everything a rule ever said, newest first."""
    with conn.cursor(row_factory=class_row(VersionRow)) as cursor:
        return cursor.execute(
            "select version, definition, actor, created_at from rule_versions where rule_id = %s order by version desc",
            [rule_id],
        ).fetchall()


def insert_rule(
    conn: psycopg.Connection[Any],
    *,
    workspace: str,
    channel_id: int | None,
    name: str,
    enabled: bool,
    definition: Mapping[str, Any],
    actor: str,
) -> int:
    """Adds a rule with its first version; its id."""
    row = conn.execute(
        """
        insert into rules (workspace, channel_id, name, enabled, enabled_at, definition)
        values (%s, %s, %s, %s, case when %s then now() end, %s) returning id
        """,
        [workspace, channel_id, name, enabled, enabled, Jsonb(dict(definition))],
    ).fetchone()
    assert row is not None
    _insert_version(conn, int(row[0]), actor)
    return int(row[0])


def update_rule(
    conn: psycopg.Connection[Any],
    rule_id: int,
    *,
    name: str,
    channel_id: int | None,
    enabled: bool,
    definition: Mapping[str, Any],
    actor: str,
) -> None:
    """Writes what a rule is now; another definition is another version, and begins without failures.

    A rule looks at nothing that came before it was switched on, or before it said what it says.
    """
    row = conn.execute(
        """
        update rules set name = %(name)s, channel_id = %(channel_id)s, enabled = %(enabled)s,
            enabled_at = case when not %(enabled)s then null
                              when enabled and definition = %(definition)s then enabled_at else now() end,
            version = version + (definition <> %(definition)s)::int,
            failures = case when definition = %(definition)s then failures else 0 end,
            failed_at = case when definition = %(definition)s then failed_at end,
            failure = case when definition = %(definition)s then failure end,
            definition = %(definition)s, updated_at = now()
        where id = %(id)s
        returning not exists (select from rule_versions v where v.rule_id = rules.id and v.version = rules.version)
        """,
        {
            "id": rule_id,
            "name": name,
            "channel_id": channel_id,
            "enabled": enabled,
            "definition": Jsonb(dict(definition)),
        },
    ).fetchone()
    if row and row[0]:
        _insert_version(conn, rule_id, actor)


def remove_rule(conn: psycopg.Connection[Any], rule_id: int) -> None:
    """Takes a rule away. Its versions stay, for the conversions it made."""
    conn.execute(
        "update rules set enabled = false, enabled_at = null, removed_at = now(), updated_at = now() where id = %s",
        [rule_id],
    )


def live_rules(conn: psycopg.Connection[Any]) -> list[LiveRow]:
    """Every rule that is switched on."""
    with conn.cursor(row_factory=class_row(LiveRow)) as cursor:
        return cursor.execute(
            "select id, workspace, channel_id, version, definition, enabled_at from rules where enabled order by id"
        ).fetchall()


def record_failures(conn: psycopg.Connection[Any], failures: Sequence[tuple[int, int, str]]) -> None:
    """Counts failures of rules: (rule, how many, why the last)."""
    for rule_id, count, failure in sorted(failures):
        conn.execute(
            "update rules set failures = failures + %s, failed_at = now(), failure = %s where id = %s",
            [count, failure, rule_id],
        )


def _insert_version(conn: psycopg.Connection[Any], rule_id: int, actor: str) -> None:
    conn.execute(
        "insert into rule_versions (rule_id, version, definition, actor)"
        " select id, version, definition, %s from rules where id = %s",
        [actor, rule_id],
    )
