"""The demo's verdict: whatever can go wrong on the way is seen."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from console.demo.cases import Case, make_cases
from console.demo.outcomes import Result, Seen, judge
from console.demo.run import Verdict
from console.stack.seed import demo_channels

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CASES = make_cases(demo_channels(), NOW)
AD = next(case for case in CASES if case.name == "ad" and case.channel.provider == "whapi")
ORGANIC = next(case for case in CASES if case.name == "organic")


def event(case: Case = AD, **changed: Any) -> dict[str, Any]:
    dataset = case.channel.dataset
    user = {"ctwa_clid": case.click_id, "whatsapp_business_account_id": dataset.waba_id}
    made = {"dataset": dataset.meta_id, "event_name": "LeadSubmitted", "event_id": case.token}
    return {**made, "event": {"user_data": {**user, **changed.pop("user_data", {})}}, **changed}


def result(case: Case = AD, **changed: Any) -> Result:
    seen = Seen(taken_for=case.expected.taken_for, state=case.expected.state)
    return Result(**{"case": case, "answers": [200], "seen": seen, **changed})


def verdict(results: list[Result], received: list[dict[str, Any]]) -> Verdict:
    return Verdict(results=results, strays=judge(results, received))


def test_what_came_out_as_it_should_is_well():
    assert verdict([result(), result(ORGANIC)], [event()]).ok


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: ([result()], []), "has 0 events of it, not 1"),
        (lambda: ([result()], [event(), event()]), "has 2 events of it, not 1"),
        (lambda: ([result()], [event(dataset="1000000000000002")]), "went to dataset 1000000000000002"),
        (
            lambda: ([result()], [event(user_data={"whatsapp_business_account_id": "100000000000002"})]),
            "names another WhatsApp account",
        ),
        (lambda: ([result()], [event(event_name="Lead")]), "called Lead, not LeadSubmitted"),
        (lambda: ([result()], [event(event_id="another")]), "not the conversion token"),
        (lambda: ([result(answers=[200, 503, None])], [event()]), "answered with"),
        (lambda: ([result(seen=Seen(taken_for="organic"))], [event()]), "taken for organic, not ad"),
        (lambda: ([result(seen=Seen(taken_for="ad", state="rejected"))], [event()]), "is rejected, not accepted"),
        (
            lambda: ([result(seen=Seen(taken_for="ad", state="accepted", settled=False))], [event()]),
            "came to no end in time",
        ),
    ],
)
def test_whatever_came_out_otherwise_is_named(
    make: Callable[[], tuple[list[Result], list[dict[str, Any]]]], problem: str
):
    results, received = make()
    judged = verdict(results, received)
    assert not judged.ok
    assert any(problem in said for one in judged.results for said in one.problems)


def test_an_event_of_no_ad_click_is_nobodys_and_named():
    judged = verdict([result(), result(ORGANIC)], [event(), event(user_data={"ctwa_clid": "of nobody"})])
    assert not judged.ok
    assert judged.strays == ["demo-one got an event of no ad click"]
