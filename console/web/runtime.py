"""What the console of one process stands on: the pool, the keys, and its own address."""

from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from flask import current_app

from console.team.throttle import Throttle
from shared.crypto import KeyRing, derive_keys
from shared.db.pool import open_pool
from shared.settings import LOOPBACK, Settings

#: The settings that a console can't do without.
NEEDS = ("DATABASE_URL", "SECRET_KEYS", "CONSOLE_URL")
_EXTENSION = "ctwa"


class Runtime:
    """Made after the fork. `close` gives the connections back."""

    def __init__(self, settings: Settings, *, connections: int) -> None:
        self.settings = settings
        self.ring = KeyRing(settings.secret_keys, name="SECRET_KEYS")
        self.throttle = Throttle(derive_keys(settings.secret_keys, purpose="login throttle")[0])
        #: They sign what a form carries; the newest signs, all of them are believed.
        self.cookie_keys = derive_keys(settings.secret_keys, purpose="console cookies")
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

    def close(self) -> None:
        """Gives the connections back."""
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
