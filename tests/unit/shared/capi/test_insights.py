"""Insights: numbers are text, action types overlap, and the next page's address is never read."""

from datetime import date
from decimal import Decimal

import pytest

from shared.capi.insights import CONVERSATIONS, UnreadableError, ads_of, insights_query, next_cursor, rows_of


def row(**columns):
    usual = {
        "date_start": "2026-11-20", "account_currency": "BRL", "ad_id": "123", "ad_name": "Ad", "spend": "12.34",
        "impressions": "100", "reach": "80", "clicks": "9", "inline_link_clicks": "7",
    }  # fmt: skip
    return {**usual, **columns}


def only(**columns):
    (read,) = rows_of({"data": [row(**columns)]})
    return read


def test_a_row_is_read_with_its_numbers():
    read = only()
    assert (read.day, read.ad_id, read.spend, read.currency) == (date(2026, 11, 20), "123", Decimal("12.34"), "BRL")
    assert (read.impressions, read.reach, read.clicks, read.link_clicks) == (100, 80, 9, 7)


def test_only_one_of_the_overlapping_actions_counts():
    actions = [
        {"action_type": "onsite_conversion.total_messaging_connection", "value": "9"},
        {"action_type": CONVERSATIONS, "value": "4", "7d_click": "3"},
    ]
    assert only(actions=actions).conversations_started == 4
    assert only().conversations_started == 0


@pytest.mark.parametrize(
    "wrong",
    [{"spend": "a"}, {"spend": "NaN"}, {"spend": "-1"}, {"ad_id": 123}, {"ad_id": "x"}, {"date_start": "yesterday"},
     {"account_currency": "reais"}, {"impressions": "1.5"}],
)  # fmt: skip
def test_a_row_that_is_not_what_meta_documents_is_refused_by_the_name_of_its_field(wrong):
    (field,) = wrong
    with pytest.raises(UnreadableError, match=field):
        only(**wrong)


def test_the_next_page_is_known_by_its_cursor_alone():
    cursors = {"cursors": {"before": "a", "after": "b"}}
    assert next_cursor({"paging": {**cursors, "next": "https://graph.facebook.com/?access_token=secret"}}) == "b"
    assert next_cursor({"paging": cursors}) is None
    assert next_cursor({}) is None
    with pytest.raises(UnreadableError):
        next_cursor({"paging": {"next": "x"}})


def test_an_ad_is_read_with_what_it_belongs_to():
    ad = {"id": "1", "name": "A\x00d", "effective_status": "PAUSED", "campaign": {"id": "3", "name": "C"}}
    (read,) = ads_of({"data": [ad]})
    assert (read.ad_name, read.status, read.campaign_name, read.ad_set_id) == ("Ad", "PAUSED", "C", None)


def test_the_question_names_days_and_level():
    query = insights_query(date(2026, 11, 1), date(2026, 11, 2))
    assert query["time_range"] == '{"since": "2026-11-01", "until": "2026-11-02"}'
    assert (query["level"], query["time_increment"]) == ("ad", "1")
