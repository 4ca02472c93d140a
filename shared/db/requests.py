"""The `capi_requests` and `attempts` tables: every HTTP call to Meta, written down before it is made."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb


def start_request(
    conn: psycopg.Connection[Any],
    *,
    request_id: UUID,
    dataset_id: int,
    token: UUID,
    graph_version: str,
    events: int,
    redacted_body: Mapping[str, Any],
) -> None:
    """Writes the request about to be made; `started_at` is Postgres's now."""
    conn.execute(
        """
        insert into capi_requests (id, dataset_id, lease_token, graph_version, events, body)
        values (%s, %s, %s, %s, %s, %s)
        """,
        [request_id, dataset_id, token, graph_version, events, Jsonb(dict(redacted_body))],
    )


def finish_request(conn: psycopg.Connection[Any], request_id: UUID, answer: Mapping[str, Any]) -> None:
    """Keeps Meta's answer, also when it comes after the lease was lost."""
    conn.execute(
        """
        update capi_requests set finished_at = now(), verdict = %(verdict)s, http_status = %(http_status)s,
               code = %(code)s, subcode = %(subcode)s, events_received = %(events_received)s,
               trace_id = %(trace_id)s, title = %(title)s, message = %(message)s, milliseconds = %(milliseconds)s
        where id = %(id)s
        """,
        {**answer, "id": request_id},
    )


def finish_attempts(
    conn: psycopg.Connection[Any], request_id: UUID, ids: Sequence[int], outcomes: Sequence[str]
) -> None:
    """Writes what each delivery of a request became by it."""
    conn.execute(
        """
        update attempts a set finished_at = now(), outcome = o.outcome
        from unnest(%s::bigint[], %s::text[]) as o (id, outcome)
        where a.request_id = %s and a.delivery_id = o.id
        """,
        [list(ids), list(outcomes), request_id],
    )
