"""Translations: every message is there in every language, says the same things, and none is left over."""

import re

import pytest
from flask import Flask
from flask_babel import Babel

from console.errors import InvalidError
from console.setup.schemas import DatasetSchema, load
from console.web.language import FOLDER, LANGUAGES, _Domain, catalogs, translations
from console.web.said import said
from shared.domain.alerts import in_words
from shared.domain.reasons import explain
from shared.domain.sentences import sentence, together
from tests.unit.console.web.messages import messages

OTHERS = sorted(set(LANGUAGES) - {"en"})
_PLACE = re.compile(r"%\(\w+\)s|`[^`]*`|\{[^}]*\}|\bctwa [a-z-]+(?: [a-z-]+)?|--[a-z-]+")


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


def test_a_sentence_is_said_with_its_values_in_the_language_of_the_page():
    app = Flask(__name__)
    Babel(app, locale_selector=lambda: "es").domain_instance = _Domain()
    finding = sentence("Dataset {name} is paused: {words}", name="Team", words=explain("token").words)
    with app.test_request_context():
        assert said(finding) == "El conjunto de datos Team está en pausa: Meta no acepta el token."
        assert said(together(finding, explain("answered_503").words)).endswith("respondió 503 en lugar de 2xx.")
        assert said(in_words("dataset_paused", "dataset:Team", {"reason": "by_hand"})).endswith(
            "está en pausa: Alguien pausó este conjunto de datos."
        )
        with pytest.raises(InvalidError) as refused:
            load(DatasetSchema, {"name": "shop", "meta_id": "x1"}, what=sentence("This dataset"))
        assert str(refused.value) == "This dataset can't be used:\n  meta_id: must be Meta's numeric id, digits only"
        assert said(refused.value.args[0]) == (
            "No se puede usar (Este conjunto de datos):\n  meta_id: debe ser el id numérico de Meta, solo dígitos"
        )
        assert said("nothing of ours") == "nothing of ours"
        assert said(None) == ""
