"""Numbers and dates of files: read as written, and refused where they could mean two things."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.spend.cells import CellError, date_order, decimal_mark, read_count, read_date, read_money

AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=2)
DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))


def grouped(amount, thousands, mark):
    return f"{amount:,.2f}".replace(",", "\0").replace(".", mark).replace("\0", thousands)


@given(AMOUNTS, st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), ("", "."), ("", ",")]))
def test_an_amount_with_cents_is_read_in_every_way_of_writing(amount, marks):
    text = grouped(amount, *marks)
    assert read_money(text, decimal_mark([text])) == amount
    assert read_money(f"R$ {text}", None) == amount
    assert read_money(f"{text} €", None) == amount


@given(st.integers(0, 10**12 - 1), st.sampled_from([",", ".", " ", ""]))
def test_a_count_is_read_however_its_thousands_are_set_apart(number, thousands):
    assert read_count(f"{number:,}".replace(",", thousands)) == number


@given(DAYS)
def test_a_day_is_read_in_every_form_it_may_have(day):
    assert read_date(day.isoformat(), None) == day
    assert read_date(day.strftime("%d.%m.%Y"), None) == day
    assert read_date(day.strftime("%d/%m/%Y"), "dmy") == day
    assert read_date(day.strftime("%m/%d/%Y"), "mdy") == day
    assert read_date(day.strftime("%b %d, %Y"), None) == day


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    for read in (lambda: read_money(text, "."), lambda: read_count(text), lambda: read_date(text, "dmy")):
        try:
            read()
        except CellError:
            continue


@pytest.mark.parametrize(
    ("text", "code"),
    [("1.234", "number_ambiguous"), ("12,345", "number_ambiguous"), ("-3.00", "number_negative"),
     ("abc", "number_invalid"), ("", "number_invalid"), ("NaN", "number_invalid"),
     # In the time of a long cell, not of its square: this one would stand still for minutes.
     ("1" + "a" * 130_000 + "1", "number_invalid")],
)  # fmt: skip
def test_an_amount_that_says_nothing_sure_is_refused(text, code):
    with pytest.raises(CellError, match=code):
        read_money(text, None)


@pytest.mark.parametrize("text", ["1" + ".000" * 5, "1" * 16, "1" + ".000" * 2000, "1" + "a" * 130_000 + "1"])
def test_a_count_that_fits_into_no_column_is_refused(text):
    with pytest.raises(CellError, match="number_invalid"):
        read_count(text)


def test_other_cells_of_the_column_decide():
    assert decimal_mark(["1.234", "5,50"]) == ","
    assert read_money("1.234", ",") == Decimal(1234)
    assert read_money("1.234", ".") == Decimal("1.234")
    assert date_order(["03/04/2026", "25/04/2026"]) == "dmy"
    with pytest.raises(CellError, match="number_formats_mixed"):
        decimal_mark(["1.50", "2,50"])
    with pytest.raises(CellError, match="date_ambiguous"):
        read_date("03/04/2026", None)
