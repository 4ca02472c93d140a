"""The webhooks of the demo, and what each must come to. Pure but for reading the samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.stack.seed import DemoChannel
from shared.providers import parse_body
from shared.providers.samples import load_sample

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


_AD = Expected(taken_for="ad", state="accepted", events=1)
_OUTCOMES = {
    "organic": Expected(taken_for="organic"),
    "ad_without_click_id": Expected(taken_for="ad_without_click_id", state="skipped"),
    "statuses": Expected(taken_for="no message"),
}


def make_cases(channels: Sequence[DemoChannel], now: datetime) -> list[Case]:
    """Every case of every channel; of a provider's second channel the ad alone. Each is of another person."""
    cases: list[Case] = []
    seen: set[str] = set()
    for number, channel in enumerate(channels):
        moment = now + timedelta(milliseconds=number)
        cases.extend(_ad_alone(channel, moment) if channel.provider in seen else _all_cases(channel, moment))
        seen.add(channel.provider)
    return cases


def _ad_alone(channel: DemoChannel, now: datetime) -> Iterator[Case]:
    yield _sample(channel, "ad", "ad", now, _AD)


def _all_cases(channel: DemoChannel, now: datetime) -> Iterator[Case]:
    ad = _sample(channel, "ad", "ad", now, _AD)
    yield ad
    yield Case(
        channel=channel,
        name=f"the same ad, {REDELIVERIES} times at once",
        body=ad.body,
        copies=REDELIVERIES,
        message_id=ad.message_id,
        click_id=ad.click_id,
        token=ad.token,
        expected=_AD,
    )
    for number, (sample, expected) in enumerate(_OUTCOMES.items(), start=1):
        yield _sample(channel, sample, sample.replace("_", " "), now + timedelta(microseconds=number), expected)
    forged = _sample(channel, "ad", "forged", now + timedelta(microseconds=99), _AD)
    yield Case(
        channel=channel,
        name="ad, forged",
        body=forged.body,
        forged=True,
        click_id=forged.click_id,
        expected=Expected(answer=401, taken_for="refused"),
    )
    yield Case(channel=channel, name="junk", body=_CUT_SHORT, expected=Expected(taken_for="unparsable"))


def _sample(channel: DemoChannel, sample: str, name: str, now: datetime, expected: Expected) -> Case:
    phone = f"1555{int(now.timestamp() * 1_000_000) % 10**7:07d}"
    body = load_sample(channel.provider, sample, now=now, phone=phone)
    message = next(iter(parse_body(channel.provider, body).messages), None)
    return Case(
        channel=channel,
        name=name,
        body=body,
        message_id=message.message_id if message else None,
        click_id=message.referral.click_id if message and message.referral else None,
        token=message.referral.conversion_data if message and message.referral else None,
        expected=expected,
    )
