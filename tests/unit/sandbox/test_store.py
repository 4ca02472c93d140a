from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.store import Call, Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store()
    yield opened
    opened.close()


def call(at: datetime = NOW, dataset: str = "111", **changes: Any) -> Call:
    return Call(**{"received_at": at, "dataset": dataset, "outcome": "accepted", **changes})


def event(event_id: str | None = "lead-1", source: str = "business_messaging", name: str = "Lead") -> dict[str, Any]:
    found = {"event_name": name, "action_source": source, "user_data": {}}
    return found if event_id is None else {**found, "event_id": event_id}


def flags(store: Store) -> list[tuple[bool, bool]]:
    return [(row["duplicate"], row["deduplicated"]) for row in store.received({}, 100)[1]]


def test_a_messaging_event_sent_twice_is_kept_and_counted_twice(store: Store) -> None:
    store.record(call(), [event(), event()])
    store.record(call(), [event()])
    assert flags(store) == [(False, False), (True, False), (True, False)]
    assert store.totals()["duplicates"] == 2
    assert store.totals()["events_accepted"] == 3


def test_the_key_is_dataset_name_and_id(store: Store) -> None:
    store.record(call(), [event(), event("lead-2"), event(name="Purchase")])
    store.record(call(dataset="222"), [event()])
    assert store.totals()["duplicates"] == 0


def test_events_without_an_id_are_never_duplicates(store: Store) -> None:
    store.record(call(), [event(None), event(None)])
    assert store.totals()["duplicates"] == 0


@pytest.mark.parametrize(
    ("hours", "flag"),
    [(0, (False, True)), (47.9, (False, True)), (48, (True, False)), (100, (True, False))],
)
def test_a_website_event_is_dropped_within_48_hours(store: Store, hours: float, flag: tuple[bool, bool]) -> None:
    store.record(call(), [event(source="website")])
    store.record(call(NOW + timedelta(hours=hours)), [event(source="website")])
    assert flags(store) == [(False, False), flag]


def test_a_dropped_event_does_not_prolong_the_48_hours(store: Store) -> None:
    for hours in (0, 40, 80):
        store.record(call(NOW + timedelta(hours=hours)), [event(source="website")])
    assert flags(store) == [(False, False), (False, True), (True, False)]


def test_only_the_newest_are_kept_while_the_totals_count_all() -> None:
    store = Store(keep=5)
    for number in range(4):
        store.record(call(), [event(f"{number}-{part}") for part in range(3)])
    matching, rows = store.received({}, 100)
    assert matching == 5
    assert [row["event_id"] for row in rows] == ["2-1", "2-2", "3-0", "3-1", "3-2"]
    assert store.totals()["events_accepted"] == 12
    store.close()


def test_filters_and_pages_go_from_oldest_to_newest(store: Store) -> None:
    store.record(call(), [event(str(number)) for number in range(5)])
    store.record(call(dataset="222"), [event("x", name="Purchase")])
    assert store.received({"dataset": "222"}, 10)[0] == 1
    assert store.received({"event_name": "Purchase", "event_id": "x"}, 10)[0] == 1
    assert store.received({"event_id": "nothing"}, 10) == (0, [])
    matching, page = store.received({"dataset": "111"}, 2, 1)
    assert matching == 5
    assert [row["event_id"] for row in page] == ["1", "2"]
    newest = store.received({}, 1, newest_first=True)[1]
    assert newest[0]["event_id"] == "x"


def test_a_request_keeps_what_became_of_it(store: Store) -> None:
    number = store.record(call(outcome="refused", status=400, code=100, subcode=2804066, events=2), [])
    store.finish(number, 12.5)
    matching, rows = store.requests({"outcome": "refused"}, 10)
    assert matching == 1
    row = rows[0]
    assert (row["status"], row["code"], row["subcode"]) == (400, 100, 2804066)
    assert (row["events"], row["kept"], row["latency_ms"]) == (2, 0, 12.5)
    assert row["received_at"] == "2026-11-22T12:00:00.000+00:00"


def test_a_broken_event_leaves_nothing_of_its_call(store: Store) -> None:
    with pytest.raises(KeyError):
        store.record(call(), [event(), {"event_name": "Lead"}])
    assert store.received({}, 10)[0] == 0
    assert store.requests({}, 10)[0] == 0
    assert store.totals()["requests"] == 0


def test_text_that_is_no_unicode_is_kept(store: Store) -> None:
    store.record(call(), [event("\ud800")])
    assert store.received({}, 10)[1][0]["event"]["event_id"] == "\ud800"


def test_a_record_on_disk_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    first = Store(tmp_path / "new" / "folder")
    first.record(call(), [event()])
    first.close()
    second = Store(tmp_path / "new" / "folder")
    second.record(call(), [event()])
    assert flags(second) == [(False, False), (True, False)]
    assert second.totals()["requests"] == 2
    second.clear()
    assert second.received({}, 10)[0] == 0
    assert set(second.totals().values()) == {0}
    second.close()


def test_a_late_finish_after_closing_does_nothing() -> None:
    store = Store()
    number = store.record(call(), [])
    store.close()
    store.finish(number, 1.0)
