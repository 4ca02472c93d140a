"""What a command needs of its surroundings: settings, a database connection, the bell, and who is asking."""

import getpass
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
import psycopg

from console.errors import InvalidError, UnavailableError
from shared.crypto import CannotDecrypt, HashRing, KeyRing, KeyRingError
from shared.db.migrate import MigrationError, pending
from shared.db.pool import connect
from shared.local.stack import Stack, read_stack
from shared.logs import configure_logs
from shared.queue import Bell, Work, make_publisher, make_redis
from shared.settings import Settings, SettingsError, load_settings

STATE_DIR = ".local"
P = ParamSpec("P")
R = TypeVar("R")


class Session:
    """One run of a command. Nothing is read, opened or connected before it is asked for."""

    def __init__(self, environ: Mapping[str, str], *, state_dir: Path | None = None) -> None:
        self._own = environ
        self._state_dir = state_dir
        self._environ: Mapping[str, str] | None = None
        self.stack: Stack | None = None

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment; the running local stack's on top of it where it names no database itself."""
        if self._environ is None:
            self._environ = self._with_stack()
        return self._environ

    def settings(self, *needs: str) -> Settings:
        """The settings, with `needs` present. Raises InvalidError."""
        try:
            settings = load_settings(self.environ, needs=needs)
        except SettingsError as error:
            raise InvalidError(str(error)) from error
        configure_logs("ctwa", log_format=settings.log_format, level="warning")
        return settings

    @contextmanager
    def database(self, *, check: bool = True, seconds: float = 30) -> Iterator[psycopg.Connection[Any]]:
        """A connection; committed at the end, rolled back on an error. Raises UnavailableError."""
        url = self.settings("DATABASE_URL").database_url
        with readable_errors(), connect(url, process="ctwa", statement_seconds=seconds) as conn:
            if check and pending(conn):
                raise UnavailableError("The database is not up to date. Run `ctwa migrate`.")
            yield conn

    def secret_ring(self) -> KeyRing:
        """The ring of webhook secrets, bodies and identities."""
        return _key_ring("SECRET_KEYS", self.settings("SECRET_KEYS").secret_keys)

    def hash_ring(self) -> HashRing:
        """The ring that names are hashed under."""
        try:
            return HashRing(self.settings("HASH_KEYS").hash_keys)
        except KeyRingError as error:
            raise InvalidError(str(error)) from error

    def token_ring(self) -> KeyRing:
        """The ring of Meta tokens."""
        return _key_ring("TOKEN_KEYS", self.settings("TOKEN_KEYS").token_keys)

    def ring(self, work: Work) -> None:
        """Rings for work that may have become possible, if there is a Redis; else the sweeper finds it."""
        redis_url = self.settings().redis_url
        if redis_url:
            Bell(make_redis(redis_url), make_publisher(redis_url)).ring(work)

    @property
    def actor(self) -> str:
        """Who the audit log names."""
        try:
            return f"cli:{getpass.getuser()}"
        except (KeyError, OSError):
            return f"cli:uid {os.getuid()}"

    def _with_stack(self) -> Mapping[str, str]:
        if any(self._own.get(name, "").strip() for name in ("DATABASE_URL", "DATABASE_URL_FILE")):
            return self._own
        self.stack = find_stack(self._state_dir)
        if self.stack is None:
            return self._own
        click.echo(f"Using the local stack of {self.stack.state_dir}.", err=True)
        return {**self._own, **self.stack.extra.get("environment", {})}


def find_stack(state_dir: Path | None) -> Stack | None:
    """The local stack that runs on this folder, or on `.local` here or in a folder above."""
    here = Path.cwd()
    folders = [state_dir] if state_dir else [folder / STATE_DIR for folder in (here, *here.parents)]
    return next((stack for folder in folders if folder.is_dir() and (stack := read_stack(folder))), None)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turns what Postgres and its driver say into what to do. Their own words can hold pieces of the URL."""
    try:
        yield
    except (MigrationError, CannotDecrypt) as error:
        raise UnavailableError(str(error)) from error
    except psycopg.errors.UndefinedTable as error:
        raise UnavailableError("The database is not set up. Run `ctwa migrate`.") from error
    except psycopg.errors.UndefinedColumn as error:
        raise UnavailableError("The database is of another version. Run `ctwa migrate`.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise UnavailableError(
            "The database role may not do this: commands need the console's role, `ctwa migrate` the owner's."
        ) from error
    except psycopg.errors.UniqueViolation as error:
        raise UnavailableError("Somebody else added the same just now. Look, then try again.") from error
    except psycopg.errors.QueryCanceled as error:
        raise UnavailableError("Postgres took too long and was stopped. Ask for less, or try again.") from error
    except psycopg.OperationalError as error:
        raise UnavailableError(_why_away(error)) from error


def _key_ring(name: str, keys: Sequence[str]) -> KeyRing:
    try:
        return KeyRing(keys, name=name)
    except KeyRingError as error:
        raise InvalidError(str(error)) from error


def _why_away(error: psycopg.OperationalError) -> str:
    text = str(error)
    if "authentication failed" in text or "no password supplied" in text:
        return "Postgres refuses the user or password in DATABASE_URL."
    if "does not exist" in text:
        return "Postgres has no such database or role as DATABASE_URL names."
    return "Postgres can't be reached at the address in DATABASE_URL. Is it running?"


def open_session(ctx: click.Context) -> Session:
    """The session of this run, made of the process's environment unless a caller brought one."""
    root = ctx.find_root()
    if root.obj is None:
        root.obj = Session(os.environ, state_dir=root.params.get("state_dir"))
    assert isinstance(root.obj, Session)
    return root.obj


def session(command: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Gives a command the session as its first argument."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return command(open_session(click.get_current_context()), *args, **kwargs)

    return run
