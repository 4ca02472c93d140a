"""The coalescing writer: requests hand their webhook over and wait; one thread makes all that wait durable at once.

One INSERT and one commit serve every request that is waiting at that moment. What Postgres doesn't take goes to the
spool under the same ids, so that a twin (an insert that timed out and committed all the same) changes nothing.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from queue import Empty, SimpleQueue
from typing import Protocol

from receiver import metrics
from receiver.batches import MAX_ROWS, batch_length
from receiver.postgres import Away, BadRow
from receiver.spool import SpoolFull
from shared.db.webhooks import NewWebhook
from shared.logs import get_logger

log = get_logger(__name__)

#: While webhooks come faster than they are committed, a batch is given this long to grow: fewer commits, less work.
_GATHER_SECONDS = 0.002
#: In a flood, not every commit has its line in the log: writing it would cost more than the commit.
_LINE_SECONDS = 0.05


class Sink(StrEnum):
    """Where a webhook was made durable."""

    POSTGRES = "postgres"
    SPOOL = "spool"


class NotStored(Exception):
    """The webhook is not durable. `reason` is a key of admission.REFUSALS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Rows(Protocol):
    @property
    def up(self) -> bool: ...

    def insert(self, webhooks: Sequence[NewWebhook]) -> None: ...


class _Files(Protocol):
    def append(self, webhooks: Sequence[NewWebhook]) -> None: ...


class Ticket:
    """One webhook on its way to a disk. `settled` is called by the writer, once it has a sink or a reason."""

    def __init__(self, webhook: NewWebhook, provider: str) -> None:
        self.webhook = webhook
        self.provider = provider
        self.started = time.perf_counter()
        self.sink: Sink | None = None
        self.reason: str | None = None

    @classmethod
    def settled(cls, tickets: "Sequence[Ticket]") -> None:
        """Wakes whoever waits. All tickets of this class in a batch at once."""
        raise NotImplementedError

    def outcome(self) -> Sink:
        """Where the webhook was stored, once it is settled. Raises NotStored."""
        if self.sink is None:
            raise NotStored(self.reason or "not_durable")
        return self.sink


class ThreadTicket(Ticket):
    """A ticket that a thread waits for."""

    def __init__(self, webhook: NewWebhook, provider: str) -> None:
        super().__init__(webhook, provider)
        self.event = threading.Event()

    @classmethod
    def settled(cls, tickets: Sequence[Ticket]) -> None:
        """Wakes the threads."""
        for ticket in tickets:
            if isinstance(ticket, ThreadTicket):
                ticket.event.set()

    def wait(self, seconds: float) -> Sink:
        """Where the webhook was stored. Raises NotStored."""
        if not self.event.wait(seconds):
            raise NotStored("late")
        return self.outcome()


class Inbox:
    """Takes webhooks from any thread. `start` starts the writer, `close` lets it finish what waits."""

    def __init__(self, *, postgres: _Rows, spool: _Files, stored: Callable[[], None]) -> None:
        self._postgres = postgres
        self._spool = spool
        self._stored = stored
        #: None is the sign to close.
        self._waiting: SimpleQueue[Ticket | None] = SimpleQueue()
        self._left: list[Ticket] = []
        self._flooded = False
        self._closing = False
        self._spool_is_full = False
        self._next_line_at = 0.0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def put(self, ticket: Ticket) -> None:
        """Takes one webhook over. Raises NotStored once the inbox is closed."""
        if self._closing:
            raise NotStored("not_durable")
        self._waiting.put(ticket)

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._store(batch)
            except Exception as error:  # noqa: BLE001 - the writer must outlive whatever happens to one batch.
                log.error("writer failed", error=type(error).__name__)
                metrics.WRITER_FAILURES.labels("unexpected").inc()
                self._fail([ticket for ticket in batch if ticket.sink is None], "not_durable")

    def _take(self) -> list[Ticket]:
        """Everything that waits, as far as it fits into one batch. Empty when there will be no more."""
        found, self._left = self._left, []
        if not found:
            found = [ticket for ticket in (self._waiting.get(),) if ticket]
            if self._flooded:
                time.sleep(_GATHER_SECONDS)
        while found and len(found) < MAX_ROWS:
            try:
                ticket = self._waiting.get_nowait()
            except Empty:
                break
            if ticket is None:
                # The sign to close: it is taken again when nothing waits any more.
                self._waiting.put(None)
                break
            found.append(ticket)
        length = batch_length([ticket.webhook for ticket in found])
        self._left, self._flooded = found[length:], length > 1
        return found[:length]

    def _store(self, batch: Sequence[Ticket]) -> None:
        metrics.BATCH_ROWS.observe(len(batch))
        if self._postgres.up:
            try:
                self._postgres.insert([ticket.webhook for ticket in batch])
            except BadRow as error:
                self._store_singly(batch, error)
                return
            except Away:
                metrics.WRITER_FAILURES.labels("postgres").inc()
            else:
                self._done(batch, Sink.POSTGRES)
                return
        self._store_in_spool(batch)

    def _store_singly(self, batch: Sequence[Ticket], problem: BadRow) -> None:
        """A row of the batch is refused as it is; alone, only that one fails."""
        if len(batch) > 1:
            for ticket in batch:
                self._store([ticket])
            return
        metrics.WRITER_FAILURES.labels("row").inc()
        log.error("Postgres refuses a webhook", webhook_id=str(batch[0].webhook.id), sqlstate=str(problem))
        self._fail(batch, "unstorable")

    def _store_in_spool(self, batch: Sequence[Ticket]) -> None:
        try:
            self._spool.append([ticket.webhook for ticket in batch])
        except SpoolFull as error:
            metrics.WRITER_FAILURES.labels("spool").inc()
            if not self._spool_is_full:
                self._spool_is_full = True
                log.error("nothing durable is left, webhooks are answered 503", reason=str(error))
            self._fail(batch, "not_durable")
            return
        self._spool_is_full = False
        self._done(batch, Sink.SPOOL)

    def _done(self, batch: Sequence[Ticket], sink: Sink) -> None:
        now = time.perf_counter()
        for ticket in batch:
            ticket.sink = sink
        _settle(batch)
        for provider, count in Counter(ticket.provider for ticket in batch).items():
            metrics.ACKNOWLEDGED.labels(provider, sink.value).inc(count)
        for ticket in batch:
            metrics.ACKNOWLEDGE_SECONDS.observe(now - ticket.started)
        if now >= self._next_line_at:
            self._next_line_at = now + _LINE_SECONDS
            log.info("webhooks stored", sink=sink.value, webhook_ids=[str(ticket.webhook.id) for ticket in batch])
        if sink is Sink.POSTGRES:
            self._stored()

    def _fail(self, batch: Sequence[Ticket], reason: str) -> None:
        for ticket in batch:
            ticket.reason = reason
        _settle(batch)


def _settle(batch: Sequence[Ticket]) -> None:
    for kind in {type(ticket) for ticket in batch}:
        kind.settled([ticket for ticket in batch if type(ticket) is kind])
