"""What every answer carries, and which requests are refused before any view sees them."""

from html import unescape

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from console.web.turns import Turns
from shared.logs import configure_logs
from tests.integration.web.site import CONSOLE_URL

PAGES = ["/login", "/account/", "/nothing", "/static/console.css", "/healthz"]


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers(site, path):
    headers = site.as_role("viewer").get(path).headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert ("no-store" in headers["Cache-Control"]) is not path.startswith("/static")
    assert "Access-Control-Allow-Origin" not in headers
    assert "Strict-Transport-Security" not in headers, "by https only"


def test_only_files_whose_url_has_their_version_are_kept_for_good(site):
    browser = site.browser()
    assert "immutable" in browser.get("/static/console.css?v=1").headers["Cache-Control"]
    assert "immutable" not in browser.get("/static/console.css").headers["Cache-Control"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        # From a page that sends no Referer, browsers send this Origin with forms of one's own.
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": CONSOLE_URL}, 303),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": CONSOLE_URL.replace("http:", "https:")}, 403),
        ({"Origin": CONSOLE_URL + "0"}, 403),
    ],
)
def test_a_form_is_taken_from_our_own_pages_only(site, headers, status):
    browser = site.as_role("viewer")
    browser.get("/account/")
    form = {"csrf_token": browser.csrf}
    response = browser.client.post("/account/sessions/end", data=form, headers=headers, base_url=CONSOLE_URL)
    assert response.status_code == status


@pytest.mark.parametrize("token", ["", "made-up", "of another"])
def test_a_form_without_its_token_is_refused_with_what_to_do(site, token):
    other = site.as_role("owner")
    other.get("/account/")
    browser = site.as_role("viewer")
    browser.get("/account/")
    browser.csrf = other.csrf if token == "of another" else token
    response = browser.client.post(
        "/account/sessions/end",
        data={"csrf_token": browser.csrf},
        headers={"Sec-Fetch-Site": "same-origin"},
        base_url=CONSOLE_URL,
    )
    assert response.status_code == 400
    assert "This form is no longer valid" in response.text


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1:8080", 200), ("localhost", 200), ("evil.example", 400)])
def test_pages_are_served_under_their_own_name_only(site, host, status):
    for path in ("/login", "/nothing"):
        response = site.app.test_client().get(path, headers={"Host": host})
        assert response.status_code == (404 if path == "/nothing" and status == 200 else status), response.text
        assert "evil.example" not in response.text


def test_too_much_is_refused(site):
    browser = site.browser()
    browser.get("/login")
    assert browser.post("/login", {"email": "x" * 1_100_000}).status_code == 413


def test_a_nul_is_refused_wherever_it_comes(site):
    browser = site.browser()
    assert browser.post("/login", {"email": "a\0"}).status_code == 400
    assert browser.get("/login?next=%00").status_code == 400
    assert browser.get("/link/%00").status_code == 400


def test_a_place_or_a_day_that_nothing_has_is_as_if_it_was_not_said(site):
    owner, long = site.as_role("owner"), "9" * 5000
    place = f"before=2026-01-01T00:00:00%2B00:00_{long}"
    pages = [f"alerts/?{place}", f"deliveries/?{place}", f"audit/?before={'9' * 40}", f"contacts/?before={long}"]
    pages += [f"overview/?since={year}-12-01&until={year}-12-31" for year in ("0001", "9999")]
    for page in pages:
        assert owner.get(site.path(page)).status_code == 200, page


def test_one_person_or_key_leaves_room_for_others(site):
    site.runtime.turns, one = Turns(each=1), site.member("viewer")
    assert [site.as_user(one).get("/account/").status_code for _ in range(2)] == [200, 200], "one after the other"
    assert site.runtime.turns.begin(f"user:{one}")
    busy = site.as_user(one).get("/account/")
    assert (busy.status_code, "too much at once" in busy.text) == (429, True)
    call = site.as_user(one).get("/api/v1/channels")
    assert (call.status_code, call.headers["Retry-After"]) == (429, "30")
    assert site.as_role("owner").get("/account/").status_code == 200
    assert site.as_user(one).get("/login").status_code == 302, "which costs little"
    site.runtime.turns.end(f"user:{one}")
    assert site.as_user(one).get("/api/v1/channels").status_code == 200


def test_without_postgres_a_page_says_so_and_the_process_is_not_ready(site, postgres_url):
    browser = site.as_role("viewer")
    name = conninfo_to_dict(site.owner_url)["dbname"]
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(f"alter database {name} allow_connections false")
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
    response = browser.get("/account/")
    assert response.status_code == 503
    assert "The database can't be reached" in unescape(response.text)
    assert browser.get("/readyz").status_code == 503
    assert browser.get("/healthz").status_code == 200


def test_a_defect_is_a_page_with_a_number_and_a_line_without_what_came_in(site, monkeypatch, capfd):
    configure_logs("console", log_format="json", level="info")
    browser = site.as_role("viewer")

    def broken(**kwargs):
        raise ValueError("15550100001")

    broken.least_access = site.app.view_functions["account.page"].least_access
    monkeypatch.setitem(site.app.view_functions, "account.page", broken)
    response = browser.get("/account/")
    assert response.status_code == 500
    assert "Number of this request" in response.text
    said = "".join(capfd.readouterr())
    assert "ValueError" in said
    assert "15550100001" not in said + response.text
