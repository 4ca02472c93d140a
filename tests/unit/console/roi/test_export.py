"""Figures as plain values: text that every program reads as the same number, and what a ratio is made of."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from console.roi.export import RATIOS, as_csv, plain_decimal, plain_figures, told_figures
from console.roi.measures import UNITS
from console.roi.order import in_order
from shared.domain.roi import Sums

SUMS = Sums(
    currency="BRL", spend=Decimal(100), impressions=1000, clicks=50, link_clicks=40, conversations_reported=20,
    with_click_id=15, without_click_id=3, leads=18, qualified=6, purchases=2, gross=Decimal("300.5"),
)  # fmt: skip


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6))
def test_an_amount_is_written_without_an_exponent_and_read_back_as_it_was(value):
    text = plain_decimal(value)
    assert Decimal(text) == value
    assert "E" not in text.upper()
    assert len(text.partition(".")[2]) >= 2


def test_money_that_ends_in_zeros_is_no_power_of_ten():
    assert plain_figures(SUMS)["spend"] == "100.00"
    assert plain_figures(SUMS)["revenue"] == "300.50"
    assert plain_figures(SUMS)["ctr"] == "0.05"


def test_a_ratio_tells_what_it_is_made_of_and_a_sum_is_one():
    told = told_figures(SUMS)
    assert set(told) == set(UNITS)
    assert told["leads"] == 18
    cpl = told["cpl"]
    assert (cpl["value"], cpl["numerator"], cpl["denominator"], cpl["few"]) == ("5.555556", "100.00", 18, False)
    assert told["cost_per_purchase"]["few"]
    assert Decimal(told["cost_per_purchase"]["low"]) < 50 < Decimal(told["cost_per_purchase"]["high"])
    unknown = told_figures(Sums())
    assert {name for name in RATIOS if unknown[name]["value"] is not None} == set()
    assert unknown["cpl"]["numerator"] is None


def test_negative_figures_stay_numbers_and_names_no_formulas():
    text = as_csv(("name", "profit"), [{"name": "-1+1", "profit": "-12.50"}])
    assert text == "name,profit\r\n'-1+1,-12.50\r\n"


def test_what_is_unknown_stands_last_in_either_order():
    for down, wanted in ((False, [1, 3, None]), (True, [3, 1, None])):
        assert in_order([3, None, 1], lambda row: row, down=down) == wanted
