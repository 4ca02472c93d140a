"""The webhooks of the demo, and what each must come to. Pure but for reading the samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from console.stack.seed import DemoChannel
from shared.providers import parse_body
from shared.providers.samples import list_samples, load_sample

REDELIVERIES = 10
_CUT_SHORT = b'{"messages": [{"id": "cut-sho'


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a webhook must come to. `events`: how many of its click Meta's sandbox may have."""

    answer: int = 200
    taken_for: str
    state: str | None = None
    events: int = 0


@dataclass(frozen=True, kw_only=True, repr=False)
class Case:
    """One body, posted `copies` times at once. The ids are those that the provider's adapter finds in it."""

    channel: DemoChannel
    name: str
    body: bytes
    copies: int = 1
    forged: bool = False
    message_id: str | None = None
    click_id: str | None = None
    token: str | None = None
    expected: Expected


#: By sample, the best first: not every provider carries a click id, or anything of the ad at all.
_OUTCOMES = {
    "ad": Expected(taken_for="ad", state="accepted", events=1),
    "ad_without_click_id": Expected(taken_for="ad_without_click_id", state="skipped"),
    "organic": Expected(taken_for="organic"),
    "statuses": Expected(taken_for="no message"),
}


def make_cases(channels: Sequence[DemoChannel], now: datetime) -> list[Case]:
    """Every case of every channel; of a provider's second channel the best alone. Each is of another person."""
    cases: list[Case] = []
    seen: set[str] = set()
    for number, channel in enumerate(channels):
        moment = now + timedelta(milliseconds=number)
        names = [name for name in _OUTCOMES if name in list_samples(channel.provider)]
        again = channel.provider in seen
        cases.extend([_sample(channel, names[0], moment)] if again else _all_cases(channel, names, moment))
        seen.add(channel.provider)
    return cases


def _all_cases(channel: DemoChannel, names: Sequence[str], now: datetime) -> Iterator[Case]:
    best = _sample(channel, names[0], now)
    yield best
    yield replace(best, name=f"the same {best.name}, {REDELIVERIES} times at once", copies=REDELIVERIES)
    for number, name in enumerate(names[1:], start=1):
        yield _sample(channel, name, now + timedelta(microseconds=number))
    forged = _sample(channel, names[0], now + timedelta(microseconds=99))
    yield Case(
        channel=channel,
        name=f"{best.name}, forged",
        body=forged.body,
        forged=True,
        click_id=forged.click_id,
        expected=Expected(answer=401, taken_for="refused"),
    )
    yield Case(channel=channel, name="junk", body=_CUT_SHORT, expected=Expected(taken_for="unparsable"))


def _sample(channel: DemoChannel, sample: str, now: datetime) -> Case:
    phone = f"1555{int(now.timestamp() * 1_000_000) % 10**7:07d}"
    body = load_sample(channel.provider, sample, now=now, phone=phone)
    message = next(iter(parse_body(channel.provider, body).messages), None)
    return Case(
        channel=channel,
        name=sample.replace("_", " "),
        body=body,
        message_id=message.message_id if message else None,
        click_id=message.referral.click_id if message and message.referral else None,
        token=message.referral.conversion_data if message and message.referral else None,
        expected=_OUTCOMES[sample],
    )
