"""The API on a database of the test."""

import threading
from collections.abc import Callable, Iterator

import pytest

from shared.crypto import HashRing
from shared.db.pool import open_pool
from shared.queue import Bell, make_publisher, make_redis
from tests.integration.api.programs import Program
from tests.integration.web.conftest import (  # noqa: F401 - fixtures.
    business_template,
    business_url,
    console_environment,
    console_role,
    site,
)
from tests.integration.web.site import Site
from tests.integration.workers.world import ScriptedGraph
from workers import intake
from workers.identities import Identities
from workers.runtime import Runtime


@pytest.fixture(name="program")
def make_program(site: Site) -> Program:  # noqa: F811
    """A program with a key of the workspace `default`."""
    return Program(site)


@pytest.fixture
def read_all(site: Site, valkey_url: str) -> Iterator[Callable[[], int]]:  # noqa: F811
    """Has a worker read whatever waits, on the same database and keys."""
    redis, publisher = make_redis(valkey_url), make_publisher(valkey_url)
    ring = site.runtime.ring
    runtime = Runtime(
        settings=site.runtime.settings,
        pool=open_pool(site.owner_url, process="test", size=2),
        bell=Bell(redis, publisher),
        secret_ring=ring,
        token_ring=ring,
        identities=Identities(ring, HashRing(site.runtime.settings.hash_keys)),
        graph=ScriptedGraph(),  # type: ignore[arg-type]
        stopping=threading.Event(),
    )
    yield lambda: intake.drain(runtime)
    runtime.close()
    publisher.close()
    redis.close()
