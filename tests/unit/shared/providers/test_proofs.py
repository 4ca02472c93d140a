"""Comparing secrets, signed times, and the token of providers that sign nothing."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from shared.providers.base import Request
from shared.providers.proofs import WINDOW_SECONDS, StaticToken, any_of, is_recent, live_secrets, same, signing_time

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
TOKEN = StaticToken("X-Key")


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("", "a"), ("é", "e"), ("\udcff", "?"), ("a", "a ")])
def test_only_equal_texts_are_the_same(one: str, other: str) -> None:
    assert not same(one, other)
    assert same(one, one)


def test_every_verdict_is_reached() -> None:
    reached = []

    def verdict(value: bool) -> bool:
        reached.append(value)
        return value

    assert any_of(verdict(value) for value in (True, False, False))
    assert reached == [True, False, False]
    assert not any_of([])


def test_blank_secrets_are_none() -> None:
    assert live_secrets([{"token": " a "}, {"token": " "}, {}, {"other": "b"}], "token") == ["a"]


@pytest.mark.parametrize("seconds", [0, WINDOW_SECONDS, -WINDOW_SECONDS])
def test_a_time_within_the_window_is_recent(seconds: int) -> None:
    assert is_recent(int(NOW.timestamp()) + seconds, Request(received_at=NOW))


@pytest.mark.parametrize("seconds", [WINDOW_SECONDS + 1, -WINDOW_SECONDS - 1, -86_400, 10**13])
def test_an_old_or_future_time_is_not(seconds: int) -> None:
    assert not is_recent(int(NOW.timestamp()) + seconds, Request(received_at=NOW))


def test_the_age_of_a_stored_webhook_is_not_checked() -> None:
    assert is_recent(0, Request())


def test_a_sample_is_signed_with_the_time_it_is_sent_at() -> None:
    assert signing_time(Request(received_at=NOW + timedelta(microseconds=5))) == int(NOW.timestamp())
    assert signing_time(Request()) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"x-key": "t0ken"},
        {"x-key": " t0ken "},
        {"authorization": "Bearer t0ken"},
        {"authorization": "bearer t0ken"},
        {"authorization": "Basic " + b64encode(b"anyone:t0ken").decode()},
        {"authorization": "basic " + b64encode(b":t0ken").decode()},
    ],
)
def test_a_token_is_taken_from_its_header_as_bearer_or_as_basic_password(headers: dict[str, str]) -> None:
    assert TOKEN.verify(Request(headers=headers), [{"token": "t0ken"}])
    assert TOKEN.verify(Request(headers=headers), [{"token": "new"}, {"token": "t0ken"}])
    assert not TOKEN.verify(Request(headers=headers), [{"token": "new"}])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-webhook-secret": "t0ken"},
        {"x-key": "t0ken,t0ken"},
        {"authorization": "t0ken"},
        {"authorization": "Bearer"},
        {"authorization": "Basic t0ken"},
        {"authorization": "Basic " + b64encode(b"t0ken").decode()},
        {"authorization": "Basic " + b64encode(b"t0ken:").decode()},
        {"authorization": "Basic " + b64encode(b"a:\xff").decode()},
        {"authorization": "Bearer " + b64encode(b"a:t0ken").decode()},
    ],
)
def test_another_header_or_form_is_refused(headers: dict[str, str]) -> None:
    assert not TOKEN.verify(Request(headers=headers, query="token=t0ken"), [{"token": "t0ken"}])


def test_a_channel_may_name_the_header_itself() -> None:
    secrets = {"header": " X-Own ", "token": "t0ken"}
    assert TOKEN.verify(Request(headers={"x-own": "t0ken"}), [secrets])
    assert not TOKEN.verify(Request(headers={"x-key": "t0ken"}), [secrets])
    assert TOKEN.sign(Request(), secrets) == {"X-Own": "t0ken"}
    assert [(field.name, field.default, field.generated) for field in TOKEN.fields("somewhere")] == [
        ("header", "X-Key", False),
        ("token", None, True),
    ]
