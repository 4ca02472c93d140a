"""Hands items over to intake: stored durably as requests of the workspace, sealed, up to 500 items in each."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from shared.crypto import KeyRing
from shared.db import audit
from shared.db.webhooks import NewWebhook, insert_webhooks
from shared.db.workspaces import Workspace
from shared.domain.submission_forms import MAX_ITEMS
from shared.domain.submissions import ACTOR, ORIGIN
from shared.ids import uuid7


def hand_over(
    conn: psycopg.Connection[Any],
    ring: KeyRing,
    workspace: Workspace,
    path: str,
    items: Sequence[Mapping[str, Any]],
    *,
    origin: str,
    actor: str,
    detail: Mapping[str, Any],
) -> list[UUID]:
    """Stores the items as requests of this kind of path; the requests' ids. Audited with `detail`: no names in it.

    `ring` is SECRET_KEYS'; `origin` is csv or console. All or nothing is stored, with the caller's transaction.
    """
    webhooks = []
    for first in range(0, len(items), MAX_ITEMS):
        body = json.dumps({"data": items[first : first + MAX_ITEMS]}).encode()
        webhooks.append(
            NewWebhook(
                id=uuid7(),
                received_at=datetime.now(UTC),
                source="import",
                source_id=workspace.id,
                method="POST",
                path=path,
                query="",
                headers={ORIGIN: origin, ACTOR: actor},
                body=ring.seal(body),
                body_bytes=len(body),
            )
        )
    insert_webhooks(conn, webhooks)
    audit.record(
        conn,
        actor=actor,
        action=f"{path}.{'import' if origin == 'csv' else 'set'}",
        subject=f"workspace:{workspace.name}",
        detail={"items": len(items), **detail},
    )
    return [webhook.id for webhook in webhooks]
