"""Programs that ask the API, and report through intake's own code."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from werkzeug.test import TestResponse

from console.team.keys import make_key
from shared.crypto import HashRing, KeyRing
from shared.db.pool import server_time
from shared.db.submissions import Reporter
from shared.db.webhooks import ClaimedWebhook, NewWebhook, insert_webhooks
from shared.db.workspaces import ensure_workspace
from shared.domain.api_scopes import Scope
from shared.ids import item_id, uuid7
from tests.integration.web.site import CONSOLE_URL, Site
from workers.identities import Identities
from workers.requests import read_request
from workers.submissions import store_submissions

NOW = datetime.now(UTC).replace(microsecond=0)
PHONE = "+15550100123"


def sale(**fields: Any) -> dict[str, Any]:
    return {
        "contact": {"phone": PHONE},
        "event_name": "Purchase",
        "occurred_at": (NOW - timedelta(hours=1)).isoformat(),
        "value": "19.90",
        "currency": "EUR",
        "order_id": "A-1",
        **fields,
    }


class Program:
    """A program with a key of one workspace, and what intake makes of what it reports."""

    def __init__(
        self, site: Site, workspace: str = "default", scopes: list[Scope] | None = None, *, is_test: bool = False
    ) -> None:
        self.site = site
        self.workspace = workspace
        with psycopg.connect(site.owner_url) as conn:
            ensure_workspace(conn, workspace)
            made = make_key(
                conn, workspace=workspace, name=uuid4().hex, scopes=scopes or list(Scope), is_test=is_test, actor="test"
            )
        self.key_id, self.key = made.id, made.secret

    def ask(self, path: str, *, method: str = "GET", **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        client = self.site.app.test_client()
        return client.open(f"/api/v1/{path}", method=method, base_url=CONSOLE_URL, headers=headers, **more)

    def json(self, path: str, **more: Any) -> Any:
        answer = self.ask(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def accepted(self, *items: dict[str, Any], kind: str = "conversions") -> NewWebhook:
        """A request as the receiver keeps it; nobody has read it."""
        body = json.dumps({"data": items}).encode()
        webhook = NewWebhook(
            id=uuid7(), received_at=datetime.now(UTC), source="api_key", source_id=self.key_id, method="POST",
            path=kind, query="", headers={}, body=self.site.runtime.ring.seal(body), body_bytes=len(body),
        )  # fmt: skip
        with psycopg.connect(self.site.owner_url) as conn:
            insert_webhooks(conn, [webhook])
        return webhook

    def reported(self, *items: dict[str, Any], kind: str = "conversions") -> list[UUID]:
        """A request that intake has read; the ids of its items."""
        webhook = self.accepted(*items, kind=kind)
        reporter = Reporter(source="api_key", source_id=self.key_id, workspace=self.workspace, scopes=(), is_test=False)
        ring: KeyRing = self.site.runtime.ring
        claimed = ClaimedWebhook(
            **{name: value for name, value in webhook.__dict__.items() if name != "body_bytes"}, crashes=0
        )
        identities = Identities(ring, HashRing(self.site.runtime.settings.hash_keys))
        with psycopg.connect(self.site.owner_url) as conn:
            store_submissions(conn, identities, [read_request(claimed, reporter, ring)], now=server_time(conn))
            conn.execute("update webhooks set state = 'done', finished_at = now() where id = %s", [webhook.id])
        return [item_id(webhook.id, place) for place in range(len(items))]
