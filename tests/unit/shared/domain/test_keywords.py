"""Keywords: whole words, whatever their case and accents."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.keywords import fold, holds

WORDS = st.text(st.characters(categories=("Ll", "Lu"), max_codepoint=0x24F), min_size=1, max_size=12).filter(fold)


@pytest.mark.parametrize(
    ("text", "keyword", "found"),
    [
        ("Agendado!", "agendado", True),
        ("AGENDÁDO para amanhã", "agendado", True),
        ("sim", "sim", True),
        ("assim", "sim", False),
        ("sim-sim", "sim", True),
        ("assim, sim", "sim", True),
        ("Straße", "STRASSE", True),
        ("pago   com\npix", "pago com pix", True),
        ("order #42", "42", True),
        ("order 421", "42", False),
        ("จ่ายแล้วค่ะ", "จ่ายแล้ว", True),
        ("我已付款了", "付款", True),
        ("nothing", "", False),
    ],
)
def test_a_keyword_is_found_as_a_word_of_its_own(text: str, keyword: str, found: bool) -> None:
    assert holds(fold(text), fold(keyword)) is found


@given(WORDS, WORDS)
def test_case_accents_and_form_make_no_difference(word: str, other: str) -> None:
    for written in (word.upper(), word.lower(), unicodedata.normalize("NFD", word), f"{other} {word}, {other}"):
        assert holds(fold(written), fold(word)) or fold(word) != fold(word.upper()) != fold(word.lower())


@given(st.text(max_size=200))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
