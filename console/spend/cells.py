"""Numbers and dates as people and spreadsheets write them. Pure.

`1.234` can be a thousand or one and a bit, `03/04/2026` March or April. What a file's other cells say decides; where
none does, the cell is refused rather than guessed.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

#: A longer cell is no number and no date.
_LONGEST = 100
#: Of a count; more fit into no column.
_MOST_DIGITS = 15

_SPACES = re.compile(r"[\s\u00a0\u202f'’]")
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+")
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_WORDED = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y")


class CellError(ValueError):
    """A cell that can't be read; the text is a reason code."""


def decimal_mark(texts: Iterable[str]) -> str | None:
    """`.` or `,`, as the cells of a column show it; None when none shows it. CellError when they contradict."""
    marks = {mark for text in texts if (mark := _mark_of(text)) is not None}
    if len(marks) > 1:
        raise CellError("number_formats_mixed")
    return marks.pop() if marks else None


def read_money(text: str, mark: str | None) -> Decimal:
    """An amount. Raises CellError: `number_invalid`, `number_ambiguous`, `number_negative`."""
    bare = _bare(text)
    if bare.startswith("-"):
        raise CellError("number_negative")
    if not _NUMBER.fullmatch(bare):
        raise CellError("number_invalid")
    shown = _mark_of(bare) or mark
    if shown is None and ("." in bare or "," in bare):
        raise CellError("number_ambiguous")
    thousands = {".": ",", ",": "."}.get(shown or "", "")
    plain = bare.replace(thousands, "") if thousands else bare
    if shown and plain.count(shown) > 1:
        raise CellError("number_invalid")
    amount = Decimal(plain.replace(",", "."))
    if amount >= 10**12:
        raise CellError("number_invalid")
    return amount


def read_count(text: str) -> int | None:
    """A whole number, however its thousands are set apart; None for an empty cell. Raises CellError."""
    bare = _bare(text)
    if not bare or bare in ("-", "–", "—"):
        return None
    bare = re.sub(r"[.,]0{1,2}$", "", bare) if not re.search(r"[.,][0-9]{3}$", bare) else bare
    digits = re.sub("[.,]", "", bare)
    if not re.fullmatch(r"[0-9]{1,3}(?:[.,][0-9]{3})+|[0-9]+", bare) or len(digits) > _MOST_DIGITS:
        raise CellError("number_invalid")
    return int(digits)


def date_order(texts: Iterable[str]) -> str | None:
    """`dmy` or `mdy`, as the cells with slashes show it; None when none shows it. CellError when they contradict."""
    orders = set()
    for text in texts:
        if match := _SLASHED.fullmatch(text.strip()):
            first, second = int(match[1]), int(match[2])
            orders |= {"dmy"} if first > 12 else {"mdy"} if second > 12 else set()
    if len(orders) > 1:
        raise CellError("date_formats_mixed")
    return orders.pop() if orders else None


def read_date(text: str, order: str | None) -> date:
    """A day. Raises CellError: `date_invalid`, `date_ambiguous`."""
    text = text.strip()
    if len(text) > _LONGEST:
        raise CellError("date_invalid")
    if match := _DOTTED.fullmatch(text):
        return _day(match[3], match[2], match[1])
    if match := _SLASHED.fullmatch(text):
        if match[1] != match[2] and order is None:
            raise CellError("date_ambiguous")
        return _day(match[3], match[1], match[2]) if order == "mdy" else _day(match[3], match[2], match[1])
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}(?:[T ]00:00(?::00)?)?", text):
        return _day(*text[:10].split("-"))
    for form in _WORDED:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 (a day has no zone)
        except ValueError:
            continue
    raise CellError("date_invalid")


def _mark_of(text: str) -> str | None:
    """The decimal mark that a number shows by itself: two kinds of mark, a leading zero, or other than 3 digits."""
    bare = _bare(text)
    marks = re.findall("[.,]", bare)
    if not marks or not _NUMBER.fullmatch(bare):
        return None
    if len(set(marks)) == 2:
        return marks[-1] if marks.count(marks[-1]) == 1 else None
    if len(marks) > 1:
        return "," if marks[0] == "." else "."
    before, after = re.split("[.,]", bare)
    is_plain = len(after) != 3 or len(before) > 3 or before in ("", "0")
    return marks[0] if is_plain else None


def _bare(text: str) -> str:
    """Without spaces, apostrophes and a currency's sign or code around it; `?` for what is too long to be a number."""
    # Somebody else's file: what ends in `+$` takes time by the square of a cell's length.
    if len(text) > _LONGEST:
        return "?"
    return re.sub(r"^[^\d.,\-]+|[^\d.,]+$", "", _SPACES.sub("", text))


def _day(year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise CellError("date_invalid") from None
