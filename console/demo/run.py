"""Running the demo: a stack of its own, all webhooks at once through the real receiver, and a verdict."""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import requests

from console.demo.cases import Case, make_cases
from console.demo.outcomes import Result, judge, look
from console.samples import post_sample, signed_headers
from console.setup.channels import webhook_url
from console.stack.processes import INHERITED
from console.stack.seed import demo_channels
from shared.crypto import KeyRing
from shared.db.channels import Channel, all_channels, open_secrets, seal_secrets
from shared.local.detach import stop
from shared.local.process import Process, running
from shared.local.stack import Stack, read_stack
from shared.providers import get_provider

_START_SECONDS = 120.0
_OUTCOME_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_POSTERS = 16
_EVENTS_READ = 10_000


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Every case's result, in order, and what is wrong beyond single cases."""

    results: Sequence[Result]
    strays: Sequence[str]

    @property
    def ok(self) -> bool:
        """Whether all came out as it should."""
        return not self.strays and not any(result.problems for result in self.results)


def run_demo(stack: Stack, *, say: Callable[[str], None]) -> Verdict:
    """Posts every case to a running stack, waits for all outcomes, and compares. `say` is told how it goes."""
    environment = stack.extra["environment"]
    ring = KeyRing(environment["SECRET_KEYS"].split(","), name="SECRET_KEYS")
    cases = make_cases(demo_channels(), datetime.now(UTC))
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as conn:
        channels = {channel.name: channel for channel in all_channels(conn)}
        say(f"Posting {sum(case.copies for case in cases)} webhooks to {environment['PUBLIC_URL']}.")
        answers = _post_all(cases, channels, ring, environment["PUBLIC_URL"])
        results = _wait(conn, cases, channels, answers, say)
    return Verdict(results=results, strays=judge(results, _received(stack.addresses["graph"])))


@contextlib.contextmanager
def own_stack(state_dir: Path, environ: Mapping[str, str]) -> Iterator[Stack]:
    """A new stack in this folder for the length of a `with` block; what was there before is removed.

    It starts embedded servers whatever `environ` names, so that no real database ever sees the demo.
    Raises StackError.
    """
    if state_dir.is_dir():
        stop(state_dir)
        shutil.rmtree(state_dir)
    process = Process(
        name="stack",
        command=[sys.executable, "-P", "-m", "console.cli.main", "up", "--state-dir", str(state_dir)],
        env={name: environ[name] for name in INHERITED if name in environ},
        ready=lambda: _is_ready(state_dir),
        ready_seconds=_START_SECONDS,
        stop_seconds=60.0,
    )
    with running(process, state_dir / "logs" / "stack.log"):
        stack = read_stack(state_dir)
        assert stack is not None
        yield stack


def _is_ready(state_dir: Path) -> bool:
    stack = read_stack(state_dir)
    return stack is not None and stack.ready


def _post_all(
    cases: Sequence[Case], channels: Mapping[str, Channel], ring: KeyRing, public_url: str
) -> list[list[int | None]]:
    """The statuses of each case's copies. All are posted at the same time, as far as there are threads."""

    def post(case: Case) -> int | None:
        channel = channels[case.channel.name]
        url = webhook_url(public_url, channel.key)
        signer = _with_forged_secrets(channel, ring) if case.forged else channel
        return post_sample(url, case.body, signed_headers(ring, signer, url, case.body)).status

    with ThreadPoolExecutor(_POSTERS) as posters:
        posted = [[posters.submit(post, case) for _ in range(case.copies)] for case in cases]
        return [[one.result() for one in copies] for copies in posted]


def _with_forged_secrets(channel: Channel, ring: KeyRing) -> Channel:
    """The channel as somebody knows it who knows its URL and the provider's way of signing, but not its secrets."""
    provider = get_provider(channel.provider)
    settings = {field.name for field in provider.secret_fields if field.default is not None}
    forged = {
        name: value if name in settings else f"not-{value}"
        for name, value in open_secrets(ring, channel.secrets)[0].items()
    }
    return replace(channel, secrets=seal_secrets(ring, [forged]))


def _wait(
    conn: psycopg.Connection[Any],
    cases: Sequence[Case],
    channels: Mapping[str, Channel],
    answers: Sequence[list[int | None]],
    say: Callable[[str], None],
) -> list[Result]:
    """Looks until every case has come to its end, or the time is up."""
    deadline = time.monotonic() + _OUTCOME_SECONDS
    told = -1
    while True:
        seen = look(conn, cases, channels)
        settled = sum(one.settled for one in seen)
        if settled != told:
            say(f"{settled} of {len(cases)} cases have come to their end.")
            told = settled
        if settled == len(cases) or time.monotonic() > deadline:
            return [
                Result(case=case, answers=got, seen=one) for case, got, one in zip(cases, answers, seen, strict=True)
            ]
        time.sleep(_LOOK_SECONDS)


def _received(graph_url: str) -> list[dict[str, Any]]:
    """Every event that the sandbox has."""
    with requests.Session() as http:
        http.trust_env = False
        answer = http.get(f"{graph_url}/__sandbox/received", params={"limit": _EVENTS_READ}, timeout=10)
        answer.raise_for_status()
        events: list[dict[str, Any]] = answer.json()["events"]
        return events
