"""Numbers that WhatsApp and an address book write differently are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.phones import canonical_phone


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("551187654321", "5511987654321"),
        ("555187654321", "5551987654321"),
        ("5215512345678", "525512345678"),
        ("541123456789", "5491123456789"),
    ],
)
def test_both_ways_of_writing_a_number_are_one(one: str, other: str) -> None:
    assert canonical_phone(one) == canonical_phone(other)


@pytest.mark.parametrize("digits", ["551132654321", "15550100123", "447911123456", "52", "54", "", "4915112345678"])
def test_landlines_and_other_countries_stay_as_they_are(digits: str) -> None:
    assert canonical_phone(digits) == digits


@given(st.from_regex(r"(55|52|54|1|49)[0-9]{0,14}", fullmatch=True))
def test_the_canonical_form_of_a_canonical_form_is_itself(digits: str) -> None:
    assert canonical_phone(canonical_phone(digits)) == canonical_phone(digits)
