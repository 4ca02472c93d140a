"""The plan of the local stack: servers, then migrations and demo rows, then the processes, with their addresses."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import make_conninfo

from console.errors import ConsoleError
from console.stack.processes import (
    FLOWER_USER,
    MEASURED,
    Surroundings,
    processes,
)
from console.stack.secrets import kept_secrets
from console.stack.seed import sandbox_configuration, seed
from shared.db.migrate import MigrationError, migrate, set_role_passwords
from shared.local.ports import Ports
from shared.local.process import StackError
from shared.local.servers import choose_servers
from shared.local.supervisor import Plan, Step

_SERVED = ("receiver", "sandbox", "flower", "console")


@dataclass(frozen=True, kw_only=True, repr=False)
class _Databases:
    """The database, by the role one logs in with."""

    owner: str
    receiver: str
    worker: str
    console: str


def make_plan(state_dir: Path, environ: Mapping[str, str], *, wanted_ports: Mapping[str, int | None]) -> Plan:
    """The stack of this folder. Nothing is started; the folder gets its secrets and the sandbox's configuration.

    `environ` may name the servers, the keys and the roles' passwords; `wanted_ports` are by process.
    Raises StackError when a server is missing, OSError when a wanted port is taken.
    """
    state_dir = state_dir.resolve()
    values = kept_secrets(state_dir, environ)
    ports = Ports(state_dir)
    served = {name: ports.pick(name, wanted_ports.get(name)) for name in _SERVED}
    servers = choose_servers(
        state_dir,
        ports,
        database_url=environ.get("DATABASE_URL", "").strip(),
        redis_url=environ.get("REDIS_URL", "").strip(),
    )
    databases = _databases(servers.database_url, values)
    around = Surroundings(
        state_dir=state_dir,
        environ=environ,
        secrets=values,
        receiver_database_url=databases.receiver,
        worker_database_url=databases.worker,
        console_database_url=databases.console,
        redis_url=servers.redis_url,
        public_url=environ.get("PUBLIC_URL", "").strip() or f"http://127.0.0.1:{served['receiver']}",
        console_url=f"http://127.0.0.1:{served['console']}",
        ports=served,
        metrics={name: ports.pick(f"{name} metrics") for name in MEASURED},
    )
    return Plan(
        items=[
            Step("Folders and the sandbox's configuration", lambda: _prepare(around)),
            *servers.items,
            Step("Migrations and demo channels", lambda: _set_up(databases, values)),
            *processes(around),
        ],
        urls=_pages(around),
        addresses=_addresses(around),
        database_url=databases.owner,
        redis_url=around.redis_url,
        extra={
            "environment": _environment(around, databases.console),
            "flower": {"user": FLOWER_USER, "password": values["FLOWER_PASSWORD"]},
        },
    )


def as_role(database_url: str, role: str, password: str) -> str:
    """The same database as another role, whether the URL is a URL or a connection string."""
    if "://" not in database_url:
        return make_conninfo(database_url, user=role, password=password)
    parts = urlsplit(database_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{host}"))


def _databases(owner: str, values: Mapping[str, str]) -> _Databases:
    return _Databases(
        owner=owner,
        receiver=as_role(owner, "ctwa_receiver", values["RECEIVER_DB_PASSWORD"]),
        worker=as_role(owner, "ctwa_worker", values["WORKER_DB_PASSWORD"]),
        console=as_role(owner, "ctwa_console", values["CONSOLE_DB_PASSWORD"]),
    )


def _prepare(around: Surroundings) -> None:
    around.sandbox_config.touch(mode=0o600)
    around.sandbox_config.write_text(json.dumps(sandbox_configuration(around.secrets), indent=2))
    shutil.rmtree(around.metrics_dir, ignore_errors=True)
    around.metrics_dir.mkdir(mode=0o700)


def _set_up(databases: _Databases, values: Mapping[str, str]) -> None:
    """Brings the schema up to date as its owner, lets the roles log in, and adds the demo rows as the console."""
    try:
        with psycopg.connect(databases.owner) as conn:
            migrate(conn)
            _let_roles_log_in(conn, databases, values)
        with psycopg.connect(databases.console) as conn:
            seed(conn, values)
    except (MigrationError, ConsoleError) as error:
        raise StackError(str(error)) from error


def _let_roles_log_in(conn: psycopg.Connection[Any], databases: _Databases, values: Mapping[str, str]) -> None:
    """Sets the roles' passwords where ours don't fit. Roles belong to a whole server: another's are not overwritten."""
    for role, name, url in (
        ("ctwa_receiver", "RECEIVER_DB_PASSWORD", databases.receiver),
        ("ctwa_worker", "WORKER_DB_PASSWORD", databases.worker),
        ("ctwa_console", "CONSOLE_DB_PASSWORD", databases.console),
    ):
        if _logs_in(url):
            continue
        if conn.execute("select rolcanlogin from pg_roles where rolname = %s", [role]).fetchone() == (True,):
            raise StackError(
                f"The role {role} has another password on this server, from another installation or an earlier"
                f" state folder. Give it in {name}, or take it away: alter role {role} nologin;"
            )
        set_role_passwords(conn, {role: values[name]})


def _logs_in(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _pages(around: Surroundings) -> dict[str, str]:
    return {
        "console": f"{around.console_url}/",
        "sandbox": f"{around.graph_url}/",
        "flower": f"http://127.0.0.1:{around.ports['flower']}/",
        **{f"{name} metrics": f"http://127.0.0.1:{port}/metrics" for name, port in around.metrics.items()},
    }


def _addresses(around: Surroundings) -> dict[str, str]:
    return {"receiver": f"http://127.0.0.1:{around.ports['receiver']}", "graph": around.graph_url}


def _environment(around: Surroundings, database_url: str) -> dict[str, str]:
    """What `ctwa` needs to work with this stack; it logs in as the console."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": around.redis_url,
        **{name: around.secrets[name] for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS")},
        "GRAPH_URL": around.graph_url,
        "PUBLIC_URL": around.public_url,
        "CONSOLE_URL": around.console_url,
        "SPOOL_DIR": str(around.spool_dir),
    }
