"""Bodies on their way in: how long one may take, and how much memory all of them together."""

import asyncio
from dataclasses import dataclass

from receiver import metrics

#: Wall clock for one body. Providers are in data centres: 3 MB take them well under a second.
BODY_SECONDS = 15.0
#: Bytes of all requests in this process that are not answered yet.
BODY_BYTES = 64 * 1024 * 1024
_SWEEP_SECONDS = 0.5


@dataclass(eq=False, slots=True)
class Body:
    """One request's body as far as it has come. `refused` is set when it was given up: a key of REFUSALS."""

    started: float
    task: "asyncio.Task[object] | None"
    size: int = 0
    refused: str | None = None


class Bodies:
    """All bodies of one event loop. Slow ones are given up, and under pressure the largest unfinished one.

    So whoever sends halves of large bodies takes nothing from those who send whole small ones.
    """

    def __init__(self, *, seconds: float = BODY_SECONDS, max_bytes: int = BODY_BYTES) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._held = 0
        self._unfinished: set[Body] = set()
        self._sweeping = False

    def begin(self) -> Body:
        """A body that the current task is about to read."""
        loop = asyncio.get_running_loop()
        body = Body(loop.time(), asyncio.current_task())
        self._unfinished.add(body)
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(_SWEEP_SECONDS, self._sweep)
        return body

    def grow(self, body: Body, size: int) -> None:
        """Counts bytes that came. Gives up the largest unfinished body if memory for all runs out."""
        body.size += size
        self._held += size
        while self._held > self._max_bytes and self._unfinished:
            largest = max(self._unfinished, key=lambda other: other.size)
            self._give_up(largest, "memory")
            self._release(largest)

    def finish(self, body: Body) -> None:
        """The body is whole: it can't be given up any more."""
        self._unfinished.discard(body)

    def end(self, body: Body) -> None:
        """The request is answered; its memory is free."""
        self._unfinished.discard(body)
        self._release(body)

    def _release(self, body: Body) -> None:
        self._held -= body.size
        body.size = 0

    def _give_up(self, body: Body, reason: str) -> None:
        self._unfinished.discard(body)
        body.refused = reason
        if body.task is not None:
            body.task.cancel()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        for body in [body for body in self._unfinished if loop.time() - body.started > self._seconds]:
            self._give_up(body, "slow")
        metrics.BODIES_BEING_READ.set(len(self._unfinished))
        self._sweeping = bool(self._unfinished)
        if self._sweeping:
            loop.call_later(_SWEEP_SECONDS, self._sweep)
