"""Requests on their way: how long each may take, and how much memory all of them together."""

import asyncio
from dataclasses import dataclass

from receiver import metrics

#: Wall clock for one body. Providers are in data centres: 3 MB take them well under a second.
BODY_SECONDS = 15.0
#: Bytes of all bodies in this process that are not answered yet.
BODY_BYTES = 64 * 1024 * 1024
#: No provider waits longer for its 200 (360dialog gives up at 5 s).
COMMIT_SECONDS = 5.0
_SWEEP_SECONDS = 0.5


@dataclass(eq=False, slots=True)
class Request:
    """One request. `size` is what came of its body, `refused` why it was given up: a key of REFUSALS."""

    task: "asyncio.Task[object] | None"
    size: int = 0
    refused: str | None = None


class InFlight:
    """All requests of one event loop. Slow ones are given up, and under pressure the largest unfinished body.

    So whoever sends halves of large bodies takes nothing from those who send whole small ones.
    """

    def __init__(
        self,
        *,
        body_seconds: float = BODY_SECONDS,
        commit_seconds: float = COMMIT_SECONDS,
        max_bytes: int = BODY_BYTES,
    ) -> None:
        self._body_seconds = body_seconds
        self._commit_seconds = commit_seconds
        self._max_bytes = max_bytes
        self._held = 0
        self._reading: dict[Request, float] = {}
        self._committing: dict[Request, float] = {}
        self._sweeping = False

    def begin(self) -> Request:
        """The current task's request."""
        return Request(asyncio.current_task())

    def reading(self, request: Request) -> None:
        """Its body is being read: it may take `body_seconds`."""
        self._limit(self._reading, request, self._body_seconds)

    def grow(self, request: Request, size: int) -> None:
        """Counts bytes that came. Gives up the largest unfinished body, which may be this one, if memory runs out."""
        request.size += size
        self._held += size
        while self._held > self._max_bytes and self._reading:
            largest = max(self._reading, key=lambda other: other.size)
            self._give_up(largest, "memory", cancel=largest is not request)
            self._free(largest)

    def whole(self, request: Request) -> None:
        """Its body is whole, and can't be given up any more."""
        self._reading.pop(request, None)

    def committing(self, request: Request) -> None:
        """It waits for its commit: it may take `commit_seconds`."""
        self._limit(self._committing, request, self._commit_seconds)

    def end(self, request: Request) -> None:
        """It is answered; its memory is free."""
        self._reading.pop(request, None)
        self._committing.pop(request, None)
        self._free(request)

    def _limit(self, phase: dict[Request, float], request: Request, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        phase[request] = loop.time() + seconds
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _free(self, request: Request) -> None:
        self._held -= request.size
        request.size = 0

    def _give_up(self, request: Request, reason: str, *, cancel: bool = True) -> None:
        self._reading.pop(request, None)
        self._committing.pop(request, None)
        request.refused = reason
        if cancel and request.task is not None:
            request.task.cancel()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for phase, reason in ((self._reading, "slow"), (self._committing, "late")):
            for request in [request for request, until in phase.items() if until < now]:
                self._give_up(request, reason)
        metrics.BODIES_BEING_READ.set(len(self._reading))
        self._sweeping = bool(self._reading or self._committing)
        if self._sweeping:
            loop.call_later(_SWEEP_SECONDS, self._sweep)
