"""Data quality: its tiles are the overview's figures, its cards say what is wrong, and it is fit to look at."""

import re

import psycopg
import pytest

from console.roi.quality import read_quality
from console.roi.question import Asked, span_of
from tests.integration.web.business import WORKSPACE
from tests.integration.web.test_overview import tiles, today
from tests.integration.web.test_pages import log_in
from tests.integration.web.test_rows import lines, number

CARD = re.compile(r'<section class="card finding (\w*)" aria-labelledby="(\w+)">.*?<strong>(.*?)</strong>', re.DOTALL)


@pytest.fixture
def database_url(business_url):
    """The database of `site`: one in which the business has been made up."""
    return business_url


def cards(text):
    """Name -> (verdict, figure)."""
    return {name: (verdict, re.sub("<.*", "", figure).strip()) for verdict, name, figure in CARD.findall(text)}


def test_the_page_says_what_the_figures_are_and_what_is_wrong(site):
    site.execute("update channels set unsigned = true, enabled = true where id = (select min(id) from channels)")
    site.execute(
        "update ad_accounts set last_error = 'meta_190', last_error_at = now() where id = (select min(id) from"
        " ad_accounts)"
    )
    browser = site.as_role("viewer", WORKSPACE)
    response = browser.get(site.path("quality/", WORKSPACE))
    text = response.get_data(as_text=True)
    with psycopg.connect(site.owner_url) as conn:
        found = read_quality(conn, Asked(workspace=WORKSPACE, span=span_of(today(site)), test=True))
    assert tiles(response)["Conversations"] == [f"{found.total.captured:,}"]
    assert tiles(response)["Conversations reported by Meta"] == [f"{found.total.conversations_reported:,}"]
    late = sum(one.count for one in found.late)
    shown = cards(text)
    assert late
    assert found.gaps
    assert found.automatic
    assert shown["late"] == ("warning", f"{late}")
    assert shown["automatic"][1] == f"{sum(one.detected for one in found.automatic)}"
    assert shown["unsigned"] == ("warning", "1")
    assert shown["spend"] == ("danger", f"{len(found.gaps)} of {len(found.days)} days")
    assert "the rate is shown higher than it is" in text
    for contact in found.phoneless.newest:
        assert f'/contacts/{contact}">Business-scoped user id' in text
    # One channel alone: Meta's count is known by ad, not by channel.
    channel = next(iter(found.channels))
    narrowed = browser.get(site.path(f"quality/?channel={channel}", WORKSPACE))
    assert tiles(narrowed)["Conversations"] == [f"{found.channels[channel].captured:,}"]
    assert tiles(narrowed)["Capture rate"] == ["–"]
    assert "Reports belong to no channel" in narrowed.get_data(as_text=True)
    # With one currency, figures lead to their rows.
    site.execute("update ad_accounts set currency = 'USD'")
    text = browser.get(site.path("quality/?unit=month", WORKSPACE)).get_data(as_text=True)
    links = re.findall(r'href="([^"]*/rows/\?rows=conversations[^"]*)"[^>]*>([0-9,]+)<', text)
    assert len(links) > 4
    for href, said in links:
        assert len(lines(browser, href)) == number(said), href


def test_a_workspace_without_anything_says_so_in_every_language(site):
    browser = site.as_role("viewer")
    for language, words in (("en", "Nobody came by an ad"), ("pt_BR", "Ninguém veio"), ("es", "Nadie llegó")):
        page = browser.get(
            site.path("quality/?since=tomorrow"), headers={"Accept-Language": language.replace("_", "-")}
        )
        assert page.status_code == 200
        assert words in page.get_data(as_text=True)


def test_data_quality_looks_right_in_every_width_and_colour(site, visitor):
    site.execute("update channels set unsigned = true, enabled = true where id = (select min(id) from channels)")
    site.add_user("ana@example.com", name="Ana Souza")
    log_in(visitor, "ana@example.com")
    visitor.open(site.path("quality/", WORKSPACE))
    visitor.page.locator(".chart canvas").first.wait_for()
    wrong = visitor.look("quality")
    visitor.open(site.path("quality/"))
    wrong += visitor.look("quality empty")
    assert wrong == []
