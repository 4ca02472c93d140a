"""Amounts that people write."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.amounts import Decimals, read_amount

AMOUNTS = st.decimals(min_value=0, max_value=Decimal("999999999.99"), places=2)


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("1.234,56", "1234.56"),
        ("1,234.56", "1234.56"),
        ("R$ 1.234,56", "1234.56"),
        ("€1,234", "1234"),
        ("1.234", "1234"),
        ("1.234.567", "1234567"),
        ("12.345.678,90", "12345678.90"),
        ("12,34,567.00", None),
        ("0.999", "0.999"),
        ("12,5", "12.5"),
        ("12.50", "12.50"),
        ("1 234,56", "1234.56"),
        ("1\u202f234,56", "1234.56"),
        ("1'234.50 CHF", "1234.50"),
        ("49", "49"),
        ("49.", "49"),
        ("Total: 150,00 reais.", "150.00"),
        ("١٢٣", "123"),
        ("1.23.456", None),
        ("1,2,3", None),
        ("-5", None),
        ("none", None),
        ("", None),
        ("1" * 16, None),
        ("12,3456789", None),
    ],
)
def test_an_amount_is_read_as_people_write_it(written: str, amount: str | None) -> None:
    assert read_amount(written) == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize(
    ("written", "decimals", "amount"),
    [
        ("1.234", Decimals.COMMA, "1234"),
        ("1.234", Decimals.POINT, "1.234"),
        ("1,234", Decimals.COMMA, "1.234"),
        ("1,234", Decimals.POINT, "1234"),
        ("1.234,56", Decimals.POINT, None),
        ("1,234.56", Decimals.COMMA, None),
    ],
)
def test_who_says_which_sign_is_the_decimal_one_is_believed(
    written: str, decimals: Decimals, amount: str | None
) -> None:
    assert read_amount(written, decimals) == (None if amount is None else Decimal(amount))


@given(AMOUNTS)
def test_both_ways_of_writing_an_amount_give_the_same(amount: Decimal) -> None:
    english = f"{amount:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert read_amount(english) == read_amount(german) == amount
    assert read_amount(english, Decimals.POINT) == read_amount(german, Decimals.COMMA) == amount


@given(st.text(max_size=100), st.sampled_from(Decimals))
def test_any_text_gives_an_amount_that_is_not_negative_or_none(written: str, decimals: Decimals) -> None:
    amount = read_amount(written, decimals)
    assert amount is None or (amount.is_finite() and amount >= 0)
