"""People of a workspace: invited, given roles, shut out; and what nobody may do to whom."""

import re

import psycopg

from console.team.links import first_owner_link
from console.team.roles import Role
from tests.integration.web.site import PASSWORD


def link_in(response):
    return re.search(r'value="http://127\.0\.0\.1:8080(/link/[^"]+)"', response.text)[1]


def said(browser, response):
    """What the page that the browser is sent to says."""
    page = browser.get(response.headers["Location"]).text
    return re.findall(r'class="notice (?:ok|error)".*?<p>(.*?)</p>', page, re.DOTALL)


def test_the_first_owner_s_link_works_once_and_only_while_there_is_nobody(site):
    with psycopg.connect(site.owner_url) as conn:
        link = f"/link/{first_owner_link(conn, actor='test')}"
        again = f"/link/{first_owner_link(conn, actor='test')}"
    assert site.browser().get(link).status_code == 404, "a newer one takes its place"
    browser = site.browser()
    assert browser.get(again).status_code == 200
    assert browser.get(again).status_code == 200, "looking uses nothing up"
    form = {"email": "Ana@example.com", "name": "Ana", "password": "too short"}
    assert "at least 12 characters" in browser.post(again, form).text
    assert browser.post(again, {**form, "password": PASSWORD}).headers["Location"] == "/"
    assert browser.get(site.path("audit/")).status_code == 200
    assert site.browser().post(again, {**form, "password": PASSWORD}).status_code == 404
    with psycopg.connect(site.owner_url) as conn:
        assert first_owner_link(conn, actor="test") is None


def test_an_invitation_makes_an_account_with_that_role_in_that_workspace_only(site):
    site.member("owner", "other")
    owner = site.as_role("owner")
    shown = owner.post(
        site.path("team/invitations"), {"email": "New@example.com", "role": "operator"}, page="/account/"
    )
    link = link_in(shown)
    assert "new@example.com" in owner.get(site.path("team/")).text
    guest = site.browser()
    guest.get(link)
    assert guest.post(link, {"email": "evil@example.com", "name": "New", "password": PASSWORD}).status_code == 303
    assert guest.get(site.path("team/")).status_code == 200
    assert guest.get(site.path("audit/")).status_code == 403
    assert guest.get(site.path("team/", "other")).status_code == 404
    assert site.rows("select email from users where email like '%%new%%' or email like '%%evil%%'") == [
        {"email": "new@example.com"}
    ]


def test_an_invitation_that_was_taken_back_or_is_another_s_opens_nothing(site):
    owner = site.as_role("owner")
    link = link_in(
        owner.post(site.path("team/invitations"), {"email": "a@example.com", "role": "viewer"}, page="/account/")
    )
    viewer = site.as_role("viewer")
    assert "for another address" in viewer.post(link, {"accept": "1"}, page="/account/").text
    invitation = site.rows("select id from one_time_links")[0]["id"]
    stranger = site.as_role("owner", "other")
    refused = stranger.post(site.path(f"team/invitations/{invitation}/revoke", "other"), page="/account/")
    assert said(stranger, refused) == ["This invitation was used, taken back, or has expired."]
    owner.post(site.path(f"team/invitations/{invitation}/revoke"))
    assert site.browser().get(link).status_code == 404


def test_somebody_with_an_account_accepts_after_they_logged_in(site):
    known = site.member("viewer", "other")
    owner = site.as_role("owner")
    link = link_in(
        owner.post(
            site.path("team/invitations"), {"email": "viewer@other.example", "role": "operator"}, page="/account/"
        )
    )
    anonymous = site.browser()
    assert "Log in with it, and you come back here." in anonymous.get(link).text
    assert "There is an account of this address." in anonymous.post(link, {"password": "a hijacker's password"}).text
    theirs = site.as_role("owner", "other")
    reset = link_in(theirs.post(site.path(f"team/members/{known}/reset", "other"), page="/account/"))
    browser = site.as_user(known)
    before = browser.client.get_cookie("ctwa-session", domain="127.0.0.1").value
    assert browser.post(link, {"accept": "1"}, page="/account/").status_code == 303
    assert browser.client.get_cookie("ctwa-session", domain="127.0.0.1").value != before
    assert site.browser().get(reset).status_code == 404, "who holds it would come into this workspace as well"
    assert browser.get(site.path("team/")).status_code == 200


def test_a_changed_role_holds_at_once_and_ends_their_sessions(site):
    viewer = site.as_role("viewer")
    owner = site.as_role("owner")
    owner.post(site.path(f"team/members/{site.member('viewer')}/role"), {"role": "owner"}, page="/account/")
    assert viewer.get(site.path("team/")).status_code == 303
    assert site.as_user(site.member("viewer")).get(site.path("audit/")).status_code == 200


