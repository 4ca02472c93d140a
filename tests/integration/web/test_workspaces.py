"""Workspaces in the console: another one, what one is called, going from one to another."""

import pytest

from tests.integration.web.test_pages import log_in
from tests.integration.web.test_team import said


def test_an_owner_adds_a_workspace_names_it_and_goes_there(site):
    owner, path = site.as_role("owner"), site.path("workspaces/")
    for name, why in (("default", "already"), ("", "begins with"), ("<b>", "begins with")):
        assert why in said(owner, owner.post(path, {"name": name}, page=path))[0]
    added = owner.post(path, {"name": "Second shop"})
    assert added.headers["Location"] == site.path("setup/", "Second shop")
    assert said(owner, added) == ["Second shop is there. Add its first channel."]
    called = site.path("workspaces/called", "Second shop")
    assert said(owner, owner.post(called, {"title": "Zweite Filiale"})) == ["Changed."]
    page = owner.get(site.path("workspaces/", "Second shop")).text
    assert "Zweite Filiale" in page
    assert "naming it Second shop" in page
    went = owner.post("/workspace", {"workspace": site.workspace_id("Second shop")})
    assert went.headers["Location"].startswith(f"/w/{site.workspace_id('Second shop')}/")
    assert site.rows("select role from memberships where workspace = 'Second shop'") == [{"role": "owner"}]
    actions = site.rows("select action from audit_log where workspace = 'Second shop' order by id")
    assert [row["action"] for row in actions] == ["workspace.add", "workspace.change"]
    assert said(owner, owner.post(called, {"title": "x" * 101}))[0].startswith("What a workspace is called")
    assert site.as_role("operator").get(site.path("workspaces/")).status_code == 403


@pytest.mark.timeout(600)
def test_workspaces_look_right(site, visitor):
    site.as_role("owner", "other")
    site.add_user("ana@example.com", name="Ana Souza")
    log_in(visitor, "ana@example.com")
    visitor.open(site.path("workspaces/"))
    assert visitor.look("workspaces") == []
