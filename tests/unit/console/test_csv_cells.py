"""Cells that a spreadsheet would run."""

import pytest

from console.csv_cells import plain_text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_text_that_begins_like_a_formula_is_made_text(start):
    assert plain_text(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("text", ["", "Spring sale", "1=1", "'=1"])
def test_any_other_text_stays_as_it_is(text):
    assert plain_text(text) == text
