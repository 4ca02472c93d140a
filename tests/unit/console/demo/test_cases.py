"""The demo's webhooks: every provider's, all of different people, the forged and the cut ones among them."""

from datetime import UTC, datetime

from console.demo.cases import make_cases
from console.stack.seed import demo_channels
from shared.providers import PROVIDERS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_every_provider_posts_a_redelivery_a_forgery_and_junk():
    cases = make_cases(demo_channels(), NOW)
    for provider in PROVIDERS:
        own = [case for case in cases if case.channel.provider == provider and case.channel.name != "demo-guide"]
        assert any(case.copies > 1 for case in own)
        assert [case.expected.answer for case in own if case.forged] == [401]
        assert [case.name for case in own if case.expected.taken_for == "unparsable"] == ["junk"]


def test_no_two_cases_share_a_message_but_the_redelivered_one():
    cases = [case for case in make_cases(demo_channels(), NOW) if case.message_id and case.copies == 1]
    assert len({case.message_id for case in cases}) == len(cases)
    clicks = [case.click_id for case in cases if case.click_id]
    assert len(set(clicks)) == len(clicks)


def test_only_an_ad_with_a_click_id_is_expected_at_meta():
    for case in make_cases(demo_channels(), NOW):
        assert bool(case.expected.events) == (case.click_id is not None and not case.forged)
