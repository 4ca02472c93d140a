"""Logging in: what lets in, what doesn't, and that nobody learns who has an account."""

import re

import pyotp
import pytest

from console.team import login as use_case
from console.team.throttle import TRIES_OF_ACCOUNT, TRIES_OF_NETWORK
from console.web.app import create_app
from console.web.runtime import Runtime
from shared.logs import configure_logs
from shared.settings import load_settings
from tests.integration.web.site import PASSWORD

ANA = "ana@example.com"


def log_in(browser, email=ANA, password=PASSWORD, **more):
    return browser.post("/login", {"email": email, "password": password, **more})


def is_in(browser):
    return browser.get("/account/").status_code == 200


def test_the_right_password_lets_in_and_starts_a_new_session(site):
    site.add_user(ANA)
    browser = site.browser()
    browser.client.set_cookie("ctwa-session", "somebody-else-chose-this", domain="127.0.0.1")
    response = log_in(browser, " ANA@Example.com ")
    assert (response.status_code, response.headers["Location"]) == (303, "/")
    cookie = next(line for line in response.headers.getlist("Set-Cookie") if line.startswith("ctwa-session="))
    assert "somebody-else-chose-this" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert is_in(browser)
    token = re.search("ctwa-session=([^;]+)", cookie)[1]
    assert token not in str(site.rows("select * from user_sessions"))
    assert site.rows("select actor, action from audit_log") == [{"actor": "user:1", "action": "log in"}]


def test_by_https_cookies_are_bound_to_the_host(console_environment, site):
    site.add_user(ANA)
    runtime = Runtime(
        load_settings({**console_environment, "CONSOLE_URL": "https://console.example.com"}), connections=2
    )
    client = create_app(runtime).test_client()
    url = "https://console.example.com"
    page = client.get("/login", base_url=url)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]
    form = {"csrf_token": token, "email": ANA, "password": PASSWORD}
    response = client.post("/login", data=form, base_url=url, headers={"Origin": url})
    cookies = [*page.headers.getlist("Set-Cookie"), *response.headers.getlist("Set-Cookie")]
    assert {line.partition("=")[0] for line in cookies} == {"__Host-ctwa-session", "__Host-ctwa-form"}
    for line in cookies:
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(line.split("; "))
        assert "Domain" not in line
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    runtime.close()


def test_nobody_learns_whether_there_is_an_account(site, monkeypatch):
    site.add_user(ANA)
    disabled = site.add_user("gone@example.com")
    site.execute("update users set disabled_at = now() where id = %s", disabled)
    invited = site.add_user("invited@example.com")
    site.execute("update users set password_hash = null where id = %s", invited)
    worked_out = []
    real = use_case.is_password
    monkeypatch.setattr(use_case, "is_password", lambda *args: worked_out.append(1) or real(*args))
    answers = set()
    for email in (ANA, "nobody@example.com", "", "x" * 400, "<b>", "invited@example.com"):
        response = log_in(site.browser(), email, "wrong")
        answers.add((response.status_code, re.search(r'role="alert">.*?<p>(.*?)</p>', response.text, re.DOTALL)[1]))
    response = log_in(site.browser(), "gone@example.com")
    answers.add((response.status_code, re.search(r'role="alert">.*?<p>(.*?)</p>', response.text, re.DOTALL)[1]))
    assert answers == {(401, "The e-mail address or the password is wrong.")}
    assert len(worked_out) == 7


@pytest.mark.parametrize("email", [ANA, "nobody@example.com"])
def test_an_account_waits_after_too_many_tries_whether_there_is_one_or_not(site, email):
    site.add_user(ANA)
    statuses = [log_in(site.browser(), email, f"wrong {n}").status_code for n in range(TRIES_OF_ACCOUNT + 1)]
    assert statuses == [401] * TRIES_OF_ACCOUNT + [429]
    assert log_in(site.browser(), email).status_code == 429
    assert email not in str(site.rows("select * from login_throttles"))
    site.execute("update login_throttles set since = now() - interval '15 minutes 1 second'")
    assert log_in(site.browser(), email).status_code == (303 if email == ANA else 401)


def test_a_network_waits_after_too_many_tries_at_many_accounts(site):
    site.add_user(ANA)
    log_in(site.browser(), "nobody@example.com", "wrong")
    site.execute("update login_throttles set failures = %s", TRIES_OF_NETWORK)
    assert log_in(site.browser()).status_code == 429


def test_a_right_password_counts_for_no_network(site):
    site.add_user(ANA)
    for _ in range(3):
        assert log_in(site.browser()).status_code == 303
    assert [row["failures"] for row in site.rows("select failures from login_throttles")] == [0]


