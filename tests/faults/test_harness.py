"""The scenarios find what they are there to find: here the product itself is made to lose and to double."""

import time

import pytest

from tests.faults.run import Run, perform
from tests.faults.saboteur import give
from tests.faults.servers import Servers
from tests.faults.table import as_line

_FORGETS = """
import itertools
from receiver import postgres

calls, insert = itertools.count(1), postgres.insert_webhooks

def forgetful(conn, webhooks):
    if next(calls) % 10:
        insert(conn, webhooks)

postgres.insert_webhooks = forgetful
"""
_REPEATS = """
from workers.capi.client import GraphClient

post_events = GraphClient.post_events

def twice(self, *given):
    post_events(self, *given)
    return post_events(self, *given)

GraphClient.post_events = twice
"""
_LIES = """
from shared.capi.answers import read_answer
from workers.capi.client import GraphClient

def unsent(self, dataset, token, body):
    events = body.count(b'"event_id"')
    return read_answer(200, {}, b'{"events_received": %d}' % events, sent=events)

GraphClient.post_events = unsent
"""


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("process", "defect", "column"),
    [("receiver", _FORGETS, "lost"), ("sending", _REPEATS, "doubled"), ("sending", _LIES, "lost")],
    ids=["a receiver that forgets", "a sender that repeats", "a sender that lies"],
)
def test_a_defect_is_found(servers: Servers, process: str, defect: str, column: str) -> None:
    def play(run: Run) -> str:
        give(run, process, defect)
        # The sweeper would send, too, what a worker was too slow for.
        run.start("receiver", "intake", "sending", "sweeper")
        with run.loaded():
            time.sleep(4)
        run.drain()
        return "a defect"

    row = perform(servers, "defect", 1, play, {})

    assert row.verdict == "FAILED", as_line(row)
    assert getattr(row.findings, column) > 0
