"""To which click a sale belongs: examples of each reason, and properties over whatever comes in whatever order."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.attribution import CLOCK_TOLERANCE, META_WINDOW, OLD_CLICK, Touch, attribute
from shared.domain.messages import MessageClass
from shared.domain.reasons import ATTRIBUTION

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def touch(number, ago, message_class=MessageClass.AD, **facts):
    return Touch(id=number, message_class=message_class, occurred_at=NOW - ago, **facts)


@pytest.mark.parametrize(
    ("touches", "named", "touchpoint", "reason", "flags"),
    [
        ([], False, None, "no_ad", ()),
        ([], True, None, "click_id_unknown", ()),
        ([touch(1, DAY)], False, 1, "last_click", ()),
        ([touch(1, 2 * DAY), touch(2, DAY)], False, 2, "last_click", ()),
        ([touch(1, 2 * DAY), touch(2, DAY, MessageClass.AD_WITHOUT_CLICK_ID)], False, 2, "last_ad_message", ()),
        ([touch(1, 2 * DAY), touch(2, DAY, MessageClass.POST)], False, 1, "last_click", ()),
        ([touch(1, DAY, MessageClass.POST, sends_posts=True)], False, 1, "last_post", ()),
        ([touch(1, -DAY)], False, None, "clicks_came_after", ()),
        ([touch(1, 29 * DAY)], False, None, "clicks_too_old", ()),
        ([touch(1, 29 * DAY, window=30 * DAY)], False, 1, "last_click", (OLD_CLICK,)),
        ([touch(1, 8 * DAY)], False, 1, "last_click", (OLD_CLICK,)),
        ([touch(1, 7 * DAY)], False, 1, "last_click", ()),
        ([touch(1, 3 * DAY, named=True), touch(2, DAY)], True, 1, "named_click", ()),
        ([touch(1, -CLOCK_TOLERANCE, named=True)], True, 1, "named_click", ()),
        ([touch(1, -DAY, named=True), touch(2, DAY)], True, 2, "last_click", ()),
        ([touch(1, 2 * DAY, window=DAY), touch(2, 3 * DAY)], False, 2, "last_click", ()),
    ],
)
def test_a_sale_belongs_to_its_last_click_and_says_why(touches, named, touchpoint, reason, flags):
    found = attribute(touches, occurred_at=NOW, click_named=named)
    assert (found.touchpoint_id, found.reason, found.flags) == (touchpoint, reason, flags)
    assert found.reason in ATTRIBUTION


TOUCHES = st.lists(
    st.builds(
        Touch,
        id=st.integers(1, 10**6),
        message_class=st.sampled_from([MessageClass.AD, MessageClass.AD_WITHOUT_CLICK_ID, MessageClass.POST]),
        occurred_at=st.integers(-40 * 24 * 60, 40 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes)),
        window=st.sampled_from([DAY, 7 * DAY, 28 * DAY]),
        sends_posts=st.booleans(),
        named=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.id,
)


@given(TOUCHES, st.booleans(), st.randoms())
def test_the_order_in_which_clicks_become_known_makes_no_difference(touches, named, rng):
    shuffled = list(touches)
    rng.shuffle(shuffled)
    assert attribute(touches, occurred_at=NOW, click_named=named) == attribute(
        shuffled, occurred_at=NOW, click_named=named
    )


@given(TOUCHES, TOUCHES)
def test_a_click_after_the_sale_never_changes_whose_it_is(touches, others):
    later = [one for one in others if one.occurred_at > NOW + CLOCK_TOLERANCE]
    known = {one.id for one in touches}
    before = attribute(touches, occurred_at=NOW)
    after = attribute([*touches, *(one for one in later if one.id not in known)], occurred_at=NOW)
    assert after.touchpoint_id == before.touchpoint_id


@given(TOUCHES)
def test_what_is_found_counts_and_lies_within_its_window_before_the_sale(touches):
    found = attribute(touches, occurred_at=NOW)
    if found.touchpoint_id is None:
        return
    [one] = [one for one in touches if one.id == found.touchpoint_id]
    age = NOW - one.occurred_at
    assert -CLOCK_TOLERANCE <= age <= one.window
    assert one.message_class is not MessageClass.POST or one.sends_posts
    assert (OLD_CLICK in found.flags) == (age > META_WINDOW)
    closer = [
        other
        for other in touches
        if one.occurred_at < other.occurred_at <= NOW
        and NOW - other.occurred_at <= other.window
        and (other.message_class is not MessageClass.POST or other.sends_posts)
    ]
    assert found.reason == "named_click" or not closer
