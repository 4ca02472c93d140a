"""Patterns that people write: explained when they are wrong, and bounded whatever they are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.patterns import MAX_PATTERN, MAX_TEXT, PatternError, compile_pattern

#: Patterns on which backtracking engines take longer than the universe has.
HOSTILE = ("(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*)*x", "(.*a){12}", "(x+x+)+y", "([a-z]+)*1", "^(([a-z])+.)+[A-Z]$")
PIECES = st.lists(
    st.sampled_from(
        ["a", "b", ".", "*", "+", "?", "(", ")", "[", "]", "|", "{2,9}", "{99}", "\\d", "\\w", "^", "$", "\\", "é"]
    ),
    max_size=40,
).map("".join)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"total:? *R\$ *([0-9.,]+)", "TOTAL: R$ 1.234,56 hoje", "1.234,56"),
        (r"(?P<value>\d+) of (\d+)", "3 of 5", "3"),
        (r"(\d+)|x", "x", None),
        (r"pedido\s+#\d+", "Pedido  #42", "Pedido  #42"),
        (r"(?-i)OK", "ok", None),
        ("ação", "AÇÃO", "AÇÃO"),
    ],
)
def test_a_pattern_finds_its_group_or_all_of_it(pattern: str, text: str, found: str | None) -> None:
    assert compile_pattern(pattern).find(text) == found


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(abc", "never closed"),
        ("abc)", "never opened"),
        ("(?=x)", "look-ahead"),
        ("(?<!x)y", "look-behind"),
        (r"(a)\1", "back-references"),
        ("a**", "two repetitions"),
        ("x{2000}", "1000 at most"),
        ("*", "nothing before it"),
        ("[z-a]", "range"),
        (r"(\pL+\s+){50}", "repeats too much"),
        ("", "empty"),
        ("x" * (MAX_PATTERN + 1), f"{MAX_PATTERN} characters"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_explained(pattern: str, words: str) -> None:
    with pytest.raises(PatternError, match=words):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", HOSTILE)
@pytest.mark.parametrize("text", ["a" * 100_000 + "!", "x" * 100_000, "ab" * 50_000])
def test_a_hostile_pattern_ends(pattern: str, text: str) -> None:
    compile_pattern(pattern).find(text)


@settings(deadline=None)
@given(PIECES, st.text(st.sampled_from("ab1 é\n"), max_size=60))
def test_any_pattern_is_refused_in_words_or_ends(pattern: str, seed: str) -> None:
    try:
        compiled = compile_pattern(pattern)
    except PatternError:
        return
    text = (seed or "a") * (MAX_TEXT // max(1, len(seed)))
    found = compiled.find(text)
    assert found is None or found in text
