import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.capi.usage import Advice, read_usage


def business(**entry: object) -> dict[str, str]:
    return {"X-Business-Use-Case-Usage": json.dumps({"102": [{"type": "ads_management", **entry}]})}


@pytest.mark.parametrize(
    ("headers", "percent", "regain_seconds", "advice"),
    [
        ({}, None, None, Advice.NONE),
        ({"X-App-Usage": '{"call_count":28,"total_time":25,"total_cputime":30}'}, 30, None, Advice.NONE),
        ({"x-app-usage": '{"call_count":74.2}'}, 75, None, Advice.SLOW),
        ({"X-App-Usage": '{"call_count":94}'}, 94, None, Advice.SLOW),
        ({"X-App-Usage": '{"call_count":95}'}, 95, None, Advice.STOP),
        (business(call_count=10, estimated_time_to_regain_access=0), 10, None, Advice.NONE),
        (business(call_count=100, estimated_time_to_regain_access=3), 100, 180, Advice.STOP),
        (business(call_count=1, estimated_time_to_regain_access=10**6), 1, 86400, Advice.STOP),
        ({"X-Ad-Account-Usage": '{"acc_id_util_pct":9.67,"reset_time_duration":100}'}, 10, None, Advice.NONE),
        ({"X-Ad-Account-Usage": '{"acc_id_util_pct":97,"reset_time_duration":100}'}, 97, 100, Advice.STOP),
        ({"X-FB-Ads-Insights-Throttle": '{"app_id_util_pct":80,"acc_id_util_pct":0}'}, 80, None, Advice.SLOW),
        ({"X-App-Usage": '{"call_count":20}', **business(call_count=81)}, 81, None, Advice.SLOW),
        ({"X-App-Usage": "not json"}, None, None, Advice.NONE),
        ({"X-App-Usage": '{"call_count":NaN,"total_time":true,"total_cputime":"99"}'}, None, None, Advice.NONE),
        ({"X-App-Usage": '{"call_count":-5}'}, None, None, Advice.NONE),
        ({"X-Business-Use-Case-Usage": '{"1":"x","2":[7],"3":{}}'}, None, None, Advice.NONE),
    ],
)
def test_usage_is_the_highest_of_all_headers(
    headers: dict[str, str], percent: int | None, regain_seconds: int | None, advice: Advice
) -> None:
    usage = read_usage(headers)
    assert (usage.percent, usage.regain_seconds, usage.advice) == (percent, regain_seconds, advice)


@given(st.dictionaries(st.sampled_from(["X-App-Usage", "X-Business-Use-Case-Usage", "X-Ad-Account-Usage"]), st.text()))
def test_no_header_makes_it_raise(headers: dict[str, str]) -> None:
    assert read_usage(headers).advice in Advice
