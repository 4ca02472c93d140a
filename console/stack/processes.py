"""The processes of the product on one machine: what each is started with, and how one sees that it is ready.

Each is given the settings and secrets it needs and no others: the receiver holds no Meta tokens' keys, beat and
Flower hold no keys at all.
"""

import http.client
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.local.ports import is_listening
from shared.local.process import Process

#: What every program takes from the environment that the stack was started in.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "LOG_LEVEL")
#: Settings that a person may give the stack as a whole.
_TUNING = (
    "GRAPH_VERSION",
    "INTAKE_LEASE_SECONDS",
    "MAX_BODY_BYTES",
    "SENDING",
    "SENDING_LEASE_SECONDS",
    "SPOOL_MAX_BYTES",
    "SWEEP_GRACE_SECONDS",
    "SWEEP_SECONDS",
    "TRUSTED_PROXIES",
)
#: Those that serve /metrics on a port of their own. Flower does on its only one.
MEASURED = ("receiver", "intake", "sending", "sweeper", "beat")
FLOWER_USER = "ctwa"
_READY_SECONDS = 90.0  # a first start on a busy machine compiles every module


@dataclass(frozen=True, kw_only=True, repr=False)
class Surroundings:
    """What the processes are told of the machine and of each other; passwords are in it.

    `ports` and `metrics` hold a port for each process that has one, by name.
    """

    state_dir: Path
    environ: Mapping[str, str]
    secrets: Mapping[str, str]
    receiver_database_url: str
    worker_database_url: str
    console_database_url: str
    redis_url: str
    public_url: str
    console_url: str
    ports: Mapping[str, int]
    metrics: Mapping[str, int]

    @property
    def graph_url(self) -> str:
        """Where Meta is, as far as this stack is concerned."""
        return f"http://127.0.0.1:{self.ports['sandbox']}"

    @property
    def spool_dir(self) -> Path:
        """Where acknowledged webhooks wait while Postgres is away."""
        return self.state_dir / "spool"

    @property
    def sandbox_config(self) -> Path:
        """What the sandbox is told to know."""
        return self.state_dir / "sandbox.json"

    @property
    def metrics_dir(self) -> Path:
        """Where the processes of intake's pool count together."""
        return self.state_dir / "metrics"


def processes(around: Surroundings, names: Collection[str] | None = None) -> list[Process]:
    """All, or those named; they can start at the same time, on a database that is migrated and has its channels.

    What is not named needs no ports and no secrets.
    """
    return [make(around) for name, make in _MAKERS.items() if names is None or name in names]


def _sandbox(around: Surroundings) -> Process:
    port, data_dir = around.ports["sandbox"], around.state_dir / "sandbox"
    arguments = ("--port", str(port), "--data-dir", str(data_dir), "--config", str(around.sandbox_config))
    return _process(
        around,
        "sandbox",
        ("-m", "sandbox", *arguments),
        settings={},
        ready=lambda: _answers(port, "/__sandbox/health"),
        colour="33",
    )


def _flower(around: Surroundings) -> Process:
    port = around.ports["flower"]
    return _process(
        around,
        "flower",
        ("-m", "workers", "flower"),
        settings={
            "REDIS_URL": around.redis_url,
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(port),
            "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{around.secrets['FLOWER_PASSWORD']}",
            "FLOWER_PERSISTENT": "false",
            "FLOWER_READ_ONLY": "true",
            "FLOWER_TASKS_COLUMNS": "name,state,received,started,runtime,worker",
        },
        ready=lambda: _answers(port, "/healthcheck"),
        colour="90",
    )


def _console(around: Surroundings) -> Process:
    port = around.ports["console"]
    return _process(
        around,
        "console",
        ("-m", "console.web", "--host", "127.0.0.1", "--port", str(port)),
        settings={
            **_worker_settings(around),
            "DATABASE_URL": around.console_database_url,
            "PUBLIC_URL": around.public_url,
            "CONSOLE_URL": around.console_url,
            # Nothing stands before it here, whatever stands before the receiver.
            "TRUSTED_PROXIES": "0",
        },
        ready=lambda: _answers(port, "/readyz"),
        colour="31",
    )


