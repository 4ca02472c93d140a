"""Alerts in the console: seen by whom they are of, looked after, over, with thresholds and routes of a workspace."""

import re

import pytest

from tests.integration.web.test_pages import log_in
from tests.integration.web.test_team import said


def open_alert(site, workspace="default", kind="paused"):
    site.execute(
        "insert into alerts (workspace, kind, subject, detail) values (%s, %s, 'dataset:<b>acme</b>',"
        " '{\"reason\": \"by_hand\"}')", workspace, kind,
    )  # fmt: skip
    return site.rows("select max(id) as id from alerts")[0]["id"]


def test_an_alert_says_what_to_do_is_looked_after_and_ends(site):
    operator = site.as_role("operator")
    assert "Nothing needs you." in operator.get(site.path("alerts/")).text
    number = open_alert(site)
    page = operator.get(site.path("alerts/")).text
    assert "What to do" in page
    assert "<b>acme</b>" not in page
    first = operator.post(site.path(f"alerts/{number}/acknowledge"))
    assert said(operator, first) == ["You look after it; nobody is reminded."]
    assert said(operator, operator.post(site.path(f"alerts/{number}/resolve"))) == [
        "Resolved. If it still holds, it opens again."
    ]
    assert "alert-" in operator.get(site.path("alerts/?show=before")).text
    stranger = site.as_role("owner", "other")
    assert "Nothing needs you." in stranger.get(site.path("alerts/", "other")).text
    assert "There is no alert" in said(stranger, stranger.post(site.path(f"alerts/{number}/resolve", "other")))[0]


def test_overview_and_alerts_list_the_same(site):
    """What the rows say at once, and what only an alert says; what somebody looks after stays in both."""
    operator = site.as_role("operator")
    for number, (name, is_test) in enumerate((("real", False), ("try-out", True))):
        site.execute(
            "with d as (insert into datasets (name, meta_id, waba_id, pause_reason, paused_at, paused_until, is_test)"
            " values (%s, %s, '1', 'by_hand', now(), '9999-12-31', %s) returning id)"
            " insert into channels (key, name, provider, secrets, dataset_id, is_test)"
            " select %s, %s, 'whapi', '', id, %s from d",
            name, str(number), is_test, f"key-of-{name}-0123456789", name, is_test,
        )  # fmt: skip
    site.execute("insert into alerts (workspace, kind, subject) values ('default', 'dataset_paused', 'dataset:real')")
    open_alert(site)
    overview = operator.get(site.path("overview/")).text
    assert re.findall(r'class="needs">|<strong><a [^>]*>([^<]*)</a>', overview)[1:] == [
        "Dataset real is paused", "Test dataset try-out is paused", "paused",
    ]  # fmt: skip
    alerts = operator.get(site.path("alerts/")).text
    assert sorted(re.findall(r'<h2 id="(?:alert|need)-[^>]*>([^<]*)</h2>', alerts)) == [
        "Dataset paused", "Test dataset try-out is paused", "paused",
    ]  # fmt: skip
    for row in site.rows("select id from alerts"):
        operator.post(site.path(f"alerts/{row['id']}/acknowledge"))
    overview = operator.get(site.path("overview/")).text
    assert overview.count("looked after") == 2
    assert "Nothing: all is well." not in overview


def test_a_threshold_is_moved_for_one_workspace(site):
    owner = site.as_role("owner")
    page = owner.get(site.path("alerts/thresholds")).text
    kind = re.search(r'id="rule-([a-z_]+)"', page)[1]
    form = {"enabled": "0"}
    owner.post(site.path(f"alerts/thresholds/{kind}"), form)
    assert site.rows("select workspace, kind, enabled from alert_rules") == [
        {"workspace": "default", "kind": kind, "enabled": False}
    ]
    answer = owner.post(site.path(f"alerts/thresholds/{kind}"), {"enabled": "1", "threshold": "a lot"})
    assert said(owner, answer)[-1] == "a lot is not a number such as 12.50, and not below zero."


def test_a_route_is_added_tried_and_removed_and_its_address_is_not_shown(site):
    owner = site.as_role("owner")
    form = {"kind": "email", "name": "ops", "address": "operations@example.com"}
    owner.post(site.path("alerts/routes"), form, page="/account/")
    page = owner.get(site.path("alerts/routes")).text
    assert "o…@example.com" in page
    assert "operations@" not in page
    number = site.rows("select id from alert_routes")[0]["id"]
    owner.post(site.path(f"alerts/routes/{number}/test"))
    assert 'hx-trigger="every 3s"' in owner.get(site.path("alerts/routes")).text
    stranger = site.as_role("owner", "other")
    assert "no such route" in said(
        stranger, stranger.post(site.path(f"alerts/routes/{number}/remove", "other"), page="/account/")
    )[0]  # fmt: skip
    owner.post(site.path(f"alerts/routes/{number}/remove"))
    assert site.rows("select id from alert_routes") == []
    shown = owner.post(
        site.path("alerts/routes"), {"kind": "webhook", "name": "pager", "address": "https://example.com/hook"}
    )
    assert 'value="whsec_' in shown.text


@pytest.mark.timeout(600)
def test_alerts_look_right(site, visitor):
    site.add_user("ana@example.com", name="Ana Souza")
    open_alert(site)
    open_alert(site, kind="unknown")
    log_in(visitor, "ana@example.com")
    wrong = []
    for name, path in (("alerts", "alerts/"), ("thresholds", "alerts/thresholds"), ("routes", "alerts/routes")):
        visitor.open(site.path(path))
        wrong += visitor.look(name)
    visitor.page.get_by_label("How").select_option("webhook")
    visitor.page.get_by_label("Name").fill("pager")
    visitor.page.get_by_label("Address").fill("https://example.com/hook")
    visitor.page.get_by_role("button", name="Add").click()
    visitor.page.wait_for_load_state("networkidle")
    assert visitor.page.locator("#secret").input_value().startswith("whsec_")
    wrong += visitor.look("route-secret")
    assert wrong == []
