"""What the workers' use-cases are given: settings, key rings, connections, the bell, the Graph client.

Built once a process, after the fork.
"""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg_pool import ConnectionPool

from shared.capi.versions import VersionState, check_version
from shared.crypto import HashRing, KeyRing
from shared.db.pool import open_pool
from shared.logs import get_logger
from shared.queue import Bell, make_publisher, make_redis
from shared.settings import Settings
from workers.capi.client import GraphClient
from workers.identities import Identities
from workers.rule_book import RuleBook

log = get_logger(__name__)

NEEDS = frozenset({"DATABASE_URL", "REDIS_URL", "TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS"})


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The handles of one worker process."""

    settings: Settings
    pool: ConnectionPool[Any]
    bell: Bell
    secret_ring: KeyRing
    token_ring: KeyRing
    identities: Identities
    graph: GraphClient
    rules: RuleBook = field(default_factory=RuleBook)
    #: Set when the process is asked to stop: no drain claims anything after that.
    stopping: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """Closes the pool; waits for nothing."""
        self.pool.close(timeout=2)


def build_runtime(
    settings: Settings, *, process: str, connections: int, stopping: threading.Event | None = None
) -> Runtime:
    """Opens the handles of this process. Nothing connects before it is used."""
    version = check_version(settings.graph_version, datetime.now(UTC).date())
    if version.state is not VersionState.OK:
        log.warning("graph version needs attention", state=version.state.value, detail=version.text)
    secret_ring = KeyRing(settings.secret_keys, name="SECRET_KEYS")
    return Runtime(
        settings=settings,
        pool=open_pool(settings.database_url, process=process, size=connections),
        bell=Bell(make_redis(settings.redis_url), make_publisher(settings.redis_url)),
        secret_ring=secret_ring,
        token_ring=KeyRing(settings.token_keys, name="TOKEN_KEYS"),
        identities=Identities(secret_ring, HashRing(settings.hash_keys)),
        stopping=stopping or threading.Event(),
        graph=GraphClient(settings.graph_url, settings.graph_version, allow_any_host=settings.graph_allow_other_host),
    )
