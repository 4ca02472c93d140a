"""What `ctwa send-sample` and the demo post."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.messages import Message, MessageClass
from shared.providers import PROVIDERS, UnknownProviderError, parse_body
from shared.providers.base import Request
from shared.providers.body import read_body
from shared.providers.samples import UnknownSampleError, list_samples, load_sample

NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
EVERY_SAMPLE = pytest.mark.parametrize(
    ("provider", "case"), [(provider, case) for provider in PROVIDERS for case in list_samples(provider)]
)
EVERY_PROVIDER = pytest.mark.parametrize("provider", PROVIDERS)
WITH_CLICK_IDS = pytest.mark.parametrize("provider", [name for name in PROVIDERS if PROVIDERS[name].click_id_paths])


def message_of(provider: str, case: str, now: datetime = NOW, **given: Any) -> Message:
    (message,) = parse_body(provider, load_sample(provider, case, now=now, **given)).messages
    return message


@EVERY_SAMPLE
def test_a_sample_is_what_its_name_says(provider: str, case: str) -> None:
    parsed = parse_body(provider, load_sample(provider, case, now=NOW))
    if case == "statuses":
        assert parsed.messages == ()
        assert parsed.ignored == {"statuses": 1}
    else:
        assert [message.message_class for message in parsed.messages] == [MessageClass(case)]
        written = NOW.replace(microsecond=0) if PROVIDERS[provider].sample_paths.times else None
        assert parsed.messages[0].sent_at == written


@EVERY_SAMPLE
def test_another_moment_gives_another_body_and_the_same_one_the_same(provider: str, case: str) -> None:
    body = load_sample(provider, case, now=NOW)
    assert load_sample(provider, case, now=NOW) == body
    assert load_sample(provider, case, now=NOW + timedelta(microseconds=1)) != body


@WITH_CLICK_IDS
def test_each_sending_has_a_new_message_id_click_id_and_token(provider: str) -> None:
    first, second = (message_of(provider, "ad", now=NOW + timedelta(seconds=n)) for n in range(2))
    assert first.referral is not None
    assert second.referral is not None
    assert first.message_id != second.message_id
    assert first.referral.click_id != second.referral.click_id
    token = first.referral.conversion_data
    assert token is None or token != second.referral.conversion_data
    assert first.phone == second.phone


@WITH_CLICK_IDS
def test_what_is_given_is_used(provider: str) -> None:
    message = message_of(provider, "ad", message_id="fixed-id", phone="5511987654321", click_id="AfGiven")
    assert message.message_id == "fixed-id" or provider == "wasapi"  # whose ad event has no id
    assert message.phone == "5511987654321"
    assert message.referral is not None
    assert message.referral.click_id == "AfGiven"


@EVERY_PROVIDER
def test_another_phone_is_another_person_under_every_name(provider: str) -> None:
    one, other = (message_of(provider, "organic", phone=phone) for phone in ("15550100150", "15550100151"))
    names = [{one.phone, one.bsuid, one.lid} - {None}, {other.phone, other.bsuid, other.lid} - {None}]
    assert not names[0] & names[1]
    assert message_of(provider, "organic", phone="15550100150").bsuid == one.bsuid


@pytest.mark.parametrize(
    ("provider", "case"),
    [
        (provider, case)
        for provider in PROVIDERS
        for case in list_samples(provider)
        if case in ("organic", "ad_without_click_id")
    ],
)
def test_no_click_id_is_put_where_the_sample_has_none(provider: str, case: str) -> None:
    message = message_of(provider, case, click_id="AfGiven")
    assert message.referral is None or message.referral.click_id is None


def test_an_unknown_sample_or_provider_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownSampleError, match="ad, ad_without_click_id, organic, statuses"):
        load_sample("whapi", "add", now=NOW)
    with pytest.raises(UnknownProviderError):
        load_sample("wapi", "ad", now=NOW)


@EVERY_SAMPLE
def test_a_sample_keeps_the_types_of_its_values(provider: str, case: str) -> None:
    def shape(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: shape(value) for key, value in node.items()}
        return [shape(item) for item in node] if isinstance(node, list) else type(node)

    first, other = (
        read_body(Request(body=load_sample(provider, case, now=NOW, **of))) for of in ({}, {"phone": "1555"})
    )
    assert shape(first) == shape(other)
