"""Whether a text holds a keyword: as a word of its own, whatever its case and accents. Pure."""

import unicodedata

_LONGEST_FOLD = 8_192


def fold(text: str) -> str:
    """The text without case, accents and runs of blanks: `  CONFIRMAÇÃO ` is `confirmacao`."""
    spread = unicodedata.normalize("NFKD", text[:_LONGEST_FOLD]).casefold()
    bare = "".join(char for char in unicodedata.normalize("NFKD", spread) if not unicodedata.combining(char))
    return " ".join(bare.split())


def holds(folded: str, keyword: str) -> bool:
    """Whether a folded text holds a folded keyword, not as a part of a longer word.

    Scripts that have no capital letters (Thai, Chinese, Arabic) write words together, so there a part is enough.
    """
    if not keyword:
        return False
    start = folded.find(keyword)
    while start >= 0:
        end = start + len(keyword)
        before = folded[start - 1] if start else " "
        after = folded[end] if end < len(folded) else " "
        if not (_joined(before, keyword[0]) or _joined(keyword[-1], after)):
            return True
        start = folded.find(keyword, start + 1)
    return False


def _joined(left: str, right: str) -> bool:
    """Whether two neighbours belong to one word."""
    return _is_of_a_word(left) and _is_of_a_word(right)


def _is_of_a_word(char: str) -> bool:
    return char.isdigit() or char == "_" or char.lower() != char.upper()
