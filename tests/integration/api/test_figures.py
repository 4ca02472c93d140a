"""Figures by the API: what the pages say, in every form."""

import csv
import io
from datetime import date
from typing import Any

import pytest

from console.roi.export import COLUMNS
from tests.integration.api.programs import Program
from tests.integration.web.business import WORKSPACE
from tests.integration.web.site import Site
from tests.integration.web.test_overview import tiles


@pytest.fixture
def database_url(business_url: str) -> str:
    """The database of `site`: one in which the business has been made up."""
    return business_url


@pytest.fixture
def asking(site: Site) -> Program:
    """A program of the made-up business, which has test rows only."""
    return Program(site, WORKSPACE)


def table(program: Program, path: str, **more: Any) -> list[dict[str, str]]:
    answer = program.ask(path, **more)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv"), answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_api_says_what_the_pages_say(site: Site, asking: Program) -> None:
    viewer = site.as_role("viewer", WORKSPACE)
    for query in ("period=14d", "basis=click&click=first", "currency=USD", "placement=instagram"):
        answer = asking.json(f"funnel?test=true&{query}")
        shown = tiles(viewer.get(site.path(f"overview/?{query}", WORKSPACE)))
        for name, label in (("conversations", "Conversations"), ("leads", "Leads"), ("purchases", "Purchases")):
            assert [f"{block['figures'][name]:,}" for block in answer["data"]] == shown[label], query
        for level in ("campaign", "ad"):
            page = viewer.get(site.path(f"ads/export.json?{query}&level={level}", WORKSPACE)).get_json()["data"]
            rows = table(asking, f"ads?test=true&{query}&level={level}&limit=500&format=csv")
            on_page = [row for row in page if row["kind"] != "not_from_ads"]
            assert sorted(map(as_text, rows)) == sorted(map(as_text, on_page))
            told = asking.json(f"ads?test=true&{query}&level={level}&limit=500")
            totals = [one["leads"] for one in told["totals"] if one["part"] == "total"]
            assert totals == [block["figures"]["leads"] for block in answer["data"]]
            assert sum(row["leads"] for row in told["data"]) == sum(totals)
    # Some day's spend was never synced: it is unknown and no zero, and its costs are unknown as well.
    every = asking.json("timeseries?test=true&limit=500")["data"]
    days = [day for day in every if not day["spend_known"]]
    assert days
    for day in days:
        assert (day["spend"], day["cpl"]["value"], day["cpl"]["numerator"]) == (None, None, None)
        assert day["cpl"]["denominator"] == day["leads"]
    by_unit = {unit: asking.json(f"timeseries?test=true&limit=500&unit={unit}")["data"] for unit in ("week", "month")}
    for rows in by_unit.values():
        assert sum(row["leads"] for row in rows) == sum(day["leads"] for day in every)
        for row in rows:
            inside = [day for day in every if row["day"] <= day["day"] <= row["last_day"]]
            mine = [day for day in inside if day["currency"] == row["currency"]]
            assert row["spend_known"] == all(day["spend_known"] for day in mine)
            assert (row["spend"] is None) == (not row["spend_known"])
    assert all(date.fromisoformat(row["day"]).isoweekday() == 1 for row in by_unit["week"] if row["complete"])
    assert not all(row["complete"] for row in by_unit["week"])
    assert asking.ask("timeseries?unit=year").status_code == 422


def as_text(row: dict[str, Any]) -> list[str]:
    return ["" if row[name] is None else str(row[name]) for name in COLUMNS]


def test_answers_come_as_tables_in_the_order_asked_for_and_cost_nothing_unchanged(site: Site, asking: Program) -> None:
    site.execute("update ads set campaign_name = '=1+1'")
    rows = table(asking, "ads?test=true&currency=USD&level=ad&sort=leads", headers={"Accept": "text/csv"})
    leads = [int(row["leads"]) for row in rows]
    assert leads == sorted(leads)
    assert {row["campaign_name"] for row in rows if row["campaign_name"]} == {"'=1+1"}
    figures = {row["figure"]: row for row in table(asking, "funnel?test=true&currency=USD&format=csv")}
    told = asking.json("funnel?test=true&currency=USD")["data"][0]
    assert figures["cpl"]["value"] == told["figures"]["cpl"]["value"]
    assert figures["leads"]["before"] == (told["compared"]["leads"]["before"] or "")
    campaign = asking.json("ads?test=true&currency=USD&limit=1")["data"][0]
    inside = asking.json(f"ads?test=true&currency=USD&level=ad&campaign_id={campaign['id']}")["data"]
    assert sum(row["leads"] for row in inside) == campaign["leads"]
    for path in ("funnel?test=true", "timeseries?test=true", "ads?test=true", "spend?test=true", "alerts"):
        answer = asking.ask(path)
        again = asking.ask(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), path
        assert table(asking, f"{path}{'&' if '?' in path else '?'}format=csv") is not None
    assert asking.json("funnel")["data"][0]["figures"]["leads"] == 0, "test rows are left out"
