"""The rows behind figures: as many as the figure says, adding up to it; and pages of them that are fit to look at."""

import csv
import html
import io
import re
from decimal import Decimal

import pytest

from console.roi.rows import ROWS_OF
from console.web.ads import COLUMNS
from console.web.charts import TREND_COLUMNS
from tests.integration.web.business import WORKSPACE
from tests.integration.web.site import PASSWORD
from tests.integration.web.test_ads import CELL, ROW
from tests.integration.web.test_pages import log_in

LINK = re.compile(r'<a (?:class="(?:few )?tip" )?href="([^"]*/rows/[^"]*)"[^>]*>([^<]*)')
#: Column of a file -> the figure that it adds up to; without one, lines are counted.
ADDS_UP = {"spend": "spend", "impressions": "impressions", "revenue": "value"}
COUNTED = ("conversations", "leads", "qualified", "purchases")
TILES = {
    "Spend": "spend", "Conversations": "conversations", "Leads": "leads", "Qualified leads": "qualified",
    "Purchases": "purchases", "Revenue": "revenue",
}  # fmt: skip
TILE = re.compile(r'class="tile-label">([^<]*)</p>\s*<p class="tile-figure(?: long)?">(<a .*?</a>)', re.DOTALL)


@pytest.fixture
def database_url(business_url):
    """The database of `site`: one in which the business has been made up."""
    return business_url


def number(text):
    """A figure as it is written on an English page."""
    return Decimal(re.sub(r"[^0-9.-]", "", html.unescape(text)))


def lines(browser, href):
    """Every row behind a link, from its file."""
    path = html.unescape(href).replace("/rows/?", "/rows/export.csv?")
    response = browser.get(path)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.get_data(as_text=True))))


def wrong(browser, name, link, files):
    """What a figure says that the rows behind it don't; '' if they agree."""
    href, text = link
    if href not in files:
        files[href] = lines(browser, href)
    rows, said = files[href], number(text)
    if name in COUNTED:
        return "" if len(rows) == said else f"{name}: {said} said, {len(rows)} rows, {href}"
    currency = re.search("money=([A-Z]{3})", href)[1]
    column = ADDS_UP[name]
    found = sum(Decimal(row[column] or 0) for row in rows if row["currency"] == currency)
    # Large money is shown without its cents.
    return "" if abs(found - said) <= Decimal("0.5") else f"{name}: {said} said, {found} found, {href}"


@pytest.mark.parametrize("query", ["", "basis=click&click=first&placement=instagram"])
def test_each_figure_leads_to_as_many_rows_as_it_says(site, query):
    browser, problems, files, checked = site.as_role("viewer", WORKSPACE), [], {}, 0
    text = browser.get(site.path(f"overview/?{query}", WORKSPACE)).get_data(as_text=True)
    for label, tile in TILE.findall(text):
        if name := TILES.get(html.unescape(label)):
            problems.append(wrong(browser, name, LINK.search(tile).groups(), files))
            checked += 1
    text = browser.get(site.path(f"overview/?{query}&unit=week", WORKSPACE)).get_data(as_text=True)
    for cells in re.findall(r'<tr><th scope="row">[^<]*(?:<span[^>]*>[^<]*</span>)?</th>(.*?)</tr>', text)[:3]:
        for name, cell in zip(TREND_COLUMNS, CELL.findall(cells), strict=False):
            if link := LINK.search(cell):
                problems.append(wrong(browser, name, link.groups(), files))
                checked += 1
    text = browser.get(site.path(f"ads/?{query}", WORKSPACE)).get_data(as_text=True)
    for _, cells in ROW.findall(text):
        for name, cell in zip(COLUMNS, CELL.findall(cells), strict=False):
            link = LINK.search(cell)
            said = re.search("[1-9]", re.sub('<span class="unseen">.*?</span>|<[^>]*>|&#?[a-z0-9]+;', "", cell))
            assert link or not said, (name, cell)
            if link and name not in (*COUNTED, *ADDS_UP):
                # A ratio leads to the rows that it is named for; without a sale, what is lost was spent.
                assert re.search("rows=([a-z]+)", link[1])[1] in (ROWS_OF[name], "spend"), (name, cell)
            elif link:
                problems.append(wrong(browser, name, link.groups(), files))
                checked += 1
    assert [one for one in problems if one] == []
    assert checked > 20


