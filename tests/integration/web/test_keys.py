"""API keys: shown once, kept as hashes, one workspace's alone."""

import hashlib
import re

from tests.integration.web.test_team import said

FORM = {"name": "shop", "scope": ["conversions:write", "results:read"]}


def make(site, browser, form=FORM, workspace="default"):
    return browser.post(site.path("keys/", workspace), form, page=site.path("keys/", workspace))


def test_a_key_is_shown_once_and_kept_as_its_hash(site):
    owner = site.as_role("owner")
    secret = re.search(r'value="(ctwa_[\w-]{43})"', make(site, owner).text)[1]
    (key,) = site.rows("select * from api_keys")
    assert key["hash"] == hashlib.sha256(secret.encode()).digest()
    assert (key["workspace"], key["scopes"], key["start"]) == ("default", FORM["scope"], secret[:11])
    listed = owner.get(site.path("keys/")).text
    assert secret not in listed
    assert 'href="/api/docs"' in listed
    assert f"{secret[:11]}…" in listed
    assert secret not in str(site.rows("select * from audit_log"))


def test_a_name_is_given_once_until_its_key_is_revoked(site):
    owner = site.as_role("owner")
    make(site, owner)
    assert said(owner, make(site, owner)) == [
        "There is a key of this name already. Choose another name, or revoke that one first."
    ]
    owner.post(site.path(f"keys/{site.rows('select id from api_keys')[0]['id']}/revoke"))
    assert make(site, owner).status_code == 200
    assert [row["revoked_at"] is None for row in site.rows("select revoked_at from api_keys order by id")] == [
        False,
        True,
    ]


def test_what_a_key_needs_is_said(site):
    owner = site.as_role("owner")
    assert said(owner, make(site, owner, {"name": " ", "scope": "results:read"})) == [
        "Give the key a name of at most 100 characters."
    ]
    assert said(owner, make(site, owner, {"name": "shop"})) == ["Choose what the key may do."]
    assert make(site, owner, {"name": "shop", "scope": "everything"}).status_code == 400


def test_a_key_of_another_workspace_is_not_there(site):
    make(site, site.as_role("owner"))
    key_id = site.rows("select id from api_keys")[0]["id"]
    stranger = site.as_role("owner", "other")
    assert "<strong>shop<" not in stranger.get(site.path("keys/", "other")).text
    refused = stranger.post(site.path(f"keys/{key_id}/revoke", "other"))
    assert said(stranger, refused) == ["There is no such key, or it was revoked already."]
    assert site.rows("select revoked_at from api_keys") == [{"revoked_at": None}]
