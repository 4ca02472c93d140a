"""Translations: every message is there in every language, says the same things, and none is left over."""

import re

import pytest

from console.web.language import FOLDER, LANGUAGES, catalogs, translations
from tests.unit.console.web.messages import messages

OTHERS = sorted(set(LANGUAGES) - {"en"})
_PLACE = re.compile(r"%\(\w+\)s|`[^`]*`")


def texts(message):
    return [message] if isinstance(message, str) else list(message)


@pytest.mark.parametrize("locale", OTHERS)
def test_every_message_is_translated_once_and_none_is_left_over(locale):
    there = [message for catalog in catalogs(locale) for message in catalog if message.id]
    ids = [message.id for message in there]
    wanted = messages()
    assert [message for message in wanted if message not in ids] == [], (
        "write them into translations/<locale>/<area>.po"
    )
    assert [message for message in ids if message not in wanted] == [], "nothing says this any more"
    assert [message for message in ids if ids.count(message) > 1] == [], "two areas have it: keep one"
    assert [message.id for message in there if message.fuzzy or not all(texts(message.string))] == []


@pytest.mark.parametrize("locale", OTHERS)
def test_a_translation_has_the_places_and_the_commands_of_its_message(locale):
    for catalog in catalogs(locale):
        for message in catalog:
            for text in texts(message.string) if message.id else []:
                assert sorted(_PLACE.findall(text)) == sorted(_PLACE.findall(texts(message.id)[-1])), message.id


def test_a_language_has_a_folder_and_a_folder_a_language():
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == OTHERS


@pytest.mark.parametrize(("locale", "text"), [("en", "Log in"), ("pt_BR", "Entrar"), ("es", "Iniciar sesión")])
def test_a_page_reads_what_the_files_say(locale, text):
    assert translations(locale).gettext("Log in") == text
    assert translations(locale).gettext("no such message") == "no such message"
