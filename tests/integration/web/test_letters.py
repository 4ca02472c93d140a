"""Invitations and new passwords by mail, and the link by hand where there is no mail."""

import re
from dataclasses import replace

import pytest

from tests.integration.receiver.harness import wait_until
from tests.integration.web.site import CONSOLE_URL, PASSWORD
from tests.integration.web.test_team import said
from tests.integration.workers.mail_server import running_mail_server


@pytest.fixture
def mails():
    with running_mail_server() as server:
        yield server


@pytest.fixture
def console_environment(console_environment, mails):
    """With a mail server, also for the process that a browser opens."""
    return {**console_environment, "SMTP_URL": mails.url, "MAIL_FROM": "CTWA <ctwa@example.com>"}


def link_in(mail):
    return re.search(rf"{re.escape(CONSOLE_URL)}(/link/\S+)", mail.get_content())[1]


def test_an_invitation_goes_by_mail_and_a_mail_that_is_refused_shows_the_link(site, mails, caplog):
    owner, path = site.as_role("owner"), site.path("team/invitations")
    page = {"page": site.path("team/")}
    sent = owner.post(path, {"email": "new@example.com", "role": "viewer"}, **page)
    assert said(owner, sent) == ["The link is on its way to new@example.com."]
    [mail] = mails.mails
    assert (mail["To"], mail["Subject"]) == ("new@example.com", "Invitation to default")
    assert "To the workspace default" in site.browser().get(link_in(mail)).text
    site.execute("update workspaces set title = 'x =?utf-8?q?y=0d=0aReply-To:_a=40b.c=0d=0a=0d=0abody?='")
    owner.post(path, {"email": "other@example.com", "role": "viewer"})
    assert (mails.mails[1]["Subject"], mails.mails[1]["Reply-To"]) == (
        "Invitation to x = ?utf-8?q?y=0d=0aReply-To:_a=40b.c=0d=0a=0d=0abody?=", None,
    )  # fmt: skip
    mails.answers[b"RCPT"] = b"550 no such mailbox"
    refused = owner.post(path, {"email": "wrong@example.com", "role": "viewer"})
    assert "The mail server refuses the sender or the recipient." in refused.text
    assert f"{CONSOLE_URL}/link/" in refused.text
    assert "new@example.com" not in caplog.text
    assert "/link/" not in caplog.text


def test_a_forgotten_password_tells_nobody_who_has_an_account(site, mails, caplog):
    site.member("viewer")
    browser = site.browser()
    assert "Forgotten your password?</a>" in browser.get("/login").text
    pages = []
    for email in ("nobody@example.com", "Viewer@default.example"):
        answer = browser.post("/forgotten", {"email": email}, page="/forgotten")
        pages.append((answer.status_code, re.sub(r'value="[^"]+"|"X-CSRFToken": "[^"]+"', "", answer.text)))
    assert pages[0] == pages[1]
    wait_until(lambda: mails.mails)
    link = link_in(mails.mails[0])
    browser.get(link)
    browser.post(link, {"password": "another few words of mine"})
    old = {"email": "viewer@default.example", "password": PASSWORD}
    assert browser.post("/login", old, page="/login").status_code == 401
    for _ in range(4):
        browser.post("/forgotten", {"email": "viewer@default.example"}, page="/forgotten")
    site.runtime.background.close()
    assert [mail["To"] for mail in mails.mails] == ["viewer@default.example"] * 3
    links = site.rows("select created_by from one_time_links")
    assert links == [{"created_by": "login page"}] * 3
    assert not any(secret in caplog.text for secret in ("example.com", "default.example", "/link/"))


def test_without_a_mail_server_there_is_no_such_page_and_the_link_is_shown(site):
    site.runtime.settings = replace(site.runtime.settings, smtp_url="")
    owner = site.as_role("owner")
    assert site.browser().get("/forgotten").status_code == 404
    shown = owner.post(site.path("team/invitations"), {"email": "a@example.com", "role": "viewer"}, page="/account/")
    assert f"{CONSOLE_URL}/link/" in shown.text


@pytest.mark.timeout(600)
def test_asking_for_a_new_password_looks_right(visitor):
    visitor.open("/forgotten")
    wrong = visitor.look("forgotten")
    visitor.page.get_by_label("E-mail address").fill("nobody@example.com")
    visitor.page.get_by_role("button", name="Send me a link").click()
    visitor.page.get_by_text("If there is an account").wait_for()
    assert [*wrong, *visitor.look("forgotten sent")] == []
