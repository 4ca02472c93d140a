"""The servers of a run: a Postgres with fsync, a Valkey with an append-only file, the sandbox, a proxy before each."""

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis
import requests
from psycopg.conninfo import make_conninfo

from console.stack.plan import as_role
from console.stack.processes import MEASURED, Surroundings, processes
from shared.api_keys import PREFIX, hash_key
from shared.crypto import KeyRing, generate_key
from shared.db.api_keys import insert_api_key
from shared.db.channels import insert_channel, seal_secrets
from shared.db.credentials import save_credential
from shared.db.datasets import insert_dataset
from shared.db.migrate import migrate, set_role_passwords
from shared.domain.api_scopes import Scope
from shared.local.ports import Ports
from shared.local.postgres import Postgres, embedded_postgres
from shared.local.valkey import embedded_valkey
from shared.providers import PROVIDERS
from tests.faults.keeper import Keeper
from tests.faults.proxy import PASS, Proxy

#: What no log may hold: every token, channel secret, click id and phone number of a run contains one of these.
TOKEN_CANARY = "EAACANARYtoken"
SECRET_CANARY = "canarysecret"
CLICK_CANARY = "AfCANARYclick"
PHONE_CANARY = "1555837"
KEY_CANARY = "CANARYkey"

_TEMPLATE = "faults_template"
_ROLES = ("ctwa_receiver", "ctwa_worker", "ctwa_console")
_CONTROL_SECONDS = 30


@dataclass(frozen=True)
class Target:
    """A dataset as both sides know it, and the channel whose events go there."""

    name: str
    provider: str
    meta_id: str
    waba_id: str
    key: str
    token: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)


def _target(number: int, name: str, provider: str) -> Target:
    values = {one.name: f"{SECRET_CANARY}{secrets.token_hex(12)}" for one in PROVIDERS[provider].secret_fields}
    return Target(
        name=name,
        provider=provider,
        meta_id=f"120000000000000{number}",
        waba_id=f"100000000000000{number}",
        key=f"{name}-{secrets.token_hex(12)}",
        token=f"{TOKEN_CANARY}{secrets.token_hex(12)}",
        secrets=values,
    )