@pytest.mark.parametrize(
    "change",
    [
        "update user_sessions set seen_at = now() - interval '12 hours 1 second'",
        "update user_sessions set expires_at = now() - interval '1 second'",
        "update user_sessions set ended_at = now()",
        "update users set disabled_at = now()",
    ],
)
def test_a_session_ends(site, change):
    browser = site.as_user(site.add_user(ANA))
    assert is_in(browser)
    site.execute(change)
    response = browser.get("/account/")
    assert (response.status_code, response.headers["Location"]) == (303, "/login?next=/account/")
    fragment = browser.get("/account/", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment.headers["HX-Redirect"]) == (401, "/login")


def test_logging_out_ends_the_session_and_not_only_the_cookie(site):
    browser = site.as_user(site.add_user(ANA))
    token = browser.client.get_cookie("ctwa-session", domain="127.0.0.1").value
    browser.post("/logout")
    browser.client.set_cookie("ctwa-session", token, domain="127.0.0.1")
    assert not is_in(browser)


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/account/", "/account/"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_after_the_login_one_stays_here(site, wanted, reached):
    site.add_user(ANA)
    assert log_in(site.browser(), next=wanted).headers["Location"] == reached


def with_second_factor(site):
    """A user with a second factor: their secret and recovery codes."""
    browser = site.as_user(site.add_user(ANA))
    browser.post("/account/second-factor/begin", {"current": PASSWORD}, page="/account/")
    page = browser.get("/account/").text
    secret = re.search(r'id="secret"[^>]*value="([A-Z2-7]{32})"', page)[1]
    assert browser.get("/account/second-factor.svg").mimetype == "image/svg+xml"
    assert secret not in str(site.rows("select * from users"))
    shown = browser.post("/account/second-factor/confirm", {"code": pyotp.TOTP(secret).now()})
    codes = re.findall(r"<code>([0-9a-z-]+)</code>", shown.text)
    assert len(codes) == 10
    assert codes[0] not in str(site.rows("select * from recovery_codes"))
    assert is_in(browser)
    assert browser.get("/account/second-factor.svg").status_code == 404
    return secret, codes


def test_with_a_second_factor_the_password_opens_nothing(site):
    secret, codes = with_second_factor(site)
    browser = site.browser()
    assert log_in(browser, next="/account/").headers["Location"] == "/login/code?next=/account/"
    assert not is_in(browser)
    assert browser.get("/login/code").status_code == 200
    for wrong in ("", "000000", "abcdef", "x" * 5000, pyotp.TOTP(secret).now()):  # the last one was used already
        assert browser.post("/login/code", {"code": wrong}).status_code == 401
    assert not is_in(browser)
    half = browser.client.get_cookie("ctwa-session", domain="127.0.0.1").value
    assert browser.post("/login/code", {"code": f" {codes[0].upper()} ", "next": "/account/"}).status_code == 303
    assert is_in(browser)
    assert browser.client.get_cookie("ctwa-session", domain="127.0.0.1").value != half
    again = site.browser()
    log_in(again)
    assert again.post("/login/code", {"code": codes[0]}).status_code == 401
    site.execute("update users set totp_step = 0")
    assert again.post("/login/code", {"code": pyotp.TOTP(secret).now()}).status_code == 303


def test_codes_are_throttled_too(site):
    with_second_factor(site)
    browser = site.browser()
    log_in(browser)
    statuses = [browser.post("/login/code", {"code": f"{n:06d}"}).status_code for n in range(TRIES_OF_ACCOUNT + 1)]
    assert statuses == [401] * TRIES_OF_ACCOUNT + [429]


def test_a_changed_password_ends_the_other_sessions_and_renews_this_one(site):
    user = site.add_user(ANA)
    browser, other = site.as_user(user), site.as_user(user)
    before = browser.client.get_cookie("ctwa-session", domain="127.0.0.1").value
    refused = browser.post(
        "/account/password", {"current": "wrong", "password": "another good password"}, page="/account/"
    )
    assert "The current password is wrong." in browser.get(refused.headers["Location"]).text
    browser.post("/account/password", {"current": PASSWORD, "password": "another good password"})
    assert is_in(browser)
    assert browser.client.get_cookie("ctwa-session", domain="127.0.0.1").value != before
    assert not is_in(other)
    assert log_in(site.browser()).status_code == 401
    assert log_in(site.browser(), password="another good password").status_code == 303


def test_no_address_password_or_token_is_logged(site, capfd):
    configure_logs("console", log_format="json", level="info")
    site.add_user(ANA)
    browser = site.browser()
    log_in(browser, ANA, "hunter2 hunter2")
    log_in(browser)
    browser.get("/link/a-secret-token")
    said = "".join(capfd.readouterr())
    assert "/link/<token>" in said
    for secret in (ANA, "hunter2", PASSWORD, "a-secret-token"):
        assert secret not in said
