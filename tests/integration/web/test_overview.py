"""The overview: what its tiles say is what console.roi says, by every filter; and it is fit to look at."""

import html
import re
from datetime import timedelta

import psycopg
import pytest

from console.roi.measures import measures
from console.roi.overview import read_overview
from console.roi.question import Asked, span_of
from shared.db import roi
from shared.db.rollups import Span
from tests.integration.web.business import WORKSPACE
from tests.integration.web.site import PASSWORD
from tests.integration.web.test_pages import log_in

TILE = re.compile(r'class="tile-label">([^<]*)</p>\s*<p class="tile-figure(?: long)?">(?:<a [^>]*>)?([^<]*)')


@pytest.fixture
def database_url(business_url):
    """The database of `site`: one in which the business has been made up."""
    return business_url


@pytest.fixture
def business(site):
    return site


def tiles(response):
    """Label -> figures, one a currency."""
    found = {}
    for label, figure in TILE.findall(response.get_data(as_text=True)):
        found.setdefault(html.unescape(label), []).append(html.unescape(figure).strip())
    return found


def needs(text):
    """The titles of what Overview says needs attention."""
    listed = text.partition('<ul class="needs">')[2].partition("</ul>")[0]
    return set(re.findall(r"<strong>(?:<a [^>]*>)?([^<]*)", listed))


def today(site):
    return site.rows("select (now() at time zone 'America/Sao_Paulo')::date as day")[0]["day"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", {}),
        ("?basis=click&click=first", {"basis": "click", "model": "first"}),
        ("?placement=instagram", {"placements": ("instagram",)}),
        ("?currency=USD", {"currency": "USD"}),
    ],
)
def test_tiles_say_what_the_figures_are(business, query, said):
    response = business.as_role("viewer", WORKSPACE).get(business.path(f"overview/{query}", WORKSPACE))
    assert response.status_code == 200
    shown = tiles(response)
    with psycopg.connect(business.owner_url) as conn:
        asked = Asked(workspace=WORKSPACE, span=span_of(today(business)), test=True, **said)
        blocks = read_overview(conn, asked).blocks
    assert {block.currency for block in blocks} == ({"USD"} if "currency" in said else {"MXN", "BRL", "USD"})
    assert any(block.total.purchases for block in blocks)
    for name, label in (("conversations", "Conversations"), ("leads", "Leads"), ("purchases", "Purchases")):
        expected = [f"{measures(block.total)[name].value:,}" for block in blocks]
        assert shown[label] == expected
    if "placements" in said:
        assert shown["Spend"] == ["–"] * 3, "what was spent is not known by placement"
    else:
        symbols = {"MXN": "MX$", "BRL": "R$", "USD": "$"}
        for block, figure in zip(blocks, shown["Spend"], strict=True):
            amount = block.total.spend
            digits = 0 if amount >= 1000 else 2
            assert figure == f"{symbols[block.currency]}{amount:,.{digits}f}"


def test_the_address_says_the_days_and_a_preset_is_left_when_a_date_is_changed(business):
    browser, day = business.as_role("viewer", WORKSPACE), today(business)
    text = browser.get(business.path("overview/?period=7d", WORKSPACE)).get_data(as_text=True)
    assert re.search(r'aria-current="true">7 days<', text)
    first = day - timedelta(days=7)
    assert f'name="since" type="date" value="{first}"' in text
    # The form sends the preset's name and dates; a date that isn't the preset's counts.
    dates = f"period=7d&since={first - timedelta(days=3)}&until={day - timedelta(days=1)}"
    text = browser.get(business.path(f"overview/?{dates}", WORKSPACE)).get_data(as_text=True)
    assert 'aria-current="true"' not in text.partition('id="presets"')[2].partition("</nav>")[0]
    assert f'name="since" type="date" value="{first - timedelta(days=3)}"' in text
    backwards = f"since={day}&until={day - timedelta(days=9)}"
    response = browser.get(business.path(f"overview/?{backwards}", WORKSPACE))
    assert response.status_code == 200
    assert "before it begins" in response.get_data(as_text=True)


def test_pages_say_whether_test_rows_are_shown_and_whether_sums_are_still_being_made(business, monkeypatch):
    browser = business.as_role("viewer", WORKSPACE)
    assert "test channels only" in browser.get(business.path("overview/", WORKSPACE)).get_data(as_text=True)
    # A channel that nobody called a test, at a dataset of tests, as README's first one is.
    business.execute("update channels set is_test = false where workspace = %s", WORKSPACE)
    business.execute("update datasets set is_test = true")
    assert "test channels only" in browser.get(business.path("overview/", WORKSPACE)).get_data(as_text=True)
    business.execute("update datasets set is_test = false")
    assert "test channels only" not in browser.get(business.path("overview/", WORKSPACE)).get_data(as_text=True)
    business.execute("update channels set is_test = true where workspace = %s", WORKSPACE)
    response = browser.get(business.path("overview/?test=0", WORKSPACE))
    assert "Nothing happened on these days." in response.get_data(as_text=True)
    other = business.as_role("viewer").get(business.path("overview/"))
    assert "Nothing happened on these days." in other.get_data(as_text=True)
    assert "Show today" in other.get_data(as_text=True)
    today = business.as_role("viewer").get(business.path("overview/?period=today"))
    assert "Show 90 days" in today.get_data(as_text=True)
    assert "test channels only" not in other.get_data(as_text=True)
    monkeypatch.setattr(roi, "MOST_EVENTS_AT_ONCE", -1)
    business.execute("update roi_zones set refreshed_at = '2026-01-02 03:04Z'")
    for page in ("overview/", "ads/", "quality/", "rows/?rows=leads&money=BRL"):
        text = browser.get(business.path(page, WORKSPACE)).get_data(as_text=True)
        assert "figures are still being added up: these are as of" in text, page


