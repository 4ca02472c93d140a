"""Every figure by its name."""

from decimal import Decimal

from console.roi.measures import UNITS, measures
from shared.domain.roi import Sums, figures

SUMS = Sums(
    currency="BRL", spend=Decimal(100), impressions=1000, clicks=50, link_clicks=40, conversations_reported=20,
    with_click_id=15, without_click_id=3, leads=18, qualified=6, purchases=2, gross=Decimal(300), refunds=Decimal(20),
)  # fmt: skip


def test_every_figure_has_a_unit_and_every_ratio_is_among_them():
    made = measures(SUMS)
    assert list(made) == list(UNITS)
    assert set(figures(SUMS)) <= set(made)


def test_counts_are_never_few_and_money_is_what_the_sums_say():
    made = measures(SUMS)
    assert (made["conversations"].value, made["conversations"].few) == (18, False)
    assert (made["purchases"].value, made["purchases"].few) == (2, False)
    assert made["cost_per_purchase"].few
    assert made["net_revenue"].value == 280
    assert made["profit"].value is None, "the cost of what was sold is not known"


def test_what_is_unknown_stays_unknown():
    made = measures(Sums())
    assert {made[name].value for name in ("spend", "impressions", "ctr", "cpl", "roas", "profit")} == {None}
    assert made["leads"].value == 0
