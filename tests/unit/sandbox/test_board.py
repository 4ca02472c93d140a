import threading
from typing import Any

import pytest

from sandbox.board import Active, Board, hang
from sandbox.config import ConfigError
from sandbox.faults import FAULTS


def meet(board: Board, dataset: str = "111") -> Active:
    active = board.meet(dataset)
    assert active is not None
    return active


def strikes(board: Board, calls: int, dataset: str = "111") -> list[bool]:
    met = [board.meet(dataset) for _ in range(calls)]
    for active in met:
        if active is not None:
            board.leave(active)
    return [active is not None for active in met]


def test_a_fault_strikes_as_often_as_it_should() -> None:
    board = Board()
    board.add({"kind": "http_502_empty", "times": 2})
    assert strikes(board, 4) == [True, True, False, False]
    assert board.shown() == []


def test_a_fault_without_times_strikes_until_it_is_deleted() -> None:
    board = Board()
    added = board.add({"kind": "http_502_empty"})
    assert strikes(board, 3) == [True] * 3
    assert board.delete(added["id"]) == 1
    assert strikes(board, 1) == [False]
    assert board.delete(added["id"]) == 0


def test_a_fault_strikes_only_its_dataset() -> None:
    board = Board()
    board.add({"kind": "http_502_empty", "dataset": "111"})
    assert strikes(board, 1, "222") == [False]
    assert strikes(board, 1, "111") == [True]


def test_faults_strike_in_the_order_in_which_they_were_added() -> None:
    board = Board()
    board.add({"kind": "http_502_empty", "times": 1})
    board.add({"kind": "http_408", "times": 1})
    kinds = [meet(board).kind for _ in range(2)]
    assert kinds == ["http_502_empty", "http_408"]


def test_a_probability_with_a_seed_repeats_itself() -> None:
    seen = []
    for _ in range(2):
        board = Board()
        board.add({"kind": "http_502_empty", "probability": 0.5, "seed": 42})
        seen.append(strikes(board, 200))
    assert seen[0] == seen[1]
    assert 60 < sum(seen[0]) < 140


def test_many_threads_meet_a_fault_exactly_as_often_as_it_should_strike() -> None:
    board = Board()
    board.add({"kind": "http_502_empty", "times": 50})
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(sum(strikes(board, 25)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 50


def test_a_spent_fault_is_shown_while_a_call_waits_and_deleting_it_releases_the_call() -> None:
    board = Board()
    board.add({"kind": "commit_then_hang", "times": 1})
    active = meet(board)
    assert board.shown()[0]["waiting"] == 1
    assert board.shown()[0]["remaining"] == 0
    waiting = threading.Thread(target=hang, args=(active, lambda: False))
    waiting.start()
    assert board.delete() == 1
    waiting.join(timeout=10)
    assert not waiting.is_alive()
    board.leave(active)
    assert board.shown() == []


def test_a_hang_ends_when_its_caller_is_gone_or_its_time_is_up() -> None:
    board = Board()
    board.add({"kind": "commit_then_hang", "times": 1})
    board.add({"kind": "commit_then_hang", "times": 1, "delay": 0.01})
    hang(meet(board), lambda: True)
    hang(meet(board), lambda: False)


@pytest.mark.parametrize(
    ("commit", "keep"), [(None, "none"), (True, "all"), (False, "none")], ids=["as it is", "kept", "not kept"]
)
def test_whether_events_are_kept_can_be_said(commit: bool | None, keep: str) -> None:
    board = Board()
    board.add({"kind": "http_503_html", "commit": commit})
    assert meet(board).keep == keep


@pytest.mark.parametrize("kind", FAULTS)
def test_every_kind_can_be_added(kind: str) -> None:
    shown = Board().add({"kind": kind, "times": 1, "delay": 0})
    assert shown["kind"] == kind
    assert shown["means"]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"kind": "no_such_fault"},
        {"kind": "http_408", "times": 0},
        {"kind": "http_408", "times": "2"},
        {"kind": "http_408", "delay": -1},
        {"kind": "http_408", "probability": 2},
        {"kind": "http_408", "code": 4},
        {"kind": "hang_before_reading", "commit": True},
        {"kind": "http_408", "unknown": 1},
    ],
)
def test_a_wrong_fault_is_refused(document: Any) -> None:
    board = Board()
    with pytest.raises(ConfigError):
        board.add(document)
    assert board.shown() == []
