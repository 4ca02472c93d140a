"""The figures of the console: sums that add up, and ratios that are made of sums."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.roi import FEW, Sums, change, figures, poisson_bounds, total, wilson_bounds

COUNTS = st.integers(0, 10**6)
MONEY = st.decimals(0, 10**9, places=2)
SUMS = st.builds(
    Sums,
    currency=st.just("BRL"),
    spend=st.none() | MONEY,
    impressions=st.none() | COUNTS,
    clicks=st.none() | COUNTS,
    link_clicks=st.none() | COUNTS,
    conversations_reported=st.none() | COUNTS,
    with_click_id=COUNTS,
    without_click_id=COUNTS,
    organic=COUNTS,
    leads=COUNTS,
    qualified=COUNTS,
    purchases=COUNTS,
    gross=MONEY,
    refunds=MONEY,
    cost=MONEY,
    costed=COUNTS,
    elsewhere=st.dictionaries(st.sampled_from(["USD", "EUR"]), MONEY),
)
A_MONTH = Sums(
    currency="BRL", spend=Decimal(1000), impressions=50_000, clicks=900, link_clicks=500, conversations_reported=250,
    with_click_id=180, without_click_id=20, organic=40, leads=200, qualified=50, purchases=20, gross=Decimal(5000),
    refunds=Decimal(500), cost=Decimal(1500), costed=20,
)  # fmt: skip

#: Each formula as the specification writes it, over A_MONTH.
EXPECTED = {
    "cpl": "5", "cpql": "20", "cost_per_purchase": "50", "cost_per_conversation": "5",
    "cost_per_reported_conversation": "4", "cpm": "20", "cpc": "1.111111", "ctr": "0.018", "link_ctr": "0.01",
    "conversation_rate": "0.4", "capture_rate": "0.8", "click_id_coverage": "0.9", "lead_rate": "1",
    "qualification_rate": "0.25", "purchase_rate": "0.1", "qualified_purchase_rate": "0.4", "aov": "250", "roas": "5",
    "net_roas": "4.5", "roi": "2", "refund_rate": "0.1",
}  # fmt: skip


def test_every_figure_is_what_its_formula_says():
    made = figures(A_MONTH)
    assert {name: round(ratio.value, 6) for name, ratio in made.items()} == {
        name: Decimal(value) for name, value in EXPECTED.items()
    }
    assert A_MONTH.profit == Decimal(2000)


@given(st.lists(SUMS, max_size=6))
def test_sums_add_up_in_any_order_and_unknown_is_not_zero(parts):
    whole = total(parts)
    assert whole == total(reversed(parts))
    assert whole.leads == sum(part.leads for part in parts)
    assert whole.net == sum((part.net for part in parts), Decimal(0))
    assert (whole.spend is None) == all(part.spend is None for part in parts)
    assert whole.elsewhere == {
        currency: sum((part.elsewhere.get(currency, Decimal(0)) for part in parts), Decimal(0))
        for currency in {currency for part in parts for currency in part.elsewhere}
    }


@given(SUMS)
def test_a_ratio_over_nothing_or_of_something_unknown_is_none_and_none_divides_by_zero(sums):
    made = figures(sums)
    if sums.spend is None:
        assert made["cpl"].value is made["roas"].value is made["roi"].value is sums.profit is None
    if sums.leads == 0:
        assert made["cpl"].value is made["qualification_rate"].value is None
    elif sums.spend is not None:
        assert made["cpl"].value * sums.leads == pytest.approx(sums.spend)


@given(st.integers(1, 10**6))
def test_the_bounds_of_a_count_hold_it_and_close_in_on_it(count):
    low, high = poisson_bounds(count)
    assert 0 <= low < count < high
    assert (high - low) / count < 8 / Decimal(count).sqrt()


@given(st.integers(1, 10**6).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_the_bounds_of_a_share_hold_it(pair):
    part, whole = pair
    low, high = wilson_bounds(part, whole)
    assert 0 <= low <= Decimal(part) / whole + Decimal("0.000001")
    assert Decimal(part) / whole - Decimal("0.000001") <= high <= 1


@pytest.mark.parametrize(("count", "low", "high"), [(1, 0.0253, 5.572), (5, 1.623, 11.668), (20, 12.217, 30.888)])
def test_the_bounds_of_a_count_are_near_the_exact_ones(count, low, high):
    """Exact (Garwood) limits from https://doi.org/10.1093/biomet/28.3-4.437; Byar's formula is known to be close."""
    assert [float(bound) for bound in poisson_bounds(count)] == pytest.approx([low, high], rel=0.02, abs=0.02)


@pytest.mark.parametrize(("over", "few"), [(0, False), (1, True), (FEW - 1, True), (FEW, False)])
def test_a_ratio_over_few_events_says_so(over, few):
    assert figures(Sums(currency="BRL", spend=Decimal(100), leads=over))["cpl"].few is few


def test_money_of_two_currencies_is_never_added_up():
    with pytest.raises(ValueError, match="two currencies"):
        Sums(currency="BRL", spend=Decimal(1)) + Sums(currency="USD", spend=Decimal(1))
    assert (Sums(currency="BRL", spend=Decimal(1)) + Sums(leads=1)).currency == "BRL"


def test_profit_is_unknown_while_the_cost_of_a_sale_is():
    assert Sums(currency="BRL", spend=Decimal(1), purchases=2, costed=1).profit is None
    assert Sums(currency="BRL", purchases=1, costed=1).profit is None


@pytest.mark.parametrize(
    ("now", "before", "expected"), [(3, 2, "0.5"), (1, 2, "-0.5"), (1, 0, None), (None, 2, None), (2, None, None)]
)
def test_a_change_is_a_fraction_of_what_was_before(now, before, expected):
    made = change(None if now is None else Decimal(now), None if before is None else Decimal(before))
    assert made == (None if expected is None else Decimal(expected))