def _receiver(around: Surroundings) -> Process:
    port = around.ports["receiver"]
    return _process(
        around,
        "receiver",
        ("-m", "receiver", "--host", "127.0.0.1", "--port", str(port)),
        settings={
            "DATABASE_URL": around.receiver_database_url,
            "REDIS_URL": around.redis_url,
            "SECRET_KEYS": around.secrets["SECRET_KEYS"],
            "SPOOL_DIR": str(around.spool_dir),
            "PUBLIC_URL": around.public_url,
            "CONSOLE_URL": around.console_url,
        },
        ready=lambda: _answers(port, "/readyz"),
        colour="36",
    )


def _intake(around: Surroundings) -> Process:
    pool = ("--pool", "prefork", "--concurrency", "2")
    counted_together = {"PROMETHEUS_MULTIPROC_DIR": str(around.metrics_dir)}
    return _worker(around, "intake", ("--queues", "intake,upkeep", *pool), extra=counted_together, colour="32")


def _sending(around: Surroundings) -> Process:
    pool = ("--pool", "threads", "--concurrency", "8")
    return _worker(around, "sending", ("--queues", "sending", *pool), stop_seconds=25.0, colour="34")


def _worker(
    around: Surroundings,
    name: str,
    arguments: Sequence[str],
    *,
    extra: Mapping[str, str] | None = None,
    stop_seconds: float = 10.0,
    colour: str,
) -> Process:
    events = ("-E", "--without-gossip", "--without-mingle")
    return _process(
        around,
        name,
        ("-m", "workers", "worker", *events, "--hostname", f"{name}@%h", *arguments),
        settings={**_worker_settings(around), **(extra or {})},
        stop_seconds=stop_seconds,
        colour=colour,
    )


def _sweeper(around: Surroundings) -> Process:
    return _process(around, "sweeper", ("-m", "workers", "sweeper"), settings=_worker_settings(around), colour="35")


def _beat(around: Surroundings) -> Process:
    # Without a pid file: after a kill, it would keep beat from starting. The supervisor sees to it that there is one.
    arguments = ("--schedule", str(around.state_dir / "beat-schedule"), "--pidfile", "")
    return _process(
        around,
        "beat",
        ("-m", "workers", "beat", *arguments),
        settings={"REDIS_URL": around.redis_url},
        colour="90",
    )


def _worker_settings(around: Surroundings) -> dict[str, str]:
    keys = {name: around.secrets[name] for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS")}
    urls = {"DATABASE_URL": around.worker_database_url, "REDIS_URL": around.redis_url, "GRAPH_URL": around.graph_url}
    return {**keys, **urls}


def _process(
    around: Surroundings,
    name: str,
    arguments: Sequence[str],
    *,
    settings: Mapping[str, str],
    ready: Callable[[], bool] | None = None,
    stop_seconds: float = 10.0,
    colour: str,
) -> Process:
    """A Python program with an environment of its own, ready when it serves its metrics unless said otherwise."""
    metrics = around.metrics.get(name)
    given = {key: around.environ[key] for key in (*INHERITED, *_TUNING) if around.environ.get(key)}
    own = {"LOG_FORMAT": "json", **({"METRICS_PORT": str(metrics)} if metrics else {})}
    return Process(
        name=name,
        # -P: nothing that lies in the state folder can take the place of a module.
        command=[sys.executable, "-P", *arguments],
        env={**given, **own, **settings},
        cwd=around.state_dir,
        ready=ready or (lambda: metrics is not None and is_listening(metrics)),
        ready_seconds=_READY_SECONDS,
        stop_seconds=stop_seconds,
        colour=colour,
    )


_MAKERS: Mapping[str, Callable[[Surroundings], Process]] = {
    "receiver": _receiver,
    "intake": _intake,
    "sending": _sending,
    "sweeper": _sweeper,
    "beat": _beat,
    "sandbox": _sandbox,
    "flower": _flower,
    "console": _console,
}


def _answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    finally:
        connection.close()
