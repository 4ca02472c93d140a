"""Rules and ad accounts in the console's set-up: whose they are, switched, tried, pulled."""

import re
from base64 import b64encode
from io import BytesIO
from zlib import compress

import psycopg
import pytest

from console.rules import add_rule
from tests.integration.web.site import CONSOLE_URL
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


FILE = b"date,ad_id,spend,currency\n2026-11-01,120200000000000001,12.50,BRL\n2026-11-02,120200000000000001,x,BRL\n"


def account_of(site):
    form = {"name": "Main", "currency": "BRL", "zone": "America/Sao_Paulo"}
    site.as_role("owner").post(site.path("accounts/"), form, page="/account/")
    return site.rows("select id from ad_accounts")[0]["id"]


def test_spend_is_looked_at_then_kept_and_what_cannot_be_used_comes_back(site):
    number = account_of(site)
    operator, path = site.as_role("operator"), site.path(f"accounts/{number}/spend/")
    looked = operator.post(f"{path}look", {"file": (BytesIO(FILE), "ads.csv")}, page=path)
    assert "Keep 1 line" in looked.text
    assert "A number of this line can&#39;t be read" in looked.text
    assert site.rows("select 1 from ad_spend_daily") == []
    kept = {"kept": re.search(r'name="kept" value="([^"]+)"', looked.text)[1]}
    refused = operator.post(f"{path}refused", kept)
    assert "2026-11-02,120200000000000001,x,BRL,3,number_invalid" in refused.text
    assert said(operator, operator.post(f"{path}store", kept)) == ["1 day of spend is kept."]
    day = {"day": "2026-11-03", "amount": "7,25", "level": "ad", "which": "120200000000000001"}
    assert said(operator, operator.post(f"{path}day", day)) == ["The day is kept: R$7.25."]
    ambiguous = said(operator, operator.post(f"{path}day", {**day, "amount": "1,234"}))
    assert "can be a thousand" in ambiguous[0]
    assert "digits" in said(operator, operator.post(f"{path}day", {**day, "which": "no"}))[0]
    rows = site.rows("select spend, currency, source from ad_spend_daily order by day")
    assert [(str(row["spend"].normalize()), row["currency"], row["source"]) for row in rows] == [
        ("12.5", "BRL", "csv"), ("7.25", "BRL", "manual"),
    ]  # fmt: skip
    written = site.rows(
        "select action from audit_log where workspace = 'default' and action like 'spend.%%' order by id"
    )
    assert [row["action"] for row in written] == ["spend.import", "spend.add"]
    for lost in ("", "no base64!", b64encode(compress(bytes(6 * 1024 * 1024))).decode()):
        assert "lost on the way" in said(operator, operator.post(f"{path}store", {"kept": lost}))[0]
    many = {"kept": b64encode(compress(b"\n" * 50_001)).decode()}
    assert "50,000 lines" in said(operator, operator.post(f"{path}store", many))[0]
    large = operator.client.post(
        f"{path}look", data=bytes(7 * 1024 * 1024), content_type="multipart/form-data; boundary=x",
        headers={"Sec-Fetch-Site": "same-origin"}, base_url=CONSOLE_URL,
    )  # fmt: skip
    assert large.status_code == 413


@pytest.mark.timeout(600)
def test_rules_and_ad_accounts_look_right(site, rule, visitor):
    site.add_user("ana@example.com", name="Ana Souza")
    number = account_of(site)
    log_in(visitor, "ana@example.com")
    wrong = []
    for name in ("rules/", "accounts/", "rules/new", f"rules/{rule}/edit"):
        visitor.open(site.path(name))
        wrong += visitor.look(name.replace(f"/{rule}", "").strip("/").replace("/", "-"))
    visitor.page.get_by_role("button", name="What would have fired").click()
    visitor.page.wait_for_load_state("networkidle")
    wrong += visitor.look("rule-trial")
    visitor.open(site.path(f"accounts/{number}/spend/"))
    wrong += visitor.look("spend")
    files = [{"name": "ads.csv", "mimeType": "text/csv", "buffer": FILE}]
    visitor.page.get_by_label("CSV file").set_input_files(files)
    visitor.page.get_by_role("button", name="Look at it").click()
    visitor.page.get_by_role("heading", name="What the file would do").wait_for()
    wrong += visitor.look("spend-preview")
    assert wrong == []
