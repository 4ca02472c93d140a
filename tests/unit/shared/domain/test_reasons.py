from pathlib import Path

import pytest

from shared.capi.verdicts import CODES, RANGES, SUBCODES_OF_100, PauseReason
from shared.domain.catalogue import catalogue
from shared.domain.reasons import PAUSES, REASONS, TABLES, explain

ROOT = Path(__file__).parents[4]


def all_codes() -> list[str]:
    meta = [f"meta_{code}" for code in CODES] + [f"meta_{code}" for codes, _ in RANGES for code in codes]
    return [*REASONS, *meta, *(f"meta_100_{subcode}" for subcode in SUBCODES_OF_100)]


def test_every_code_has_words_and_a_next_step() -> None:
    for code in all_codes():
        reason = explain(code)
        assert reason.words.endswith("."), code
        assert reason.next_step.endswith("."), code
        assert "|" not in reason.words + reason.next_step, code


def test_no_code_stands_in_two_tables_with_different_words() -> None:
    for table in TABLES:
        for code, reason in table.items():
            assert REASONS[code] == reason, code


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("meta_190_463", "access token"),
        ("meta_100_2804999", "refused a parameter"),
        ("meta_100", "refused a parameter"),
        ("meta_123456", "not seen before"),
        ("meta_80004_2446079", "request limit"),
        ("meta_x", "not known"),
        ("", "not known"),
    ],
)
def test_a_code_without_a_row_of_its_own_is_explained_all_the_same(code: str, words: str) -> None:
    assert words in explain(code).words


def test_every_pause_is_explained() -> None:
    assert set(PauseReason) <= set(PAUSES)


def test_the_catalogue_in_the_docs_is_current() -> None:
    page = (ROOT / "docs" / "error-catalogue.md").read_text()
    assert page == catalogue(), "run: python -m shared.domain.catalogue > docs/error-catalogue.md"
