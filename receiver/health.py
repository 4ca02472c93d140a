"""Whether a webhook could be made durable now, and where."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

_CACHED_SECONDS = 1.0


@dataclass(frozen=True)
class State:
    """`sink` is where webhooks go now: postgres, spool, or null when nothing durable is left."""

    ready: bool
    sink: str | None
    postgres: bool
    spool: bool
    channels: bool

    def as_json(self) -> str:
        return json.dumps(asdict(self)) + "\n"


class Readiness:
    """Ready means that channels are known and a webhook can be made durable. Looked at once a second at most."""

    def __init__(
        self,
        *,
        postgres: Callable[[], bool],
        spool: Callable[[], bool],
        channels: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._postgres = postgres
        self._spool = spool
        self._channels = channels
        self._clock = clock
        self._lock = threading.Lock()
        self._state: State | None = None
        self._looked_at = 0.0

    def state(self) -> State:
        with self._lock:
            now = self._clock()
            if self._state is None or now - self._looked_at >= _CACHED_SECONDS:
                self._state, self._looked_at = self._look(), now
            return self._state

    def _look(self) -> State:
        postgres, spool, channels = self._postgres(), self._spool(), self._channels()
        sink = "postgres" if postgres else "spool" if spool else None
        return State(channels and sink is not None, sink, postgres, spool, channels)
