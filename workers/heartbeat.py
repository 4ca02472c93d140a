"""Signs of life: written after a round of real work, so that a process that is up but deaf has none."""

import time

from shared.db import heartbeats
from workers.runtime import Runtime

_SECONDS_BETWEEN = 5.0
_last: dict[str, float] = {}


def beat_at_most(runtime: Runtime, process: str) -> None:
    """Writes the heartbeat of `process`, unless this process wrote it a few seconds ago."""
    now = time.monotonic()
    if now - _last.get(process, -_SECONDS_BETWEEN) < _SECONDS_BETWEEN:
        return
    with runtime.pool.connection() as conn:
        heartbeats.beat(conn, process)
    _last[process] = now
