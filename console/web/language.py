"""Languages: which one a page comes in, and the translations, read from their .po files when the process starts.

Each area of the console has a file of its own in each language (translations/<locale>/<area>.po), so there is nothing
to compile and people who translate different areas don't meet. A test holds that no message is left out.
"""

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, request
from flask_babel import Babel, Domain, get_locale

#: Locale -> its name in its own language.
LANGUAGES = {"en": "English", "pt_BR": "Português (Brasil)", "es": "Español"}
FOLDER = Path(__file__).parent / "translations"
COOKIE = "ctwa-language"


class _Domain(Domain):  # type: ignore[misc]
    """Looks translations up in what was read from the .po files."""

    def get_translations(self) -> NullTranslations:
        return translations(str(get_locale()))


def install(app: Flask) -> None:
    """The person's own language, else the cookie's, else what the browser asks for."""
    babel = Babel(app, locale_selector=choose, timezone_selector=lambda: zone().key)
    babel.domain_instance = _Domain()
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    for locale in LANGUAGES:
        translations(locale)


def choose() -> str:
    """The locale of this page."""
    person = g.get("person")
    for wanted in (person.language if person else None, request.cookies.get(COOKIE)):
        if wanted in LANGUAGES:
            return str(wanted)
    tags = {"pt-BR": "pt_BR", "pt": "pt_BR", "es": "es", "en": "en"}
    return tags[request.accept_languages.best_match(tags, default="en")]


def zone() -> ZoneInfo:
    """The time zone that times on this page are told in."""
    person = g.get("person")
    return ZoneInfo(person.zone if person else "UTC")


@cache
def translations(locale: str) -> NullTranslations:
    """All areas of one language together; English has none, since messages are in it."""
    merged = Catalog(locale=locale)
    for catalog in catalogs(locale):
        for message in catalog:
            if message.id:
                merged.add(message.id, message.string, context=message.context)
    compiled = io.BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return Translations(compiled)


def catalogs(locale: str) -> Iterator[Catalog]:
    """What each file of one language holds."""
    for path in sorted((FOLDER / locale).glob("*.po")):
        with path.open("rb") as file:
            yield read_po(file, locale=locale)
