"""Rules and ad accounts in the console's set-up: whose they are, switched, tried, pulled."""

import psycopg
import pytest

from console.rules import add_rule
from tests.integration.web.test_pages import log_in
from tests.integration.web.test_team import said

RULE = {
    "name": "paid",
    "when": {"on": "inbound", "keywords": ["paid"]},
    "then": {"event": "QualifiedLead"},
}


@pytest.fixture
def rule(site):
    site.member("owner")
    with psycopg.connect(site.owner_url) as conn:
        return add_rule(conn, RULE, actor="test").rule.id


def test_a_rule_is_tried_and_switched_by_its_workspace_only(site, rule):
    owner = site.as_role("owner")
    path = site.path(f"rules/{rule}")
    assert "Nothing was written" in owner.post(f"{path}/try", {"days": "1"}, page="/account/").text
    answer = owner.post(f"{path}/switch", {"enabled": "1"})
    assert said(owner, answer) == ["The rule is on, for what happens from now on."]
    assert site.rows("select enabled from rules") == [{"enabled": True}]
    stranger = site.as_role("owner", "other")
    assert stranger.post(site.path(f"rules/{rule}/switch", "other"), page="/account/").status_code == 404


def test_a_rule_is_written_tried_changed_and_removed_in_the_console(site):
    owner = site.as_role("owner")
    form = {"name": "booked", "on": "outgoing", "look": "keywords", "keywords": "agendado", "by": "human",
            "event": "QualifiedLead", "days": "1"}  # fmt: skip
    path = site.path("rules/new")
    refused = owner.post(path, {**form, "keywords": " "}, page=path)
    assert (refused.status_code, "Words: outgoing needs either keywords or a pattern" in refused.text) == (422, True)
    tried = owner.post(path, {**form, "do": "try"})
    assert "Nothing was written" in tried.text
    assert ">agendado</textarea>" in tried.text
    assert site.rows("select 1 from rules") == []
    assert "is there, and off" in said(owner, owner.post(path, {**form, "do": "save"}))[0]
    [rule] = site.rows("select id, enabled, workspace from rules")
    assert (rule["enabled"], rule["workspace"]) == (False, "default")
    edit = site.path(f"rules/{rule['id']}/edit")
    assert ">agendado</textarea>" in owner.get(edit).text
    owner.post(edit, {**form, "event": "Purchase", "confirm_purchase": "1", "do": "save"})
    assert "confirm_purchase" in owner.get(site.path("rules/")).text
    stranger = site.as_role("owner", "other")
    assert stranger.get(site.path(f"rules/{rule['id']}/edit", "other")).status_code == 404
    owner.post(site.path(f"rules/{rule['id']}/remove"))
    written = site.rows("select action from audit_log where workspace = 'default' order by id")
    assert [row["action"] for row in written] == ["rule.add", "rule.change", "rule.remove"]


def test_an_ad_account_without_a_token_is_added_and_cannot_be_pulled(site):
    owner = site.as_role("owner")
    form = {"name": "Main", "currency": "brl", "zone": "America/Sao_Paulo"}
    assert said(owner, owner.post(site.path("accounts/"), form, page="/account/")) == ["The ad account is there."]
    number = site.rows("select id from ad_accounts")[0]["id"]
    assert "has no token" in said(owner, owner.post(site.path(f"accounts/{number}/sync")))[0]
    token = owner.post(site.path("accounts/"), {**form, "name": "Other", "credential": "meta"})
    assert "whole installation" in said(owner, token)[0]
    stranger = site.as_role("owner", "other")
    assert stranger.post(site.path(f"accounts/{number}/switch", "other"), page="/account/").status_code == 404


@pytest.mark.timeout(600)
def test_rules_and_ad_accounts_look_right(site, rule, visitor):
    site.add_user("ana@example.com", name="Ana Souza")
    owner = site.as_role("owner")
    owner.post(site.path("accounts/"), {"name": "Main", "currency": "BRL", "zone": "UTC"}, page="/account/")
    log_in(visitor, "ana@example.com")
    wrong = []
    for name in ("rules/", "accounts/", "rules/new", f"rules/{rule}/edit"):
        visitor.open(site.path(name))
        wrong += visitor.look(name.replace(f"/{rule}", "").strip("/").replace("/", "-"))
    assert wrong == []
