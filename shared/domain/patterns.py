"""Regular expressions that a person writes, in bounded time: RE2, https://github.com/google/re2/wiki/Syntax. Pure.

RE2 takes time in proportion to text and pattern, whatever both are. So both are bounded here: a pattern by its length
and by the memory of its program, a text by its length.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import re2

MAX_PATTERN = 300
MAX_PROGRAM = 128 * 1024
#: What of a text a pattern sees. WhatsApp's own limit is 4,096 characters.
MAX_TEXT = 4_096

#: What people of other dialects write, and what to say of it.
_FOREIGN = {
    "invalid perl operator: (?=": "look-ahead (?=…) doesn't exist here",
    "invalid perl operator: (?!": "look-ahead (?!…) doesn't exist here",
    "invalid perl operator: (?<": "look-behind and named groups (?<…) don't exist here; a named group is (?P<name>…)",
    "invalid escape sequence: \\": "a backslash before a digit or letter without a meaning: back-references such as"
    " \\1 don't exist here",
    "bad repetition operator: ": "two repetitions in a row",
    "invalid repetition size: ": "a repetition may count to 1000 at most",
    "pattern too large": "it repeats too much: use smaller counts, or * instead of a count",
    "missing )": "a bracket ( is never closed",
    "unexpected )": "a bracket ) was never opened",
    "missing ]": "a bracket [ is never closed",
    "no argument for repetition operator: ": "a repetition (* + ?) with nothing before it",
    "trailing \\": "a lone backslash at its end",
}


class PatternError(ValueError):
    """A pattern can't be used; the text says why, in a person's words, and what RE2 said."""


@dataclass(frozen=True)
class Pattern:
    """A pattern that compiles. Capitals and small letters are the same to it, unless it says `(?-i)`."""

    written: str
    _program: Any = field(repr=False, compare=False)

    def find(self, text: str) -> str | None:
        """What the group `value` matched, else the first group, else all of it; None if it doesn't match."""
        match = self._program.search(text[:MAX_TEXT])
        if match is None:
            return None
        named = match.groupdict().get("value")
        groups = match.groups()
        found = named if named is not None else next((group for group in groups if group is not None), None)
        return found if groups else match[0]


@lru_cache(maxsize=1_024)
def compile_pattern(written: str) -> Pattern:
    """The pattern. Raises PatternError."""
    if not written:
        raise PatternError("a pattern can't be empty")
    if len(written) > MAX_PATTERN:
        raise PatternError(f"a pattern has at most {MAX_PATTERN} characters")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MAX_PROGRAM
    try:
        return Pattern(written, re2.compile(written, options))
    except (re2.error, UnicodeError) as error:
        raise PatternError(_explain(error)) from None


def _explain(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    words = next((words for start, words in _FOREIGN.items() if text.startswith(start)), None)
    return f"{words} (RE2: {text})" if words else f"RE2 can't read it: {text}"
