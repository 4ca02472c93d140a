"""Bodies of the benchmark: each is another person's message of another click."""

from shared.providers import parse_body
from tests.bench.bodies import Bodies

#: Of the channels that benchmarks post to.
PROVIDERS = ("whapi", "meta_cloud")


def test_no_two_webhooks_share_a_person_a_click_or_a_message():
    for provider in PROVIDERS:
        bodies = Bodies(provider)
        one, other = (parse_body(provider, bodies.body(number)).messages[0] for number in (1, 2))
        for name in ("message_id", "phone", "bsuid", "lid", "provider_id"):
            value = getattr(one, name)
            assert value is None or value != getattr(other, name), f"{provider}: {name}"
        assert one.referral.click_id != other.referral.click_id, provider
