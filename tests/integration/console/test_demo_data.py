"""The made-up business: believable, the same from the same seed, marked as a test, and gone without a trace."""

from dataclasses import replace

import pytest

from console.roi.ads import read_ads
from console.roi.overview import read_overview
from console.roi.question import Asked, span_of
from shared.db.rollups import DAYS, day_parameters
from shared.domain.roi import figures

TABLES = ("conversions", "touchpoints", "contacts", "deliveries", "ad_spend_daily", "conversion_changes", "roi_daily")


@pytest.fixture
def owner(cli):
    """The commands with the owner's rights."""
    return replace(cli, environ={**cli.environ, "DATABASE_URL": cli.owner_url})


def counts(conn):
    conn.rollback()
    return {table: conn.execute(f"select count(*) from {table}").fetchone()[0] for table in TABLES}


def test_the_business_is_believable_and_in_no_figure_but_its_own(owner, conn):
    made = owner.json("demo-data", "--days", "40", "--scale", "0.2")
    assert made["workspace"] == "demo"
    today = conn.execute("select (now() at time zone 'America/Sao_Paulo')::date").fetchone()[0]
    asked = Asked(workspace="demo", span=span_of(today, preset="30d"), test=True)
    overview = read_overview(conn, asked)
    assert [block.currency for block in overview.blocks] == ["MXN", "BRL", "USD"]
    for block in overview.blocks:
        made = figures(block.total)
        assert 0.7 < made["capture_rate"].value < 1
        assert 1 < made["roas"].value < 60
        assert 0.1 < made["qualification_rate"].value < 0.6
        assert len(block.gaps) == 2
    assert sum(block.aside.organic for block in overview.blocks) > 0
    hidden = read_overview(conn, Asked(workspace="demo", span=asked.span))
    assert sum(block.total.leads for block in hidden.blocks) == 0
    for table, block in zip(read_ads(conn, asked, "campaign").tables, overview.blocks, strict=True):
        assert table.total == block.total
    assert {"accepted", "skipped", "pending", "rejected"} <= {
        state for (state,) in conn.execute("select distinct state from deliveries").fetchall()
    }
    assert conn.execute("select count(*) from conversions where not is_test").fetchone() == (0,)
    stored = conn.execute("select sum(events) from roi_daily where zone = 'America/Chicago'").fetchone()
    afresh = conn.execute(
        f"select sum(events) from ({DAYS}) x",
        day_parameters(conn, "demo", "America/Chicago", span_of(today, preset="90d")),
    ).fetchone()
    assert stored >= afresh


def test_one_seed_tells_one_story_and_it_can_be_replaced_and_removed(owner, conn):
    before = counts(conn)
    owner("demo-data", "--days", "10", "--scale", "0.1")
    first = counts(conn)
    refused = owner("demo-data", "--days", "10", code=2)
    assert "--again replaces it" in refused.output
    owner("demo-data", "--days", "10", "--scale", "0.1", "--again")
    assert counts(conn) == first
    assert owner("demo-data", "--remove").output == "The demo business is gone.\n"
    assert counts(conn) == before
    assert owner("demo-data", "--remove").output == "There was no demo business.\n"


def test_it_takes_the_owners_rights(cli):
    refused = cli("demo-data", "--days", "5", code=2)
    assert "DATABASE_URL must be the owner's" in refused.output
