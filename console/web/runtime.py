"""What the console of one process stands on: the pool, the keys, and its own address."""

from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import psycopg
from flask import current_app

from console.errors import UnavailableError
from console.team.throttle import Throttle
from console.team.words import N_
from console.web.background import Background
from console.web.turns import Turns
from shared.crypto import HashRing, KeyRing, derive_keys
from shared.db.pool import open_pool
from shared.limits import RefusalLimit
from shared.queue import Bell, Work, make_publisher, make_redis
from shared.settings import LOOPBACK, Settings

#: The settings that a console can't do without.
NEEDS = ("DATABASE_URL", "SECRET_KEYS", "CONSOLE_URL")
_EXTENSION = "ctwa"
#: So many pages of one person, or calls of one key, are made at once by a process, which leaves threads for others.
#: Browsers open six connections to a host.
MOST_OF_ONE = 6


class Runtime:
    """Made after the fork. `close` gives the connections back."""

    def __init__(self, settings: Settings, *, connections: int) -> None:
        self.settings = settings
        self.ring = KeyRing(settings.secret_keys, name="SECRET_KEYS")
        self.throttle = Throttle(derive_keys(settings.secret_keys, purpose="login throttle")[0])
        #: They sign what a form carries; the newest signs, all of them are believed.
        self.cookie_keys = derive_keys(settings.secret_keys, purpose="console cookies")
        self.refusals = RefusalLimit()
        self.turns = Turns(each=MOST_OF_ONE)
        self.background = Background()
        self.pool = open_pool(settings.database_url, process="console", size=connections)
        parts = urlsplit(settings.console_url)
        self.scheme = parts.scheme
        host = parts.hostname or ""
        #: Names that a request may be for; a page opened under any other name is somebody else's.
        self.hosts = list(LOOPBACK if host in LOOPBACK else (host,))

    @property
    def secure(self) -> bool:
        """Whether cookies may only travel by https."""
        return self.scheme == "https"

    @cached_property
    def hash_ring(self) -> HashRing:
        """The ring that names are hashed under. Raises UnavailableError."""
        if not self.settings.hash_keys:
            raise UnavailableError(N_("The console was started without HASH_KEYS. Set it, as for the workers."))
        return HashRing(self.settings.hash_keys)

    @cached_property
    def token_ring(self) -> KeyRing:
        """The ring of Meta tokens. Raises UnavailableError."""
        if not self.settings.token_keys:
            raise UnavailableError(N_("The console was started without TOKEN_KEYS. Set it, as for the workers."))
        return KeyRing(self.settings.token_keys, name="TOKEN_KEYS")

    @cached_property
    def _bell(self) -> Bell | None:
        url = self.settings.redis_url
        return Bell(make_redis(url), make_publisher(url)) if url else None

    def ring_for(self, work: Work) -> None:
        """Rings for work that may have become possible; without Redis the sweeper finds it. Once it is committed."""
        if self._bell:
            self._bell.ring(work)

    def close(self) -> None:
        """Gives the connections back."""
        self.background.close()
        self.pool.close()


def install(app: Any, runtime: Runtime) -> None:
    """Lets views find the runtime."""
    app.extensions[_EXTENSION] = runtime


def runtime() -> Runtime:
    """The runtime of the application that serves this request."""
    found = current_app.extensions[_EXTENSION]
    assert isinstance(found, Runtime)
    return found


def database() -> AbstractContextManager[psycopg.Connection[Any]]:
    """A connection for a block: committed at its end, rolled back on an exception."""
    return runtime().pool.connection()
