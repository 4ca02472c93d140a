"""The `audit_log` table: who changed what."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb


def record(
    conn: psycopg.Connection[Any],
    *,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Writes one line of the audit log, in the caller's transaction. `detail` holds no secret and no personal data."""
    conn.execute(
        "insert into audit_log (actor, action, subject, detail) values (%s, %s, %s, %s)",
        [actor, action, subject, Jsonb(dict(detail or {}))],
    )
