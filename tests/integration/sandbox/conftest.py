from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.config import apply
from sandbox.server import Sandbox
from sandbox.state import State
from sandbox.store import Store
from sandbox.world import World

CONFIG: dict[str, Any] = {
    "wabas": [{"id": "100000000000001", "name": "Shop"}, {"id": "100000000000002", "name": "New shop"}],
    "datasets": [
        {"id": "1000000000000001", "name": "Shop Event Data", "waba_id": "100000000000001"},
        {"id": "1000000000000002", "era": "guide"},
        {"id": "1000000000000003", "name": "Website"},
    ],
    "tokens": [
        {"token": "good-token"},
        {"token": "narrow-token", "datasets": ["1000000000000003"]},
        {"token": "expired-token", "state": "expired"},
        {"token": "revoked-token", "state": "revoked"},
        {"token": "write-token", "state": "write_only"},
        {"token": "scopeless-token", "scopes": ["whatsapp_business_management"]},
        {"token": "proof-token", "app_secret": "synthetic-app-secret"},
    ],
}


class Client:
    """Talks to one sandbox, as a sender and as a test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False

    def events(
        self, data: Any, /, dataset: str = "1000000000000001", version: str = "v25.0", **options: Any
    ) -> requests.Response:
        options.setdefault("headers", {"Authorization": "Bearer good-token"})
        options.setdefault("json", {"data": data})
        options.setdefault("timeout", 30)
        return self.http.post(f"{self.url}/{version}/{dataset}/events", **options)

    def graph(self, method: str, path: str, token: str = "good-token", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return self.http.request(method, self.url + path, headers=headers, timeout=30, **options)

    def control(self, method: str, path: str, document: Any = None, **params: Any) -> dict[str, Any]:
        answer = self.http.request(method, f"{self.url}/__sandbox/{path}", json=document, params=params, timeout=30)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def received(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "received", **filters)["events"]
        return found

    def last_request(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control("GET", "requests")["requests"][-1]
        return found


@pytest.fixture
def graph() -> Iterator[Client]:
    """A sandbox of its own for each test, on a free port, in memory."""
    with Sandbox(State(apply(CONFIG, World()), Store())) as sandbox:
        client = Client(sandbox.url)
        yield client
        client.http.close()
