"""Texts in CSV files: what a spreadsheet would run as a formula is made plain text."""

#: What a spreadsheet takes for the beginning of a formula (https://owasp.org/www-community/attacks/CSV_Injection), also
#: in full width, as people write who write Japanese or Chinese.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def plain_text(text: str) -> str:
    """The text as a cell; one that begins like a formula gets an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULAS) else text
