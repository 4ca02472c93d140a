"""Work that an answer doesn't wait for, so that how long it takes tells nobody anything."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

from shared.logs import get_logger

log = get_logger(__name__)
_MOST_WAITING = 50


class Background:
    """One thread with a bounded queue. What waits when the process is killed is lost: for what can be asked again."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="background")
        self._room = BoundedSemaphore(_MOST_WAITING)

    def run(self, work: Callable[[], None]) -> None:
        """Does it soon; not at all while too much waits."""
        if not self._room.acquire(blocking=False):
            log.warning("too much waits in the background", most=_MOST_WAITING)
            return
        self._pool.submit(self._run, work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - nobody waits for it who could be told
            # Its text may hold an address.
            log.error("work in the background failed", error=type(error).__name__)
        finally:
            self._room.release()

    def close(self) -> None:
        """Ends once what waits is done."""
        self._pool.shutdown()
