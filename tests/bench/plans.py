"""How Postgres runs the product's own statements: auto_explain says the plan of each, with what it touched."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

_SETTINGS = (
    "log_min_duration = 0",
    "log_format = json",
    "log_level = notice",
    "log_nested_statements = on",
    "log_analyze = on",
    "log_buffers = on",
    "log_timing = off",
)


@dataclass
class Plans:
    """What Postgres said of each statement."""

    found: list[dict[str, Any]] = field(default_factory=list)

    def take(self, notice: psycopg.errors.Diagnostic) -> None:
        text = notice.message_primary or ""
        if "plan:" in text:
            self.found.append(json.loads(text.partition("plan:")[2]))

    @property
    def blocks(self) -> int:
        """Blocks of 8 kB that were touched, in memory or not: the cost of a statement without the machine's noise."""
        return sum(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] for plan in self.found)

    def whole_tables_read(self, large: set[str]) -> list[str]:
        """Large tables, and partitions of them, that were read from end to end, with the statement."""
        return [
            f"{node['Relation Name']} by: {' '.join(plan['Query Text'].split())[:200]}"
            for plan in self.found
            for node in _nodes(plan["Plan"])
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in large and node["Actual Loops"]
        ]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _nodes(below)


@contextmanager
def watched(conn: psycopg.Connection[Any]) -> Iterator[Plans]:
    """The plans of all statements of the block. The connection must be a superuser's."""
    plans = Plans()
    conn.execute("load 'auto_explain'")
    for setting in _SETTINGS:
        conn.execute(f"set auto_explain.{setting}")
    conn.add_notice_handler(plans.take)
    try:
        yield plans
    finally:
        # The plan of the last statement comes when the next one begins.
        if conn.info.transaction_status is not psycopg.pq.TransactionStatus.INERROR:
            conn.execute("set auto_explain.log_min_duration = -1")
        conn.remove_notice_handler(plans.take)