def test_a_day_that_was_not_synced_is_a_gap_in_the_chart_and_a_dash_in_its_table(business):
    browser = business.as_role("viewer", WORKSPACE)
    with psycopg.connect(business.owner_url) as conn:
        asked = Asked(workspace=WORKSPACE, span=span_of(today(business)), test=True)
        block = read_overview(conn, asked).blocks[0]
    (gap, *_) = [day for day in block.gaps if block.days[day].leads]
    span = Span(first=gap, last=gap)
    text = browser.get(business.path(f"overview/?since={span.first}&until={span.last}", WORKSPACE)).get_data(
        as_text=True
    )
    assert "so it is a gap and not zero" in text
    assert re.search(r'<th scope="row">[^<]*</th><td class="number">–</td>', text)
    # So is the week that it is part of, of which no more was asked about than that day.
    text = browser.get(business.path(f"overview/?since={gap}&until={gap}&unit=week", WORKSPACE)).get_data(as_text=True)
    assert "is a gap: " in text
    assert re.search(r'<th scope="row">[^<]*<span class="badge ">not whole</span></th><td class="number">–</td>', text)


def test_the_card_counts_the_deliveries_of_the_workspace(business):
    text = business.as_role("viewer", WORKSPACE).get(business.path("overview/", WORKSPACE)).get_data(as_text=True)
    shown = dict(re.findall(r"<dt>([^<]*)</dt><dd[^>]*>(?:<a [^>]*>)?([0-9,]+)", text))
    rows = business.rows(
        "select count(*) filter (where state = 'accepted' and created_at > now() - interval '7 days') as accepted,"
        " count(*) filter (where state = 'pending') as pending, count(*) filter (where state = 'unknown') as unknown"
        " from deliveries"
    )
    assert rows[0]["accepted"] > 0
    assert shown["Accepted by Meta"] == f"{rows[0]['accepted']:,}"
    assert shown["To be sent"] == f"{rows[0]['pending']:,}"
    assert shown["Outcome unknown"] == f"{rows[0]['unknown']:,}"
    assert "is paused" in text
    # Alerts lists the same, whether an alert was opened of it or not.
    alerts = business.as_role("viewer", WORKSPACE).get(business.path("alerts/", WORKSPACE)).get_data(as_text=True)
    assert needs(text) <= set(re.findall(r'<h2 id="need-[^>]*>([^<]*)</h2>', alerts))
    assert "Nothing needs you." not in alerts
    other = business.as_role("viewer").get(business.path("overview/")).get_data(as_text=True)
    assert "is paused" not in other
    assert "Nothing: all is well." in other


def test_the_overview_looks_right_in_every_width_colour_and_language(business, visitor):
    business.add_user("ana@example.com", name="Ana Souza")
    log_in(visitor, "ana@example.com", PASSWORD)
    visitor.open(business.path("overview/", WORKSPACE))
    visitor.page.locator(".chart canvas").first.wait_for()
    wrong = visitor.look("overview")
    visitor.open(business.path("overview/"))
    wrong += visitor.look("overview empty")
    assert wrong == []
    # On a phone, bars are wider than it: what is chosen among them is in sight, and the page itself is no wider.
    visitor.page.set_viewport_size({"width": 360, "height": 740})
    visitor.page.get_by_role("link", name="Last month").evaluate("link => link.click()")
    visitor.page.wait_for_url("**period=last_month**")
    visitor.open(business.path("quality/?period=last_month", WORKSPACE))
    for chosen in ("Data quality", "Last month"):
        box = visitor.page.locator("nav [aria-current]", has_text=chosen).bounding_box()
        assert 0 <= box["x"] <= 360 - box["width"], (chosen, box)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_filter_takes_effect_at_once_and_stays_in_the_address(business, visitor):
    business.add_user("ana@example.com")
    log_in(visitor, "ana@example.com", PASSWORD)
    visitor.open(business.path("overview/", WORKSPACE))
    page = visitor.page
    before = page.locator(".asked").inner_text()
    page.get_by_label("Belongs to").select_option("first")
    page.wait_for_url("**click=first**")
    page.get_by_label("From", exact=True).fill((today(business) - timedelta(days=5)).isoformat())
    page.wait_for_url(f"**since={today(business) - timedelta(days=5)}**")
    page.wait_for_function("text => document.querySelector('.asked').textContent !== text", arg=before)
    page.locator(".chart canvas").first.wait_for()
    assert page.get_by_label("Belongs to").input_value() == "first"
    page.get_by_role("navigation", name="By").first.get_by_text("Week").click()
    page.wait_for_url("**unit=week**")
    page.get_by_role("heading", name="Week by week").first.wait_for()
    page.locator(".chart canvas").first.wait_for()
    page.locator(".chart .u-over").first.hover()
    legend = page.locator(".chart .u-legend").first.inner_text()
    assert re.search(r"Week:?\s*[0-9]+ .*[0-9]{4}", legend), legend
    page.get_by_label("Counted on").select_option("click")
    page.wait_for_url("**basis=click**")
    assert "unit=week" in page.url, "what was chosen below stays chosen above"
    page.reload(wait_until="networkidle")
    assert page.get_by_label("Belongs to").input_value() == "first"
    assert visitor.complaints == []
