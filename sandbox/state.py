"""The state of one running sandbox: its world, clock, latency, faults and record, and how they are reset."""

import threading
import time
from datetime import UTC, datetime, timedelta

from sandbox import config
from sandbox.board import Board
from sandbox.store import Store
from sandbox.world import Dataset, Token, World


class State:
    """What the routes share. `world` is replaced whole under a lock, and read without one."""

    def __init__(self, world: World, store: Store) -> None:
        self._lock = threading.Lock()
        self._initial = world
        self.world = world
        self.store = store
        self.board = Board()
        self.clock_offset = timedelta()
        self.latency = 0.0
        self.stopping = threading.Event()

    def now(self) -> datetime:
        """The sandbox's time: the machine's, moved by the offset."""
        return datetime.now(UTC) + self.clock_offset

    def slow_down(self) -> None:
        """Take as long as the latency that was set; a stop of the server cuts it short."""
        if self.latency:
            self.stopping.wait(self.latency)

    def configure(self, document: object) -> None:
        """Lay a configuration document over the world. Raises config.ConfigError and changes nothing."""
        with self._lock:
            self.world = config.apply(document, self.world)

    def dataset_for(self, owner_id: str, name: str, token: Token) -> Dataset:
        """The dataset of a WhatsApp Business Account or Page; made, for the account, if there is none."""
        with self._lock:
            found = self.world.dataset_of(owner_id)
            if found is None:
                found = Dataset(id=str(time.time_ns())[:16], name=name, waba_id=owner_id)
                self.world = self.world.with_dataset(found, made_by=token)
            return found

    def reset(self) -> None:
        """As it was at the start, with an empty record."""
        self.board.delete()
        self.store.clear()
        with self._lock:
            self.world = self._initial
            self.clock_offset = timedelta()
            self.latency = 0.0
