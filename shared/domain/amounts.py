"""Reading an amount of money that a person wrote: 1.234,56 and 1,234.56, with or without a currency. Pure."""

import re
import unicodedata
from decimal import Decimal
from enum import StrEnum

#: Longer texts hold no amount. Amounts have at most 15 digits before the decimal sign, as everywhere here.
_LONGEST = 64
_DIGITS = 15
_GAPS = re.compile(r"[\s'’´`_]+")
_NUMBER = re.compile(r"[0-9][0-9.,\s'’´`_]*", re.ASCII)


class Decimals(StrEnum):
    """Which sign stands before the cents. AUTO: what the number itself shows."""

    AUTO = "auto"
    COMMA = "comma"
    POINT = "point"


def read_amount(written: str, decimals: Decimals = Decimals.AUTO) -> Decimal | None:
    """The first amount in a short text, never negative; None when there is none or it can't be read in one way.

    Of two different signs the last stands before the cents. A single sign before exactly three digits groups thousands
    (`1.234` is one thousand two hundred and thirty-four), unless `decimals` says that it is the other one, or it
    follows a lone zero.
    """
    text = unicodedata.normalize("NFKC", written[:_LONGEST])
    text = "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in text)
    match = _NUMBER.search(text)
    if match is None or text[: match.start()].rstrip().endswith(("-", "−")):
        return None
    number = _GAPS.sub("", match[0]).rstrip(".,")
    sign = _decimal_sign(number, decimals)
    if sign is None:
        return None
    whole, _, cents = number.rpartition(sign) if sign in number else (number, "", "")
    groups = re.split(r"[.,]", whole)
    if (sign and sign in whole) or (cents and not cents.isdigit()):
        return None
    if len(groups) > 1 and not (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])):
        return None
    digits = "".join(groups)
    if not digits or len(digits) > _DIGITS or len(cents) > 6:
        return None
    return Decimal(f"{digits}.{cents}" if cents else digits)


def _decimal_sign(number: str, decimals: Decimals) -> str | None:
    """The sign before the cents: `.`, `,`, or a character that isn't there; None if it can't be told."""
    if decimals is not Decimals.AUTO:
        return "," if decimals is Decimals.COMMA else "."
    signs = {sign: number.count(sign) for sign in ".," if sign in number}
    if not signs:
        return "."
    if len(signs) == 2:
        return max(".,", key=number.rindex)
    sign, count = signs.popitem()
    before, _, after = number.rpartition(sign)
    other = "." if sign == "," else ","
    if count > 1 or (len(after) == 3 and before != "0"):
        return other
    return sign
