"""Identifiers of our own."""

import time
import uuid

from shared.ids import item_id, uuid7


def test_an_id_is_a_version_7_uuid_that_says_when_it_was_made():
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after


def test_ids_sort_by_the_millisecond_they_were_made_in(monkeypatch):
    clock = iter(range(1_795_000_000_000, 1_795_000_000_500))
    monkeypatch.setattr(time, "time_ns", lambda: next(clock) * 1_000_000)
    made = [uuid7() for _ in range(500)]
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_no_two_ids_are_alike():
    assert len({uuid7() for _ in range(10_000)}) == 10_000


def test_the_items_of_a_request_have_ids_of_their_own_that_lead_back_to_it():
    request = uuid7()
    items = [item_id(request, place) for place in range(500)]
    assert items[0] == request
    assert items == sorted(set(items))
    assert all(request.int <= one.int < request.int + 500 for one in items)
