"""Deliveries and webhooks in the console: whose they are, what they say, what operators change, what a file holds."""

import csv
import io
import re

import pytest

from tests.integration.web.demo import WORKSPACE, fill_demo
from tests.integration.web.test_pages import log_in
from tests.integration.web.test_team import said

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def shop(site):
    """The demo business, with words in it that would run as scripts or formulas if they could."""
    fill_demo(site)
    site.execute("update touchpoints set headline = %s, body = %s", HOSTILE, HOSTILE)
    site.execute("update deliveries set event_name = '=2+3' where id = (select max(id) from deliveries)")
    return site


def one(site, state):
    return site.rows("select id from deliveries where state = %s order by id limit 1", state)[0]["id"]


def test_a_list_counts_filters_and_finds_by_any_id(shop):
    browser = shop.as_role("viewer", WORKSPACE)
    page = browser.get(shop.path("deliveries/?test=1&since=all", WORKSPACE)).text
    total = shop.rows("select count(*) as n from deliveries")[0]["n"]
    assert re.search(rf'aria-current="true">All <span>{total}</span>', page)
    assert "Nothing was to be reported" not in browser.get(shop.path("deliveries/", WORKSPACE)).text, (
        "with test channels alone, test rows are shown unasked, as figures show them"
    )
    row = shop.rows(
        "select d.id, d.event_id, m.message_id from deliveries d join conversions c on c.id = d.conversion_id"
        " join touchpoints t on t.id = c.touchpoint_id join messages m on m.id = t.message_id limit 1"
    )[0]
    for reference in row.values():
        found = browser.get(shop.path(f"deliveries/?search={reference}", WORKSPACE)).text
        assert f"/deliveries/{row['id']}" in found, reference
    assert "has that id" in browser.get(shop.path("deliveries/?search=nothing", WORKSPACE)).text
    shop.execute("update channels set is_test = false where id = (select min(id) from channels)")
    shop.execute("update datasets set is_test = false")
    assert "Nothing was to be reported" in browser.get(shop.path("deliveries/", WORKSPACE)).text, (
        "else test rows are left out"
    )


def test_a_story_shows_hostile_words_as_words_and_masks_the_click_id_until_an_operator_asks(shop):
    row = shop.rows(
        "select d.id, t.click_id from deliveries d join conversions c on c.id = d.conversion_id"
        " join touchpoints t on t.id = c.touchpoint_id where t.click_id is not null and d.state = 'accepted' limit 1"
    )[0]
    path = shop.path(f"deliveries/{row['id']}", WORKSPACE)
    viewer, operator = shop.as_role("viewer", WORKSPACE), shop.as_role("operator", WORKSPACE)
    page = viewer.get(path).text
    assert HOSTILE not in page
    assert "&lt;img src=x" in page
    assert row["click_id"] not in page
    assert viewer.post(f"{path}/reveal").status_code == 403
    assert row["click_id"] in operator.post(f"{path}/reveal", page=path).text
    assert shop.rows("select workspace from audit_log where action = 'trace.reveal'") == [{"workspace": WORKSPACE}]


def test_a_story_is_told_also_when_a_name_was_sealed_under_a_key_that_is_lost(shop):
    shop.execute("update contact_identities set ciphertext = 'sealed under another key'")
    for row in shop.rows("select id from deliveries order by id limit 3"):
        answer = shop.as_role("viewer", WORKSPACE).get(shop.path(f"deliveries/{row['id']}", WORKSPACE))
        assert answer.status_code == 200


def test_another_workspace_s_rows_are_not_there(shop):
    stranger = shop.as_role("owner")
    number = one(shop, "accepted")
    for path in (f"deliveries/{number}", f"deliveries/{number}/retry", f"deliveries/{number}/reveal"):
        answer = stranger.get(shop.path(path)) if path[-1].isdigit() else stranger.post(shop.path(path))
        assert answer.status_code == 404, path
    event = shop.rows("select event_id from deliveries where id = %s", number)[0]["event_id"]
    assert "has that id" in stranger.get(shop.path(f"deliveries/?search={event}")).text


def test_an_unknown_outcome_is_settled_once_and_audited_in_its_workspace(shop):
    number = one(shop, "unknown")
    operator = shop.as_role("operator", WORKSPACE)
    path = shop.path(f"deliveries/{number}", WORKSPACE)
    answer = operator.post(f"{path}/resolve", {"resolution": "accepted"}, page=path)
    assert said(operator, answer) == ["Settled."]
    assert shop.rows("select state from deliveries where id = %s", number) == [{"state": "accepted"}]
    again = operator.post(f"{path}/resolve", {"resolution": "resend"})
    assert said(operator, again) == ["Its outcome is not unknown any more; nothing was changed."]
    lines = shop.rows("select action, workspace from audit_log where action = 'deliveries.resolve'")
    assert lines == [{"action": "deliveries.resolve", "workspace": WORKSPACE}]


def test_a_bulk_retry_says_first_what_it_would_do_and_keeps_to_its_workspace(shop):
    number = one(shop, "accepted")
    shop.execute("update deliveries set state = 'rejected', reason = 'meta_100', accepted_at = null, event_time = now()"
                 " where id = %s", number)  # fmt: skip
    operator = shop.as_role("operator", WORKSPACE)
    form = {"state": "rejected", "since": "all", "test": "1"}
    looked = operator.post(shop.path("deliveries/retry", WORKSPACE), form, page="/account/")
    assert "Send 1 delivery again" in looked.text
    assert one(shop, "rejected") == number, "looking changes nothing"
    stranger = shop.as_role("owner")
    stranger.post(shop.path("deliveries/retry"), {**form, "really": "1"}, page="/account/")
    assert one(shop, "rejected") == number
    done = operator.post(shop.path("deliveries/retry", WORKSPACE), {**form, "really": "1"})
    assert said(operator, done) == ["1 delivery goes again."]
    assert shop.rows("select state from deliveries where id = %s", number) == [{"state": "pending"}]


def test_a_file_has_every_row_and_no_cell_that_runs(shop):
    text = shop.as_role("viewer", WORKSPACE).get(shop.path("deliveries/export.csv?test=1&since=all", WORKSPACE)).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == shop.rows("select count(*) as n from deliveries")[0]["n"]
    assert "'=2+3" in {row["event_name"] for row in rows}


@pytest.mark.timeout(600)
def test_deliveries_look_right(shop, visitor):
    shop.add_user("ana@example.com", name="Ana Souza")
    log_in(visitor, "ana@example.com")
    wrong = []
    for name, path in (
        ("deliveries", "deliveries/?test=1&since=30d"),
        ("delivery", f"deliveries/{one(shop, 'unknown')}"),
        ("webhooks", "webhooks/"),
    ):
        visitor.open(shop.path(path, WORKSPACE))
        wrong += visitor.look(name)
    assert wrong == []
