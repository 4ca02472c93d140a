import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from receiver import batches
from receiver.inbox import Inbox, NotStored, Sink, ThreadTicket
from receiver.spool import Spool, SpoolFull
from shared.db.webhooks import NewWebhook
from tests.unit.receiver.makers import RING, FakePostgres, webhook


class FakeSpool:
    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.taken: list[NewWebhook] = []

    def append(self, webhooks: list[NewWebhook]) -> None:
        if self.full:
            raise SpoolFull("full")
        self.taken += webhooks


@contextmanager
def running(
    postgres: FakePostgres, spool: FakeSpool | Spool | None = None, stored: Callable[[], None] = lambda: None
) -> Iterator[Inbox]:
    inbox = Inbox(postgres=postgres, spool=spool or FakeSpool(), stored=stored)  # type: ignore[arg-type]
    inbox.start()
    try:
        yield inbox
    finally:
        inbox.close()


def hand_over(inbox: Inbox, *webhooks: NewWebhook) -> list[ThreadTicket]:
    tickets = [ThreadTicket(one, "whapi") for one in webhooks]
    for ticket in tickets:
        inbox.put(ticket)
    return tickets


def test_all_that_waits_is_stored_by_one_commit() -> None:
    postgres = FakePostgres()
    postgres.gate.clear()
    webhooks = [webhook() for _ in range(20)]
    with running(postgres) as inbox:
        first = hand_over(inbox, webhooks[0])
        assert postgres.entered.wait(5)
        others = hand_over(inbox, *webhooks[1:])
        postgres.gate.set()
        assert [ticket.wait(5) for ticket in first + others] == [Sink.POSTGRES] * 20
    assert [len(batch) for batch in postgres.batches] == [1, 19]
    assert postgres.rows == [one.id for one in webhooks]


def test_nobody_is_told_before_the_commit() -> None:
    postgres = FakePostgres()
    postgres.gate.clear()
    with running(postgres) as inbox:
        (ticket,) = hand_over(inbox, webhook())
        assert postgres.entered.wait(5)
        assert not ticket.event.is_set()
        postgres.gate.set()
        assert ticket.wait(5) is Sink.POSTGRES


def test_a_bad_row_fails_alone() -> None:
    webhooks = [webhook() for _ in range(6)]
    postgres = FakePostgres(bad=[webhooks[3].id])
    postgres.gate.clear()
    with running(postgres) as inbox:
        tickets = hand_over(inbox, *webhooks)
        postgres.gate.set()
        for number, ticket in enumerate(tickets):
            if number == 3:
                with pytest.raises(NotStored, match="unstorable"):
                    ticket.wait(5)
            else:
                assert ticket.wait(5) is Sink.POSTGRES
    assert set(postgres.rows) == {one.id for one in webhooks} - {webhooks[3].id}


@pytest.mark.parametrize("postgres", [FakePostgres(away=True), FakePostgres(up=False)])
def test_what_postgres_does_not_take_goes_to_the_spool_under_the_same_id(postgres: FakePostgres) -> None:
    spool = FakeSpool()
    sent = webhook()
    with running(postgres, spool) as inbox:
        (ticket,) = hand_over(inbox, sent)
        assert ticket.wait(5) is Sink.SPOOL
    assert spool.taken == [sent]


def test_with_nothing_durable_left_it_says_so() -> None:
    with running(FakePostgres(up=False), FakeSpool(full=True)) as inbox:
        (ticket,) = hand_over(inbox, webhook())
        with pytest.raises(NotStored, match="not_durable"):
            ticket.wait(5)


def test_a_writer_that_meets_the_unexpected_goes_on() -> None:
    class Broken(FakePostgres):
        broken = True

        def insert(self, webhooks):  # type: ignore[no-untyped-def]
            if self.broken:
                self.broken = False
                raise RuntimeError("odd")
            super().insert(webhooks)

    with running(Broken()) as inbox:
        (first,) = hand_over(inbox, webhook())
        with pytest.raises(NotStored, match="not_durable"):
            first.wait(5)
        (second,) = hand_over(inbox, webhook())
        assert second.wait(5) is Sink.POSTGRES


def test_a_batch_is_bounded_in_bytes_and_what_is_left_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_BYTES", 2500)
    postgres = FakePostgres()
    postgres.gate.clear()
    with running(postgres) as inbox:
        first = hand_over(inbox, webhook(body=bytes(1000)))
        assert postgres.entered.wait(5)
        others = hand_over(inbox, *[webhook(body=bytes(1000)) for _ in range(5)])
        postgres.gate.set()
        assert [ticket.wait(5) for ticket in first + others] == [Sink.POSTGRES] * 6
    assert [len(batch) for batch in postgres.batches] == [1, 2, 2, 1]


def test_closing_finishes_what_waits_and_takes_no_more() -> None:
    postgres = FakePostgres()
    with running(postgres) as inbox:
        tickets = hand_over(inbox, *[webhook() for _ in range(600)])
    assert all(ticket.outcome() is Sink.POSTGRES for ticket in tickets)
    assert max(len(batch) for batch in postgres.batches) <= 256
    with pytest.raises(NotStored, match="not_durable"):
        hand_over(inbox, webhook())


def test_intake_is_rung_for_after_a_commit_and_not_after_spooling(tmp_path: Path) -> None:
    rung: list[float] = []
    with running(FakePostgres(), stored=lambda: rung.append(time.monotonic())) as inbox:
        (ticket,) = hand_over(inbox, webhook())
        ticket.wait(5)
    assert len(rung) == 1
    spool = Spool(tmp_path, ring=RING, max_bytes=10**6)
    with running(FakePostgres(up=False), spool, stored=lambda: rung.append(time.monotonic())) as inbox:
        (ticket,) = hand_over(inbox, webhook())
        assert ticket.wait(5) is Sink.SPOOL
    assert len(rung) == 1
    spool.hand_over()


def test_a_wait_that_takes_too_long_is_late() -> None:
    postgres = FakePostgres()
    postgres.gate.clear()
    with running(postgres) as inbox:
        (ticket,) = hand_over(inbox, webhook())
        with pytest.raises(NotStored, match="late"):
            ticket.wait(0.01)
        postgres.gate.set()
