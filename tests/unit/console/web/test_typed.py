"""Numbers in forms: as people write them, and never a guess."""

from decimal import Decimal

import pytest

from console.errors import InvalidError
from console.web.typed import typed_number


def test_a_number_is_read_as_it_is_written_and_never_guessed():
    for text, value in {
        "12": 12, "12.5": "12.5", "12,50": "12.50", "1.234,50": "1234.50", "1,234.50": "1234.50", "0,125": "0.125",
        " R$ 7,25 ": "7.25", "1234.00": 1234,
    }.items():  # fmt: skip
        assert typed_number(text) == Decimal(value), text
    for text in ("1,234", "1.234", "12,345"):
        with pytest.raises(InvalidError, match=r"can be a thousand or one and a bit.*such as [0-9]+\.00"):
            typed_number(text)
    for text in ("", "a lot", "-5", "NaN", "1e9"):
        with pytest.raises(InvalidError, match="is not a number"):
            typed_number(text)
