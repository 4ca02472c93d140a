"""Adapters: what it costs to parse and classify a provider's webhook, beside reading its JSON."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from urllib.parse import parse_qsl

from shared.providers import PROVIDERS
from shared.providers.base import Request
from shared.providers.samples import list_samples, load_sample
from tests.bench.harness import Figure, in_turns, ratio
from tests.bench.results import Found, Part, Sizes, Table, Target

#: The messages of a day are mostly these; statuses hold no message.
CASES = ("ad", "organic", "ad_without_click_id")


def run(sizes: Sizes) -> Found:
    """Every provider's samples, in turns with the standard library's reading of the same bytes."""
    seconds = sizes.pick(0.15, 0.03)
    rows: list[list[str | Figure]] = []
    ratios: list[float] = []
    for name in sorted(PROVIDERS):
        bodies = _bodies(name)
        found = in_turns(
            {"adapter": lambda: _adapter(name, bodies, seconds), "plain": lambda: _plain(bodies, seconds)},  # noqa: B023
            rounds=sizes.rounds + 2,
            say=lambda _: None,
        )
        times = ratio(found["adapter"], found["plain"])
        ratios.append(times.median)
        per_second = Figure.of([1 / one for one in found["adapter"]])
        rows.append([name, per_second, Figure.of([1e6 * one for one in found["adapter"]]), times])
    return Found(
        sizes=f"{len(rows)} providers, {sizes.rounds + 2} rounds of {seconds} s",
        tables=[Table(["provider", "messages/s", "µs a message", "× json.loads"], rows)],
        targets=[
            Target(
                "parse and classify, × json.loads of the same bytes, median provider", "at most", 3, Figure.of(ratios)
            )
        ],
        units={"parse ms": 1e3 * sum(1 / row[1].median for row in rows if isinstance(row[1], Figure)) / len(rows)},
    )


def _bodies(name: str) -> list[Request]:
    now = datetime.now(UTC)
    cases = [case for case in CASES if case in list_samples(name)]
    return [Request(method="POST", body=load_sample(name, case, now=now)) for case in cases]


def _adapter(name: str, requests: list[Request], seconds: float) -> float:
    parse = PROVIDERS[name].parse
    return _seconds_each({number: partial(parse, one) for number, one in enumerate(requests)}, seconds)


def _plain(requests: list[Request], seconds: float) -> float:
    readers = {
        number: (lambda body=one.body: json.loads(body) if body.startswith(b"{") else parse_qsl(body.decode()))
        for number, one in enumerate(requests)
    }
    return _seconds_each(readers, seconds)


def _seconds_each(work: Mapping[int, Callable[[], object]], seconds: float) -> float:
    """The time of one call, over all kinds of work in turn."""
    calls, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        for _ in range(50):
            for one in work.values():
                one()
        calls += 50 * len(work)
    return passed / calls


PART = Part(
    name="adapters",
    title="Adapters",
    method="""
The samples that ship with each provider (an ad message, an organic one, one without a click id; some 300 to 2,500
bytes): the adapter's `parse`, which reads, checks bounds, tells live messages from the rest and classifies, beside
`json.loads` of the same bytes (for forms, `parse_qsl`). One message a webhook, so the fixed costs of a webhook are
in it.
""",
    limits="""
`json.loads` is C; everything after it is Python that reads some twenty fields one by one, each checked for its type
before it is used. Where a webhook holds several messages, the fixed part is shared.
""",
    run=run,
)
