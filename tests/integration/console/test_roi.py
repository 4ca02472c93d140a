"""What ads cost and earned, over random histories: tables, tiles and days all say what counting by hand says."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product

import pytest

from console.roi.ads import read_ads
from console.roi.inside import Inside
from console.roi.overview import read_overview
from console.roi.question import LEVELS, Asked
from shared.db.ad_accounts import all_accounts, insert_account
from shared.db.ads import Ad, save_ads
from shared.db.rollups import Span
from shared.db.spend import Spend, note_days, save_spend
from shared.domain.roi import Sums, total
from tests.integration.db.roi_rows import FIRST, KEY, LAST, WHOLE, Rows, by_hand

ZONE = {"BRL": "America/Sao_Paulo", "USD": "UTC"}
FIELDS = {"Lead": "leads", "QualifiedLead": "qualified", "Purchase": "purchases"}


def spend_of(conn, account, rows, *, source="csv"):
    """Keeps spend: (object id, day, amount) by ad."""
    note_days(conn, account, [day for _, day, _ in rows], "ad", source)
    save_spend(
        conn,
        [
            Spend(
                account_id=account, day=day, level="ad", object_id=object_id, currency=currency_of(conn, account),
                spend=Decimal(amount), impressions=100, clicks=10, link_clicks=5, conversations_started=2,
                source=source,
            )
            for object_id, day, amount in rows
        ],
    )  # fmt: skip


def currency_of(conn, account):
    return next(one.currency for one in all_accounts(conn) if one.id == account)


def add_account(conn, name, currency, ads):
    account = insert_account(
        conn, {"workspace": "default", "name": name, "currency": currency, "zone": ZONE[currency], "is_test": False}
    )
    save_ads(
        conn,
        [
            Ad(
                account_id=account, ad_id=ad_id, ad_name=f"Ad {ad_id}", ad_set_id=f"s{ad_id}", ad_set_name="Set",
                campaign_id=f"c{account}", campaign_name=f"Campaign of {name}", creative_id=f"k{ad_id}",
                status="ACTIVE", headline="Hello",
            )
            for ad_id in ads
        ],
    )  # fmt: skip
    return account


@pytest.fixture
def shop(conn):
    """A random history with two accounts: ad 1 in Brazil, ad 2 in dollars; other messages name no ad."""
    Rows(conn, 11).happen(220)
    brazil, dollars = add_account(conn, "brazil", "BRL", ["1"]), add_account(conn, "dollars", "USD", ["2", "9"])
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    spend_of(conn, brazil, [("1", day, 10) for day in days])
    spend_of(conn, dollars, [("2", day, "2.50") for day in days[::2]] + [("9", days[3], 7)])
    return conn


def counted(conn, currency, basis, model):
    """The total of one currency by hand: of its account's ads, and for the main one of those that nobody knows."""
    mine = {"BRL": ("1", ""), "USD": ("2",)}[currency]
    sums = Sums(currency=currency)
    for key, values in by_hand(conn, ZONE[currency]).items():
        cell = dict(zip(KEY, key, strict=True))
        if cell["ad_id"] not in mine or cell["is_test"] or cell["class"] not in ("ad", "ad_without_click_id"):
            continue
        if cell["event_name"] == "conversation":
            name = "with_click_id" if cell["class"] == "ad" else "without_click_id"
        elif (cell["basis"], cell["model"]) != (basis, model) or cell["event_name"] not in FIELDS:
            continue
        else:
            name = FIELDS[cell["event_name"]]
        more = {name: values["events"]}
        if name == "purchases" and cell["currency"] == currency:
            more |= {part: values[part] for part in ("gross", "refunds", "cost", "costed")}
        elif name == "purchases" and cell["currency"]:
            more["elsewhere"] = {cell["currency"]: values["gross"] - values["refunds"]}
        sums += Sums(currency=currency, **more)
    return sums


def own(sums):
    """Without what Meta reports."""
    return replace(
        sums, spend=None, impressions=None, clicks=None, link_clicks=None, conversations_reported=None, organic=0
    )


def test_tiles_tables_and_days_agree_with_each_other_and_with_counting_by_hand(shop):
    for basis, model in product(("click", "conversion"), ("last", "first")):
        asked = Asked(workspace="default", span=WHOLE, basis=basis, model=model)
        overview = read_overview(shop, asked)
        assert {block.currency for block in overview.blocks} == {"BRL", "USD"}
        assert overview.mixed_zones
        for block in overview.blocks:
            assert own(block.total) == counted(shop, block.currency, basis, model)
            assert total(own(day) for day in block.days.values()) == own(block.total)
        for level in LEVELS:
            tables = {table.currency: table for table in read_ads(shop, asked, level).tables}
            for block in overview.blocks:
                assert tables[block.currency].total == block.total
                assert total(row.sums for row in tables[block.currency].rows) == block.total
                assert tables[block.currency].aside == block.aside


