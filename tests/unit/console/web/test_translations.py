"""Translations: the files that are there can be read."""

import pytest

from console.web.language import LANGUAGES, translations


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_language_can_be_loaded(locale):
    assert translations(locale).gettext("") is not None
