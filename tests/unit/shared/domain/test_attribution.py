"""Which Lead a message makes, and by which key it can only be counted once."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.attribution import automatic_lead, hash_click_id, message_time
from shared.domain.messages import MessageClass, Referral

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXT = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
REFERRALS = st.builds(Referral, click_id=TEXT, source_id=TEXT, source_url=TEXT)
MOMENTS = st.integers(946_684_800, 4_102_444_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
CLASSES = st.sampled_from(list(MessageClass))


def lead(message_class=MessageClass.AD, referral=None, **changes):
    facts = {"contact_id": 7, "occurred_at": NOON} | changes
    return automatic_lead(message_class, referral or Referral(click_id="Afclick", source_id="120"), **facts)


@given(referral=st.one_of(st.none(), REFERRALS), occurred_at=MOMENTS, policy=st.sampled_from(["ignore", "send"]))
def test_an_organic_message_makes_no_lead_whatever_else_it_says(referral, occurred_at, policy):
    assert (
        automatic_lead(MessageClass.ORGANIC, referral, contact_id=1, occurred_at=occurred_at, post_policy=policy)
        is None
    )


@given(referral=REFERRALS)
def test_a_posts_button_makes_a_lead_only_where_that_is_wanted(referral):
    assert lead(MessageClass.POST, referral) is None
    assert lead(MessageClass.POST, referral, post_policy="send") == lead(MessageClass.AD, referral)


@given(referral=REFERRALS.filter(lambda one: one.click_id), moments=st.tuples(MOMENTS, MOMENTS), other=REFERRALS)
def test_a_click_has_one_key_whoever_brings_it_and_whenever(referral, moments, other):
    twin = Referral(click_id=referral.click_id, source_id=other.source_id, source_url=other.source_url)
    first = lead(MessageClass.AD, referral, contact_id=1, occurred_at=moments[0])
    second = lead(MessageClass.AD_WITHOUT_CLICK_ID, twin, contact_id=2, occurred_at=moments[1])
    assert first == second
    assert first.click_hash == hash_click_id(referral.click_id)
    assert first.business_key == f"click:{first.click_hash}"


@given(clicks=st.lists(st.text(min_size=1, max_size=40), min_size=2, max_size=2, unique=True))
def test_two_clicks_have_two_keys_and_no_key_shows_its_click(clicks):
    leads = [lead(referral=Referral(click_id=click)) for click in clicks]
    assert leads[0].business_key != leads[1].business_key
    for click, one in zip(clicks, leads, strict=True):
        assert len(click) < 10 or click not in one.business_key


def test_without_a_click_id_a_contact_is_one_lead_for_an_ad_and_a_day():
    def key(ad="120", contact=7, at=NOON):
        return lead(MessageClass.AD_WITHOUT_CLICK_ID, Referral(source_id=ad), contact_id=contact, occurred_at=at)

    assert key() == key(at=NOON + timedelta(hours=11))
    assert key() != key(at=NOON + timedelta(hours=12))
    assert key() != key(ad="121")
    assert key() != key(contact=8)
    assert key().click_hash is None


@given(occurred_at=MOMENTS, hours=st.integers(-12, 14))
def test_the_day_is_utcs_whatever_zone_the_time_came_in(occurred_at, hours):
    elsewhere = occurred_at.astimezone(timezone(timedelta(hours=hours)))
    referral = Referral(source_id="120")
    here = lead(MessageClass.AD_WITHOUT_CLICK_ID, referral, occurred_at=occurred_at)
    assert here == lead(MessageClass.AD_WITHOUT_CLICK_ID, referral, occurred_at=elsewhere)
    assert here.business_key.endswith(occurred_at.astimezone(UTC).date().isoformat())


def test_an_ad_known_by_its_address_alone_has_a_key_of_its_own():
    first, second = (
        lead(MessageClass.AD_WITHOUT_CLICK_ID, Referral(source_url=f"https://fb.me/{one}")) for one in "ab"
    )
    assert first.business_key != second.business_key
    assert "fb.me" not in first.business_key


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, NOON),
        (NOON - timedelta(seconds=3), NOON - timedelta(seconds=3)),
        (NOON - timedelta(days=400), NOON - timedelta(days=400)),
        (NOON + timedelta(minutes=4), NOON),
        (NOON + timedelta(days=2), NOON),
    ],
)
def test_a_message_counts_as_sent_when_its_provider_says_unless_that_is_to_come(sent, expected):
    assert message_time(sent, NOON) == expected


@given(sent=st.one_of(st.none(), MOMENTS), received=MOMENTS)
def test_no_message_was_ever_sent_after_it_was_received(sent, received):
    counted = message_time(sent, received)
    assert counted <= received
    assert counted in (sent, received)
