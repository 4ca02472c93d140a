"""The table of ads: its totals are the tiles, its rows can be sorted and looked into, and files carry no formulas."""

import csv
import io
import re

import pytest

from console.roi.export import COLUMNS
from tests.integration.web.business import WORKSPACE
from tests.integration.web.site import PASSWORD
from tests.integration.web.test_overview import tiles
from tests.integration.web.test_pages import log_in

ROW = re.compile(r'<th scope="row">(.*?)</th>(.*?)</tr>', re.DOTALL)
CELL = re.compile(r'<td class="number">(.*?)</td>', re.DOTALL)


@pytest.fixture
def database_url(business_url):
    """The database of `site`: one in which the business has been made up."""
    return business_url


def totals(text):
    """The first cells of each total: spend, impressions, ctr, cpc, cpm, conversations …"""
    return [texts(cells) for name, cells in ROW.findall(text) if name == "Total"]


def texts(cells):
    """The text of each cell, without the link that it may be."""
    return [re.sub("<[^>]*>", "", cell).strip() for cell in CELL.findall(cells)]


def test_totals_are_the_tiles_at_every_level_and_inside_a_campaign_less(site):
    browser = site.as_role("viewer", WORKSPACE)
    shown = tiles(browser.get(site.path("overview/", WORKSPACE)))["Conversations"]
    for level in ("campaign", "ad_set", "ad", "creative"):
        text = browser.get(site.path(f"ads/?level={level}", WORKSPACE)).get_data(as_text=True)
        assert [cells[5] for cells in totals(text)] == shown
        for words in ("of which without click id", "of which spend without leads", "Not from ads, in no total"):
            assert text.count(words) == len(shown)
    text = browser.get(site.path("ads/", WORKSPACE)).get_data(as_text=True)
    below = re.search(r'<th scope="row"><a href="([^"]*level=ad_set[^"]*)"', text)[1].replace("&amp;", "&")
    inside = totals(browser.get(below).get_data(as_text=True))
    assert len(inside) == 1
    assert 0 < int(inside[0][5].replace(",", "")) < max(int(one.replace(",", "")) for one in shown)


def test_rows_are_sorted_as_the_address_says(site):
    browser = site.as_role("viewer", WORKSPACE)
    for sort, reverse in (("leads", False), ("-leads", True)):
        path = site.path(f"ads/?level=ad&currency=USD&sort={sort}", WORKSPACE)
        text = browser.get(path).get_data(as_text=True)
        rows = ROW.findall(text.partition("<tbody>")[2].partition("</tbody>")[0])
        leads = [int(texts(cells)[8]) for _, cells in rows]
        assert leads == sorted(leads, reverse=reverse)
        assert len(set(leads)) > 1


def test_files_have_every_figure_and_no_formulas(site):
    site.execute("update ads set campaign_name = '=HYPERLINK(\"http://evil.example\")'")
    browser = site.as_role("viewer", WORKSPACE)
    response = browser.get(site.path("ads/export.csv", WORKSPACE))
    rows = list(csv.DictReader(io.StringIO(response.get_data(as_text=True))))
    assert tuple(rows[0]) == COLUMNS
    assert any(row["name"] == '\'=HYPERLINK("http://evil.example")' for row in rows)
    data = browser.get(site.path("ads/export.json", WORKSPACE)).get_json()["data"]
    assert [row["leads"] for row in data] == [int(row["leads"]) for row in rows]
    assert "attachment" in response.headers["Content-Disposition"]


def test_the_table_looks_right_in_every_width_and_colour(site, visitor):
    site.add_user("ana@example.com", name="Ana Souza")
    log_in(visitor, "ana@example.com", PASSWORD)
    visitor.open(site.path("ads/?level=ad", WORKSPACE))
    assert visitor.look("ads") == []
