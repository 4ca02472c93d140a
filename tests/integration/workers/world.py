"""A worker's world: real Postgres and Valkey, and a Graph whose answers the test decides."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from shared.capi.answers import Answer, read_answer
from shared.capi.inspection import Inspection
from shared.db.channels import insert_channel, seal_secrets
from shared.db.credentials import save_credential
from shared.db.datasets import insert_dataset
from shared.db.webhooks import NewWebhook, insert_webhooks
from shared.ids import uuid7
from shared.providers.samples import load_sample
from workers import intake, sending
from workers.runtime import Runtime

TOKEN = "EAAtoken0123456789"


def graph_error(status: int, code: int, subcode: int | None = None) -> tuple[int, dict[str, str], bytes]:
    error: dict[str, Any] = {
        "message": "Invalid parameter",
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": "Atrace",
    }
    if subcode is not None:
        error["error_subcode"] = subcode
    return status, {}, json.dumps({"error": error}).encode()


@dataclass
class ScriptedGraph:
    """Stands where GraphClient stands. Answers come from `script` in order, then by `rule`; bodies are kept."""

    script: deque[Any] = field(default_factory=deque)
    rule: Callable[[list[dict[str, Any]]], Any] | None = None
    posted: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    #: What a probe is answered; by default the refusal of empty data that proves access.
    probe_answer: Any = None
    inspection: Inspection = Inspection(result="ok")  # noqa: RUF009 - it is frozen.
    inspected: list[str] = field(default_factory=list)

    def post_events(self, dataset_meta_id: str, token: str, body: bytes) -> Answer:
        content = json.loads(body)
        self.posted.append((dataset_meta_id, token, content))
        sent = len(content["data"])
        answer = self.script.popleft() if self.script else self.rule(content["data"]) if self.rule else None
        if isinstance(answer, Answer):
            return answer
        status, headers, text = answer or (200, {}, json.dumps({"events_received": sent, "fbtrace_id": "A1"}).encode())
        return read_answer(status, headers, text, sent=sent)

    def inspect(self, token: str) -> Inspection:
        self.inspected.append(token)
        return self.inspection

    def probe(self, dataset_meta_id: str, token: str) -> Answer:
        status, headers, text = self.probe_answer or graph_error(400, 100, 2804019)
        return read_answer(status, headers, text, sent=0)

    @property
    def event_ids(self) -> list[str]:
        return [event["event_id"] for _, _, content in self.posted for event in content["data"]]


@dataclass
class World:
    runtime: Runtime
    graph: ScriptedGraph
    url: str

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as conn:
            return conn.execute(query, parameters).fetchall()

    def execute(self, query: str, *parameters: Any) -> None:
        with psycopg.connect(self.url) as conn:
            conn.execute(query, parameters)

    def add_dataset(self, name: str = "main", *, token: str = TOKEN, **changes: Any) -> int:
        with psycopg.connect(self.url) as conn:
            credential = save_credential(conn, f"token of {name}", self.runtime.token_ring.seal(token.encode()))
            values = {
                "name": name, "meta_id": "1200000000000001", "kind": "whatsapp", "profile": "whatsapp",
                "waba_id": "1000000000000001", "page_id": None, "credential_id": credential, "sending": "on",
                "batch_max": 50, "test_event_code": None, "is_test": False,
            }  # fmt: skip
            return insert_dataset(conn, values | changes)

    def add_channel(self, name: str = "sales", *, dataset_id: int | None, **changes: Any) -> int:
        with psycopg.connect(self.url) as conn:
            values = {
                "key": f"{name}-key-0123456789", "name": name, "workspace": "default", "provider": "whapi",
                "secrets": seal_secrets(self.runtime.secret_ring, [{"token": "s"}]), "unsigned": False,
                "dataset_id": dataset_id, "currency": None, "country": None, "zone": "UTC", "post_policy": "ignore",
                "enabled": True, "is_test": False,
            }  # fmt: skip
            return insert_channel(conn, values | changes)

    def receive(self, channel_id: int, body: bytes, *, received_at: datetime | None = None) -> None:
        """Stores a webhook as the receiver would."""
        webhook = NewWebhook(
            id=uuid7(), received_at=received_at or datetime.now(UTC), source="channel", source_id=channel_id,
            method="POST", path="", query="", headers={}, body=self.runtime.secret_ring.seal(body),
            body_bytes=len(body),
        )  # fmt: skip
        with psycopg.connect(self.url) as conn:
            insert_webhooks(conn, [webhook])

    def receive_sample(self, channel_id: int, case: str = "ad", *, provider: str = "whapi", **changes: Any) -> None:
        self.receive(channel_id, load_sample(provider, case, now=changes.pop("now", datetime.now(UTC)), **changes))

    def receive_ads(self, channel_id: int, count: int) -> None:
        for number in range(count):
            self.receive_sample(channel_id, phone=f"1555010{number:04d}")

    def intake(self) -> int:
        return intake.drain(self.runtime)

    def send(self) -> int:
        """Sends what is due, jittered retries included."""
        self.execute("update deliveries set next_attempt_at = now() where state = 'pending'")
        return sending.drain(self.runtime)

    def deliveries(self) -> list[dict[str, Any]]:
        return self.rows("select * from deliveries order by id")

    def states(self) -> list[str]:
        return [row["state"] for row in self.deliveries()]

    def dataset(self, name: str = "main") -> dict[str, Any]:
        query = "select * from datasets where name = %s"
        return self.rows(query, name)[0]
