"""The fixture of a worker's world; what is in it stands in `world.py`."""

import threading
from collections.abc import Iterator

import pytest

from shared.crypto import HashRing, KeyRing, generate_key
from shared.db.pool import open_pool
from shared.queue import Bell, make_publisher, make_redis
from shared.settings import load_settings
from tests.integration.workers.world import ScriptedGraph, World
from workers.identities import Identities
from workers.runtime import Runtime


@pytest.fixture
def world(database_url: str, valkey_url: str) -> Iterator[World]:
    keys = {name: generate_key() for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS")}
    settings = load_settings({"DATABASE_URL": database_url, "REDIS_URL": valkey_url, **keys})
    redis = make_redis(valkey_url)
    redis.flushall()
    secret_ring = KeyRing(settings.secret_keys, name="SECRET_KEYS")
    graph = ScriptedGraph()
    publisher = make_publisher(valkey_url)
    runtime = Runtime(
        settings=settings,
        pool=open_pool(database_url, process="test", size=4),
        bell=Bell(redis, publisher),
        secret_ring=secret_ring,
        token_ring=KeyRing(settings.token_keys, name="TOKEN_KEYS"),
        identities=Identities(secret_ring, HashRing(settings.hash_keys)),
        graph=graph,  # type: ignore[arg-type]
        stopping=threading.Event(),
    )
    yield World(runtime, graph, database_url)
    runtime.close()
    publisher.close()
    redis.close()