def test_the_card_leads_to_as_many_deliveries_as_it_says(site):
    site.execute(
        "update deliveries set attempts = 3, created_at = now() - interval '20 days' where id in"
        " (select id from deliveries where state = 'pending' order by id limit 2)"
    )
    browser = site.as_role("viewer", WORKSPACE)
    text = browser.get(site.path("overview/", WORKSPACE)).get_data(as_text=True)
    links = re.findall(r'<dd[^>]*><a href="([^"]*/deliveries/[^"]*)">([0-9,]+)</a>', text)
    assert len(links) > 5
    for href, said in links:
        path = html.unescape(href).replace("/deliveries/?", "/deliveries/export.csv?")
        rows = list(csv.DictReader(io.StringIO(browser.get(path).get_data(as_text=True))))
        assert len(rows) == number(said), path
    # Rates, speeds and times lead to what they are of; the oldest that waits is the first of its list.
    oldest = re.search(r'href="([^"]*)"><time datetime="([^"]*)', text.partition("Oldest that waits")[2])
    listed = browser.get(html.unescape(oldest[1])).get_data(as_text=True)
    assert re.search(r'<td><time datetime="([^"]*)', listed)[1] == oldest[2]
    rate = re.search(r'href="([^"]*)">([0-9.]+)%', text.partition("Acceptance rate")[2])
    path = html.unescape(rate[1]).replace("/deliveries/?", "/deliveries/export.csv?")
    states = [row["state"] for row in csv.DictReader(io.StringIO(browser.get(path).get_data(as_text=True)))]
    assert abs(100 * states.count("accepted") / len(states) - float(rate[2])) < 0.06
    tried = [said for href, said in links if "tried=1" in href]
    assert tried == ["2"]


def test_pages_go_on_without_a_gap_and_files_carry_no_formulas(site):
    site.execute("update conversions set order_id = '=1+1' where event_name = 'Purchase'")
    browser = site.as_role("viewer", WORKSPACE)
    for name in ("conversations", "spend"):
        path, seen = site.path(f"rows/?rows={name}&money=BRL", WORKSPACE), 0
        while path:
            text = browser.get(path).get_data(as_text=True)
            seen += text.partition("<tbody>")[2].partition("</tbody>")[0].count("<tr>")
            older = re.search(r'rel="next" href="([^"]*)"', text)
            path = html.unescape(older[1]) if older else ""
        assert seen == len(lines(browser, site.path(f"rows/?rows={name}&money=BRL", WORKSPACE))) > 50
    bought = lines(browser, site.path("rows/?rows=purchases&money=BRL", WORKSPACE))
    assert {row["order_id"] for row in bought} == {"'=1+1"}
    for broken in ("rows=luck&part=x&level=y&before=z", "rows=spend&before=2026-11-24_x_y_z"):
        assert browser.get(site.path(f"rows/?{broken}", WORKSPACE)).status_code == 200
    assert "Nothing was counted" in browser.get(site.path("rows/?money=EUR", WORKSPACE)).get_data(as_text=True)


def test_the_rows_look_right_in_every_width_and_colour(site, visitor):
    site.add_user("ana@example.com", name="Ana Souza")
    log_in(visitor, "ana@example.com", PASSWORD)
    found = []
    for name in ("purchases", "spend", "conversations"):
        visitor.open(site.path(f"rows/?rows={name}&money=BRL", WORKSPACE))
        found += visitor.look(f"rows of {name}")
    assert found == []
