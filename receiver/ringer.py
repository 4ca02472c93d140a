"""Rings for intake beside the writer, so that no request ever waits for Redis."""

import threading

from shared.logs import get_logger
from shared.queue import Bell, Work

log = get_logger(__name__)

#: Webhooks stored within this time of a ring share the next one.
PAUSE_SECONDS = 0.05


class Ringer:
    """`ask` returns at once; the bell is rung in a thread of its own."""

    def __init__(self, bell: Bell, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._bell = bell
        self._pause_seconds = pause_seconds
        self._asked = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._asked.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def ask(self) -> None:
        """Has the bell rung soon."""
        self._asked.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._asked.wait()
            self._asked.clear()
            if self._closing.is_set():
                return
            try:
                self._bell.ring(Work.INTAKE)
            except Exception as error:  # noqa: BLE001 - a bell that breaks costs seconds, never a webhook.
                log.error("bell broken, the sweeper will find the work", error=type(error).__name__)
            self._closing.wait(self._pause_seconds)