def test_nobody_changes_or_shuts_out_themselves_so_an_owner_stays(site):
    owner = site.as_role("owner")
    me = site.member("owner")
    for act, form in (("role", {"role": "viewer"}), ("remove", {}), ("disable", {}), ("reset", {})):
        response = owner.post(site.path(f"team/members/{me}/{act}"), form, page="/account/")
        assert said(owner, response) == ["This can&#39;t be done to oneself. Ask another owner."]
    assert owner.get(site.path("audit/")).status_code == 200


def test_an_invitation_makes_nobody_less_and_goes_with_whoever_gave_it_out(site):
    owner, second = site.as_role("owner"), site.add_user("second@example.com", role=Role.OWNER, workspace="default")
    role = "select role from memberships where user_id = %s"
    invite = {"email": "owner@default.example", "role": "viewer"}
    link = link_in(owner.post(site.path("team/invitations"), invite, page="/account/"))
    assert owner.post(link, {"accept": "1"}).status_code == 303
    assert site.rows(role, site.member("owner")) == [{"role": "owner"}]
    owner.get(site.path("team/"))
    backdoor, for_myself = {"email": "mine@example.com", "role": "owner"}, {**invite, "role": "owner"}
    links = [link_in(owner.post(site.path("team/invitations"), form)) for form in (backdoor, for_myself)]
    site.as_user(second).post(site.path(f"team/members/{site.member('owner')}/remove"), page="/account/")
    assert [site.browser().get(one).status_code for one in links] == [404, 404]


def test_an_owner_does_not_reach_into_workspaces_that_are_not_theirs(site):
    both = site.member("viewer")
    everywhere = site.add_user("all@example.com")
    with psycopg.connect(site.owner_url) as conn:
        site.member("viewer", "other")
        conn.execute("insert into memberships values (%s, 'other', 'viewer')", [both])
    owner = site.as_role("owner")
    for user in (both, everywhere):
        for act in ("reset", "disable", "second-factor/off"):
            response = owner.post(site.path(f"team/members/{user}/{act}"), page="/account/")
            assert said(owner, response) == [
                "They are in a workspace that you don&#39;t own. An owner of all of theirs can do this."
            ]
    outsider = site.member("operator", "other")
    for act in ("reset", "disable", "role", "remove"):
        response = owner.post(site.path(f"team/members/{outsider}/{act}"), {"role": "viewer"})
        assert said(owner, response) == ["There is no such member in this workspace."]
    assert site.rows("select 1 from one_time_links") == []
    assert site.rows("select 1 from users where disabled_at is not null") == []


def test_a_reset_ends_the_sessions_and_lets_in_with_the_new_password_only(site):
    viewer_id = site.member("viewer")
    viewer, owner = site.as_user(viewer_id), site.as_role("owner")
    link = link_in(owner.post(site.path(f"team/members/{viewer_id}/reset"), page="/account/"))
    assert viewer.get("/account/").status_code == 200, "until the link is used"
    browser = site.browser()
    browser.get(link)
    assert browser.post(link, {"password": "a whole new password"}).headers["Location"] == "/login"
    assert viewer.get("/account/").status_code == 303
    form = {"email": "viewer@default.example"}
    browser.get("/login")
    assert browser.post("/login", {**form, "password": PASSWORD}).status_code == 401
    assert browser.post("/login", {**form, "password": "a whole new password"}).status_code == 303


def test_what_people_call_themselves_is_text(site):
    owner = site.as_role("owner")
    name = "<script>alert(1)</script>\"'"
    owner.post("/account/profile", {"name": name, "language": "", "zone": "America/Sao_Paulo"}, page="/account/")
    for page in ("/account/", site.path("team/"), site.path("audit/")):
        text = owner.get(page).text
        assert "<script>alert" not in text
        assert "America/Sao_Paulo" in text


def test_the_audit_log_of_a_workspace_is_its_own(site):
    owner = site.as_role("owner")
    owner.post(site.path("team/invitations"), {"email": "a@example.com", "role": "viewer"}, page="/account/")
    other = site.as_role("owner", "other")
    site.execute("insert into audit_log (actor, action, subject) values ('cli:root', 'dataset paused', 'dataset:shop')")
    assert "invite" in owner.get(site.path("audit/")).text
    assert "dataset paused" not in owner.get(site.path("audit/")).text
    assert ">invite<" not in other.get(site.path("audit/", "other")).text
    everywhere = site.as_user(site.add_user("all@example.com")).get(site.path("audit/?search=PAUSED", "other")).text
    assert "dataset paused" in everywhere
    assert ">invite<" not in everywhere


def test_the_log_goes_on_page_by_page(site):
    site.execute(
        "insert into audit_log (actor, action, subject, workspace)"
        " select 'cli:root', 'step ' || n || '.', 'x', 'default' from generate_series(1, 120) n"
    )
    owner = site.as_role(Role.OWNER)
    seen, path = [], site.path("audit/")
    while path:
        text = owner.get(path).text
        seen += re.findall(r"step (\d+)\.", text)
        older = re.search(r'rel="next" href="([^"]+)"', text)
        path = older[1].replace("&amp;", "&") if older else None
    assert [int(n) for n in seen] == list(range(120, 0, -1))