class Servers:
    """All of them, running from `open` to `close`. A scenario gets a fresh database and an empty sandbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.targets = (_target(1, "first", "whapi"), _target(2, "second", "meta_cloud"))
        self.keys = {name: generate_key() for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS")}
        #: What purchases are reported with.
        self.api_key = f"{PREFIX}{KEY_CANARY}{secrets.token_hex(17)}"
        self.role_password = secrets.token_urlsafe(18)
        ports = Ports(folder)
        self.postgres = embedded_postgres(folder / "postgres", ports.pick("postgres"))
        self.valkey = embedded_valkey(folder / "valkey", ports.pick("valkey"))
        self._sandbox_port = ports.pick("sandbox")
        self.database_link = Proxy(ports.pick("database link"), self.postgres.port)
        self.redis_link = Proxy(ports.pick("redis link"), self.valkey.port)
        self.graph_link = Proxy(ports.pick("graph link"), self._sandbox_port)
        self.sandbox_url = f"http://127.0.0.1:{self._sandbox_port}"
        self.keeper = Keeper(folder / "logs")
        self._http = requests.Session()
        self._http.trust_env = False

    def open(self) -> None:
        """Starts everything and makes the template that scenarios' databases are cloned from."""
        self.postgres.prepare()
        self.valkey.prepare()
        self.keeper.start(self.postgres.process(), self.valkey.process(), self._sandbox())
        self.make_template(self.postgres)
        for link in (self.database_link, self.redis_link, self.graph_link):
            link.__enter__()

    def close(self) -> None:
        for link in (self.database_link, self.redis_link, self.graph_link):
            link.__exit__()
        self._http.close()
        self.keeper.close()

    def make_template(self, postgres: Postgres) -> None:
        """A migrated database with the channels and datasets of the targets, and roles that may log in."""
        with psycopg.connect(postgres.url, autocommit=True) as conn:
            conn.execute(f"create database {_TEMPLATE}")
        with psycopg.connect(with_database(postgres.url, _TEMPLATE)) as conn:
            migrate(conn)
            set_role_passwords(conn, dict.fromkeys(_ROLES, self.role_password))
            for target in self.targets:
                self._add(conn, target)
            insert_api_key(
                conn,
                workspace="default",
                name="shop",
                start=self.api_key[: len(PREFIX) + 6],
                hash_=hash_key(self.api_key),
                scopes=[Scope.CONVERSIONS_WRITE],
                is_test=False,
                created_by="faults",
            )

    def fresh_database(self, postgres: Postgres, name: str) -> None:
        with psycopg.connect(postgres.url, autocommit=True) as conn:
            conn.execute(f"create database {name} template {_TEMPLATE}")

    def drop_database(self, name: str) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as conn:
            conn.execute(f"drop database if exists {name} with (force)")

    def heal(self) -> None:
        """Puts every server and link back into order, and empties the sandbox."""
        self.heal_links()
        with self.redis() as client:
            client.config_set("maxmemory", "256mb")
            client.config_resetstat()
            client.flushall()
        self.sandbox("POST", "reset")

    def heal_links(self) -> None:
        """Has every link pass everything on to its own server."""
        for link, target in (
            (self.database_link, self.postgres.port),
            (self.redis_link, self.valkey.port),
            (self.graph_link, self._sandbox_port),
        ):
            link.target = target
            link.set(PASS)
            link.struck = 0

    @contextlib.contextmanager
    def redis(self) -> Iterator[redis.Redis]:
        """A client that goes round the proxy."""
        with redis.Redis.from_url(self.valkey.url, socket_timeout=5) as client:
            yield client

    def sandbox(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """One call to the sandbox's control; its JSON."""
        answer = self._http.request(
            method,
            f"{self.sandbox_url}/__sandbox/{path}",
            data=None if body is None else json.dumps(body),
            params={name: str(value) for name, value in query.items()},
            timeout=_CONTROL_SECONDS,
        )
        answer.raise_for_status()
        return answer.json()

    def surroundings(
        self, state_dir: Path, database: str, environ: Mapping[str, str], *, linked: bool = True
    ) -> Surroundings:
        """What the processes of a scenario are told; every server is behind its proxy unless it isn't `linked`."""
        postgres, valkey, sandbox = (
            (self.database_link.port, self.redis_link.port, self.graph_link.port)
            if linked
            else (self.postgres.port, self.valkey.port, self._sandbox_port)
        )
        url = with_port(with_database_url(self.postgres.url, database), postgres)
        ports = Ports(state_dir)
        receiver = ports.pick("receiver")
        return Surroundings(
            state_dir=state_dir,
            environ=environ,
            secrets=self.keys,
            receiver_database_url=as_role(url, "ctwa_receiver", self.role_password),
            worker_database_url=as_role(url, "ctwa_worker", self.role_password),
            console_database_url=as_role(url, "ctwa_console", self.role_password),
            redis_url=with_port(self.valkey.url, valkey),
            public_url=f"http://127.0.0.1:{receiver}",
            console_url="",
            ports={"receiver": receiver, "sandbox": sandbox},
            metrics={name: ports.pick(f"{name} metrics") for name in MEASURED},
        )

    def _sandbox(self) -> Any:
        config = self.folder / "sandbox.json"
        config.write_text(
            json.dumps(
                {
                    "wabas": [{"id": one.waba_id, "name": one.name} for one in self.targets],
                    "datasets": [{"id": one.meta_id, "waba_id": one.waba_id} for one in self.targets],
                    "tokens": [{"token": one.token, "datasets": [one.meta_id]} for one in self.targets],
                }
            )
        )
        (self.folder / "sandbox").mkdir(exist_ok=True)
        around = Surroundings(
            state_dir=self.folder,
            environ={},
            secrets=self.keys,
            receiver_database_url="",
            worker_database_url="",
            console_database_url="",
            redis_url="",
            public_url="",
            console_url="",
            ports={"sandbox": self._sandbox_port},
            metrics={},
        )
        (sandbox,) = processes(around, ["sandbox"])
        return sandbox

    def _add(self, conn: psycopg.Connection[Any], target: Target) -> None:
        token_ring = KeyRing(self.keys["TOKEN_KEYS"].split(","), name="TOKEN_KEYS")
        secret_ring = KeyRing(self.keys["SECRET_KEYS"].split(","), name="SECRET_KEYS")
        credential = save_credential(conn, target.name, token_ring.seal(target.token.encode()))
        dataset = insert_dataset(
            conn,
            {
                "name": target.name, "meta_id": target.meta_id, "kind": "whatsapp", "profile": "whatsapp",
                "waba_id": target.waba_id, "page_id": None, "credential_id": credential, "sending": "on",
                "batch_max": 50, "test_event_code": None, "is_test": False,
            },
        )  # fmt: skip
        insert_channel(
            conn,
            {
                "key": target.key, "name": target.name, "workspace": "default", "provider": target.provider,
                "secrets": seal_secrets(secret_ring, [target.secrets]), "unsigned": False, "dataset_id": dataset,
                "currency": "USD", "country": None, "zone": "UTC", "post_policy": "ignore", "enabled": True,
                "is_test": False,
            },
        )  # fmt: skip


def with_database(url: str, name: str) -> str:
    """The same server's URL, as connection parameters, with another database."""
    return make_conninfo(url, dbname=name)


def with_database_url(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


def with_port(url: str, port: int) -> str:
    """A URL of 127.0.0.1 with another port."""
    head, _, tail = url.partition("@127.0.0.1:")
    return f"{head}@127.0.0.1:{port}/{tail.partition('/')[2]}"
