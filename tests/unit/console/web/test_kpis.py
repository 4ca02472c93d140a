"""How figures are written and judged."""

from decimal import Decimal

import pytest
from flask import Flask, g

from console.roi.measures import UNITS
from console.web import language
from console.web.kpis import KPIS, change_of, figure, interval, seconds
from shared.domain.roi import Ratio


@pytest.fixture
def page():
    """A page in English."""
    app = Flask(__name__)
    language.install(app)
    with app.test_request_context():
        g.person = None
        yield


def test_every_figure_has_a_name():
    assert set(KPIS) == set(UNITS)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("leads", Decimal(1234), "1,234"),
        ("ctr", Decimal("0.01234"), "1.23%"),
        ("capture_rate", Decimal("0.876"), "87.6%"),
        ("roas", Decimal("3.456"), "3.46×"),
        ("cpl", Decimal("12.3"), "R$12.30"),
        ("spend", Decimal("12345.67"), "R$12,346"),
        ("profit", Decimal("-12.5"), "-R$12.50"),
        ("spend", None, "–"),
    ],
)
def test_a_figure_is_written_by_its_unit(page, name, value, text):
    assert figure(name, value, "BRL") == text


def test_a_table_under_a_heading_leaves_the_currency_out(page):
    assert figure("spend", Decimal("12345.67"), "BRL", plain=True) == "12,346"
    assert figure("cpl", Decimal("12.3"), "BRL", plain=True) == "12.30"


@pytest.mark.parametrize(
    ("name", "now", "before", "change"),
    [
        ("leads", 12, 10, {"text": "↑ 20% better", "kind": "better"}),
        ("leads", 8, 10, {"text": "↓ 20% worse", "kind": "worse"}),
        ("cpl", 8, 10, {"text": "↓ 20% better", "kind": "better"}),
        ("cpl", 25, 10, {"text": "↑ 150% worse", "kind": "worse"}),
        ("spend", 12, 10, {"text": "↑ 20% more", "kind": ""}),
        ("leads", 10, 10, {"text": "= as before", "kind": ""}),
        ("leads", 10, 0, None),
        ("cpl", None, 10, None),
    ],
)
def test_a_change_says_in_a_word_what_its_colour_says(page, name, now, before, change):
    numbers = [None if one is None else Decimal(one) for one in (now, before)]
    assert change_of(name, *numbers) == change


def test_too_few_says_over_how_many_and_what_it_may_be(page):
    ratio = Ratio(value=Decimal(25), over=4, low=Decimal(10), high=Decimal(92))
    assert interval("cpl", ratio, "USD") == (
        "Too few to judge by: over 4, so between $10.00 and $92.00 by chance alone (95%)."
    )
    assert interval("aov", Ratio(value=Decimal(1), over=2), "USD") == "Too few to judge by: over 2."


def test_a_length_of_time_has_its_largest_fitting_unit(page):
    assert [seconds(value) for value in (None, 5, 200, 7200)] == ["–", "5 sec", "3 min", "2 hr"]
