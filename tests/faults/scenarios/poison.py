"""Poison: events that Meta refuses, webhooks that kill their parser, floods of duplicates."""

import time

from tests.faults.audit import Expected
from tests.faults.load import Post
from tests.faults.run import Run
from tests.faults.saboteur import give
from tests.faults.table import scenario
from tests.faults.wait import wait_until

_BATCH = 50
#: An adapter with a defect that ends its process.
_KILLER = """
import os, signal
from dataclasses import replace
from shared import providers

def deadly(parse):
    def parsed(request):
        if b"{mark}" in request.body:
            os.kill(os.getpid(), signal.SIGKILL)
        return parse(request)
    return parsed

for name, provider in providers.PROVIDERS.items():
    providers.PROVIDERS[name] = replace(provider, parse=deadly(provider.parse))
"""
_MARK = "KILLSTHEPARSER"


@scenario("poison-first")
def poison_first(run: Run) -> str:
    """One event that Meta refuses, the first of a batch of 50."""
    return _poison(run, [0])


@scenario("poison-middle", quick=True)
def poison_middle(run: Run) -> str:
    """One event that Meta refuses, in the middle of a batch of 50."""
    return _poison(run, [24])


@scenario("poison-last")
def poison_last(run: Run) -> str:
    """One event that Meta refuses, the last of a batch of 50."""
    return _poison(run, [49])


@scenario("poison-five")
def poison_five(run: Run) -> str:
    """Five events that Meta refuses in a batch of 50."""
    return _poison(run, [3, 11, 24, 25, 48])


@scenario("poison-all")
def poison_all(run: Run) -> str:
    """Every event of a batch is refused for its own click id: each rejected, and the dataset not paused."""
    bite = _poison(run, list(range(_BATCH)))
    assert run.count("select count(*) from datasets where pause_reason is not null") == 0, "the dataset was paused"
    return bite


def _poison(run: Run, places: list[int]) -> str:
    run.start("receiver", "intake")
    with run.loaded(rate=0, purchases=0) as load:
        posts = [load.make(number, kind="ad", target=run.servers.targets[0]) for number in range(_BATCH)]
        for post in posts:
            load.put(post)
    wait_until("all events wait", lambda: run.count("select count(*) from deliveries") == _BATCH)
    # A request holds its events in the order of their times.
    for place, post in enumerate(posts):
        run.execute(
            "update deliveries d set event_time = now() - make_interval(secs => %s) from conversions c, touchpoints t"
            " where c.id = d.conversion_id and t.id = c.touchpoint_id and t.click_id = %s",
            1000 - place,
            post.click_id,
        )
    bad = [posts[place].click_id for place in places]
    run.servers.sandbox("POST", "config", {"click_ids": {"bad": bad}})
    run.expected = Expected(rejected=frozenset(filter(None, bad)))
    run.start("sending", "sweeper")
    run.drain()
    rejected = run.count("select count(*) from deliveries where state = 'rejected'")
    requests = run.count("select count(*) from capi_requests")
    most = 2 * len(bad) * 6 + 2
    assert rejected == len(bad), f"{rejected} of {len(bad)} culprits were rejected"
    assert requests <= most, f"{requests} requests, {most} at most"
    return f"{rejected} of {_BATCH} rejected with {requests} requests"


@scenario("poison-webhook")
def poison_webhook(run: Run) -> str:
    """Two webhooks that kill the process that reads them: rejected, and their neighbours are not."""
    # The sweeper does intake's work when intake is dead, so it has the same deadly adapter.
    for process in ("intake", "sweeper"):
        give(run, process, _KILLER.replace("{mark}", _MARK))
    run.start()
    with run.loaded(rate=20) as load:
        time.sleep(1)
        for number in range(2):
            innocent = load.make(900_000 + number, kind="organic")
            body = innocent.body.replace(innocent.message_id.encode(), f"{_MARK}{number}".encode())
            load.put(Post(innocent.target, f"{_MARK}{number}", None, body))
        time.sleep(8)
    run.expected = Expected(poisoned=frozenset(f"{_MARK}{number}" for number in range(2)))
    run.drain(150)
    rejected = run.rows("select reason from webhooks where state = 'rejected'")
    assert [row["reason"] for row in rejected] == ["crashed_intake"] * 2, f"rejected: {rejected}"
    return f"2 of 2 rejected, restarts {dict(run.keeper.restarts)}"


@scenario("duplicates-10000")
def duplicates(run: Run) -> str:
    """Ten webhooks, each delivered a thousand times: ten messages, ten events."""
    run.start()
    with run.loaded(rate=0, purchases=0) as load:
        for number in range(10):
            load.put(load.make(number, kind="ad"), copies=1000)
        wait_until("all are answered", lambda: load.ledger.answers["200"] >= 10_000, seconds=100)
    run.drain()
    events = len(run.received())
    assert events == 10, f"{events} events for ten clicks"
    assert run.count("select count(*) from messages") == 10
    return f"{run.count('select count(*) from webhooks')} webhooks stored, {events} events"
