"""The pages in a real browser: as people see them, with nothing that axe or the browser complains about."""

import psycopg

from console.team import links
from tests.integration.web.site import PASSWORD


def log_in(visitor, email, password=PASSWORD):
    visitor.open("/login")
    visitor.page.get_by_label("E-mail address").fill(email)
    visitor.page.get_by_label("Password").fill(password)
    visitor.page.get_by_role("button", name="Log in").click()
    visitor.page.wait_for_load_state("networkidle")


def test_every_page_of_the_team_looks_right(site, visitor):
    site.add_user("ana@example.com", name="Ana Souza")
    site.member("operator")
    site.member("viewer", "second shop")
    with psycopg.connect(site.owner_url) as conn:
        token = links.invite(
            conn, email="joao@example.com", workspace="default", role=links.Role.VIEWER, actor="user:1"
        )
    wrong = []
    visitor.open("/login")
    wrong += visitor.look("login")
    visitor.open(f"/link/{token}")
    wrong += visitor.look("invitation")
    log_in(visitor, "ana@example.com", "not the password")
    assert visitor.page.get_by_role("alert").inner_text() == "The e-mail address or the password is wrong."
    visitor.complaints.clear()  # the browser notes the 401
    wrong += visitor.look("login refused")
    log_in(visitor, "ana@example.com")
    for name in ("team", "keys", "audit"):
        visitor.open(site.path(f"{name}/"))
        wrong += visitor.look(name)
    visitor.open("/account/")
    wrong += visitor.look("account")
    visitor.page.locator("#current-factor").fill(PASSWORD)
    visitor.page.get_by_role("button", name="Set up").click()
    visitor.page.wait_for_load_state("networkidle")
    wrong += visitor.look("second factor")
    visitor.open("/w/999/team/")
    visitor.complaints.clear()
    wrong += visitor.look("not found")
    assert wrong == []
