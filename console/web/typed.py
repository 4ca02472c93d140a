"""Numbers that people type into forms, as they write them."""

import re
from decimal import Decimal

from console.errors import InvalidError
from console.spend.cells import CellError, read_money
from shared.domain.sentences import sentence


def typed_number(text: str) -> Decimal:
    """12.50 or 12,50, also 1.234,50 and 1,234.50. What can be read in two ways is refused rather than guessed.

    Raises InvalidError.
    """
    try:
        return read_money(text, None)
    except CellError as error:
        if str(error) != "number_ambiguous":
            raise InvalidError(
                sentence("{text} is not a number such as 12.50, and not below zero.", text=text.strip()[:30] or "–")
            ) from None
    raise InvalidError(
        sentence(
            "{text} can be a thousand or one and a bit. Write it without a sign between thousands and with its cents,"
            " such as {whole}.00.",
            text=text.strip()[:30],
            whole=re.sub(r"[^0-9]", "", text)[:30],
        )
    )
