"""Every route, from the URL map, as nobody, as every role, and as a member of another workspace."""

import re
from collections.abc import Iterator
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from console.team.roles import Role
from console.web.access import Access, Door, access_of, check, least

#: What stands in for the parts of a path; nothing of it exists, so that nothing happens.
VALUES = {
    "user_id": 999_999, "link_id": 999_999, "session_id": 999_999, "key_id": 999_999, "token": "no-such-token",
    "delivery_id": 999_999, "webhook_id": UUID(int=1), "channel_id": 999_999, "dataset_id": 999_999,
    "alert_id": 999_999, "route_id": 999_999, "kind": "no-such-kind", "contact_id": 999_999, "form": "csv",
    "rule_id": 999_999, "account_id": 999_999,
}  # fmt: skip


def routes(app: Flask) -> Iterator[tuple[Rule, str, Access]]:
    """Every route by each of its methods."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        access = access_of(app, rule.endpoint)
        assert access is not None
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method, access


def ask(site, browser, rule: Rule, method: str, workspace: str = "default") -> TestResponse:
    values = {name: site.workspace_id(workspace) if name == "workspace_id" else VALUES[name] for name in rule.arguments}
    _, path = rule.build(values)
    return browser.get(path) if method == "GET" else browser.post(path)


def to_login(response: TestResponse) -> bool:
    return response.status_code in (302, 303) and response.headers["Location"].startswith("/login")


def test_who_is_not_logged_in_comes_to_nothing_but_the_open_doors(site):
    wrong = []
    for rule, method, access in routes(site.app):
        response = ask(site, site.browser(), rule, method)
        # These lead to the login by themselves.
        if (access not in (Door.ANYONE, Door.MACHINE)) is not to_login(response) and rule.endpoint not in (
            "login.leave", "login.code", "login.check_code", "links.use",
        ):  # fmt: skip
            wrong.append((rule.rule, method, access, response.status_code))
    assert wrong == []


def test_only_these_doors_are_open_to_anyone(site):
    assert {rule.endpoint for rule, _, access in routes(site.app) if access in (Door.ANYONE, Door.MACHINE)} == {
        "health.healthz", "health.readyz", "home.language", "login.page", "login.enter", "login.code",
        "login.check_code", "login.leave", "links.page", "links.use", "forgotten.page", "forgotten.ask",
    }  # fmt: skip


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_do_what_it_covers_and_no_more(site, role):
    wrong = []
    for rule, method, access in routes(site.app):
        response = ask(site, site.as_role(role), rule, method)
        allowed = not isinstance(access, Role) or role.covers(access)
        if (response.status_code == 403) is allowed or response.status_code >= 500:
            wrong.append((rule.rule, method, access, response.status_code))
    assert wrong == []


def test_a_workspace_is_not_there_for_whom_it_is_not_theirs(site):
    stranger = site.as_role(Role.OWNER, "other")
    wrong = []
    for rule, method, access in routes(site.app):
        if isinstance(access, Role):
            theirs = ask(site, stranger, rule, method, "default")
            if theirs.status_code != 404:
                wrong.append((rule.rule, method, theirs.status_code))
    assert wrong == []
    assert stranger.get("/w/999999/team/").status_code == 404


def test_who_owns_everything_comes_into_every_workspace(site):
    site.as_role(Role.OWNER, "other")
    everywhere = site.as_user(site.add_user("all@example.com"))
    for workspace in ("default", "other"):
        assert everywhere.get(site.path("audit/", workspace)).status_code == 200


def test_a_view_that_does_not_say_who_may_open_it_keeps_the_console_from_starting(site):
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/open", "open", lambda: "")
    with pytest.raises(RuntimeError, match="open has no mark"):
        check(app)
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/open", "open", least(Role.OWNER)(lambda: ""))
    with pytest.raises(RuntimeError, match="does not go with /open"):
        check(app)


def test_the_navigation_has_no_dead_links(site):
    for role in Role:
        browser = site.as_role(role)
        page = browser.get(site.path("team/"))
        for link in re.findall(r'href="(/[^"#]*)"', page.text):
            if not link.startswith("/static/"):
                assert browser.get(link, follow_redirects=True).status_code == 200, link
