"""The processes of the product on one machine: what each is started with, and how one sees that it is ready.

Each gets the settings and secrets it needs and no others: the receiver holds no Meta tokens' keys, beat and Flower
hold no keys at all.
"""

import http.client
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.local.ports import is_listening
from shared.local.process import Process

#: What every program needs of the environment it is started from.
_BASE = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "LOG_LEVEL")
#: Settings that a person may set for the stack as a whole; whoever knows them reads them.
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
FLOWER_USER = "ctwa"
_READY_SECONDS = 60.0  # a cold start on a busy machine compiles every module
_CELERY = (sys.executable, "-P", "-m", "celery", "--quiet")
_WORKER = ("worker", "-E", "--without-gossip", "--without-mingle", "--loglevel", "INFO")


@dataclass(frozen=True, kw_only=True, repr=False)
class Surroundings:
    """What the processes are told of each other. Passwords are in it, so it has no repr.

    `ports` and `metrics` hold a port for each process, by name.
    """

    state_dir: Path
    environ: Mapping[str, str]
    secrets: Mapping[str, str]
    receiver_database_url: str
    worker_database_url: str
    redis_url: str
    graph_url: str
    public_url: str
    ports: Mapping[str, int]
    metrics: Mapping[str, int] = field(default_factory=dict)

    @property
    def spool_dir(self) -> Path:
        """Where acknowledged webhooks wait while Postgres is away."""
        return self.state_dir / "spool"

    @property
    def sandbox_config(self) -> Path:
        """What the sandbox knows; written before it starts."""
        return self.state_dir / "sandbox.json"

    def metrics_dir(self, name: str) -> Path:
        """Where the processes of a pool count together."""
        return self.state_dir / "metrics" / name


#: Those that serve /metrics on a port of their own. Flower does so on its only port.
MEASURED = ("receiver", "intake", "sending", "sweeper", "beat")


def outer_processes(around: Surroundings) -> list[Process]:
    """What needs no database: it starts together with the servers."""
    return [_sandbox(around), _flower(around)]


def inner_processes(around: Surroundings) -> list[Process]:
    """What works with the database, once it is migrated and seeded."""
    work = {**_worker_environment(around)}
    return [
        _receiver(around),
        _worker(around, "intake", ("intake", "upkeep"), ("prefork", 2), stop_seconds=10.0),
        _worker(around, "sending", ("sending",), ("threads", 8), stop_seconds=25.0),
        _process(around, "sweeper", ("-m", "workers.sweeper"), work, colour="35"),
        Process(
            name="beat",
            command=[*_CELERY, "--app", "workers.taskless", "beat", "--schedule", str(around.state_dir / "beat-schedule")],
            env=_environment(around, "beat", {"REDIS_URL": around.redis_url}),
            cwd=around.state_dir,
            ready=_listens(around.metrics["beat"]),
            ready_seconds=_READY_SECONDS,
            colour="90",
        ),
    ]
