"""The coalescing writer: requests hand their webhook over and wait; one thread makes all that wait durable at once.

One INSERT and one commit serve every request that is waiting at that moment. What Postgres doesn't take goes to the
spool under the same ids, so that a twin (an insert that timed out and committed all the same) changes nothing.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from enum import StrEnum
from typing import Protocol

from receiver import metrics
from receiver.batches import MAX_ROWS, batch_length
from receiver.postgres import Away, BadRow
from receiver.spool import SpoolFull
from shared.db.webhooks import NewWebhook
from shared.logs import get_logger

log = get_logger(__name__)

#: Sealed bytes that may wait for a commit. More means that the disks can't keep up, and senders are told so.
MAX_WAITING_BYTES = 96 * 1024 * 1024


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


class Ticket(Future[Sink]):
    """What a request waits on: where its webhook was stored, or NotStored."""

    def __init__(self, webhook: NewWebhook, provider: str) -> None:
        super().__init__()
        # Nobody takes back a webhook that was handed over, whoever stops waiting.
        self.set_running_or_notify_cancel()
        self.webhook = webhook
        self.provider = provider
        self.started = time.perf_counter()


class Inbox:
    """Takes webhooks from any thread. `start` starts the writer, `close` lets it finish what waits."""

    def __init__(self, *, postgres: _Rows, spool: _Files, stored: Callable[[], None]) -> None:
        self._postgres = postgres
        self._spool = spool
        self._stored = stored
        self._waiting: deque[Ticket] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition(threading.Lock())
        self._closing = False
        self._spool_is_full = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def put(self, webhook: NewWebhook, provider: str) -> Ticket:
        """Hands one webhook over. Raises NotStored if it can't even wait."""
        ticket = Ticket(webhook, provider)
        with self._changed:
            if self._closing or self._waiting_bytes + len(webhook.body) > MAX_WAITING_BYTES:
                raise NotStored("not_durable" if self._closing else "memory")
            self._waiting.append(ticket)
            self._waiting_bytes += len(webhook.body)
            self._changed.notify()
        return ticket

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._store(batch)
            except Exception as error:  # noqa: BLE001 - the writer must outlive whatever happens to one batch.
                log.error("writer failed", error=type(error).__name__)
                metrics.WRITER_FAILURES.labels("unexpected").inc()
                self._fail([ticket for ticket in batch if not ticket.done()], "not_durable")

    def _take(self) -> list[Ticket]:
        """Everything that waits, as far as it fits into one batch. Empty when there will be no more."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            first = [self._waiting[n] for n in range(min(len(self._waiting), MAX_ROWS))]
            batch = first[: batch_length([ticket.webhook for ticket in first])]
            for ticket in batch:
                self._waiting.popleft()
                self._waiting_bytes -= len(ticket.webhook.body)
        return batch

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
            metrics.ACKNOWLEDGED.labels(ticket.provider, sink.value).inc()
            metrics.ACKNOWLEDGE_SECONDS.observe(now - ticket.started)
            ticket.set_result(sink)
        if sink is Sink.POSTGRES:
            self._stored()

    def _fail(self, batch: Sequence[Ticket], reason: str) -> None:
        for ticket in batch:
            ticket.set_exception(NotStored(reason))