def test_spend_stands_with_its_ad_set_and_campaign_and_unknown_days_are_gaps(shop):
    asked = Asked(workspace="default", span=WHOLE)
    days = (LAST - FIRST).days + 1
    brazil, dollars = read_overview(shop, asked).blocks
    assert brazil.total.spend == 10 * days
    assert dollars.total.spend == Decimal("2.5") * ((days + 1) // 2) + 7
    assert dollars.days[FIRST + timedelta(days=1)].spend is None
    assert dollars.days[FIRST].spend == Decimal("2.5")
    assert FIRST + timedelta(days=1) in dollars.gaps
    for level, expected in {"campaign": [1, 1], "ad_set": [1, 2], "ad": [1, 2], "creative": [1, 2]}.items():
        tables = read_ads(shop, asked, level).tables
        assert [sum(row.kind == level for row in table.rows) for table in tables] == expected
        assert {row.name for row in tables[0].rows if row.kind == level} <= {
            "Ad 1",
            "Set",
            "Campaign of brazil",
            "Hello",
        }
    nine = next(row for row in read_ads(shop, asked, "ad").tables[1].rows if row.id == "9")
    assert (nine.sums.spend, nine.sums.leads, nine.account) == (7, 0, "dollars")


def test_an_account_or_a_currency_alone_has_its_own_ads_only(shop):
    whole = {block.currency: block for block in read_overview(shop, Asked(workspace="default", span=WHOLE)).blocks}
    dollars = next(one for one in all_accounts(shop) if one.name == "dollars")
    for asked in (
        Asked(workspace="default", span=WHOLE, account_ids=[dollars.id]),
        Asked(workspace="default", span=WHOLE, currency="USD"),
    ):
        (block,) = read_overview(shop, asked).blocks
        assert block.total == whole["USD"].total
        assert not read_overview(shop, asked).mixed_zones


def test_the_period_before_is_the_same_question_about_the_days_before(shop):
    half = Span(first=FIRST + timedelta(days=12), last=LAST)
    asked = Asked(workspace="default", span=half)
    before = Asked(workspace="default", span=asked.before)
    earlier = {block.currency: block.total for block in read_overview(shop, before).blocks}
    for block in read_overview(shop, asked).blocks:
        assert block.before == earlier[block.currency]


def test_spend_of_a_campaign_that_no_ad_is_known_of_is_told_apart(conn):
    account = add_account(conn, "file", "BRL", ["1"])
    note_days(conn, account, [FIRST], "campaign", "csv")
    save_spend(
        conn,
        [
            Spend(
                account_id=account, day=FIRST, level="campaign", object_id=object_id, currency="BRL",
                spend=Decimal(5), source="csv",
            )
            for object_id in (f"c{account}", "name:Winter")
        ],
    )  # fmt: skip
    asked = Asked(workspace="default", span=WHOLE)
    (campaigns,) = read_ads(conn, asked, "campaign").tables
    assert {(row.kind, row.name) for row in campaigns.rows} == {
        ("campaign", "Campaign of file"),
        ("campaign", "Winter"),
    }
    (ads,) = read_ads(conn, asked, "ad").tables
    assert {row.kind for row in ads.rows} == {"rest"}
    assert ads.total == campaigns.total
    assert ads.without_leads.spend == 10


def test_an_empty_workspace_has_one_empty_block(conn):
    (block,) = read_overview(conn, Asked(workspace="nowhere", span=WHOLE)).blocks
    assert block.total == Sums()
    assert all(day.spend is None for day in block.days.values())
    (table,) = read_ads(conn, Asked(workspace="nowhere", span=WHOLE), "ad").tables
    assert table.rows == []


def test_looking_inside_a_campaign_adds_up_to_the_campaign(shop):
    asked = Asked(workspace="default", span=WHOLE)
    for table in read_ads(shop, asked, "campaign").tables:
        for campaign in (row for row in table.rows if row.kind == "campaign"):
            for level in ("ad_set", "ad", "creative"):
                report = read_ads(shop, asked, level, inside=Inside("campaign", campaign.id))
                inside = {one.currency: one for one in report.tables}[table.currency]
                assert inside.total == campaign.sums
                assert {row.kind for row in inside.rows} == {level}
                assert report.inside_name == campaign.name
                assert report.speeds is None
