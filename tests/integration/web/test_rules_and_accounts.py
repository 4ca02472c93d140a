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
    for name in ("rules", "accounts"):
        visitor.open(site.path(f"{name}/"))
        wrong += visitor.look(name)
    assert wrong == []
