"""Says in the page's language what the rest of the product says in English: reasons, next steps, findings, alerts."""

from flask import Flask
from flask_babel import gettext

from shared.domain.sentences import Sentence, filled


def install(app: Flask) -> None:
    """The filter `said` of templates."""
    app.jinja_env.filters["said"] = said


def said(text: str | None) -> str:
    """`text` in the language of the page; what has no translation, such as a name, as it is. '' for None."""
    if isinstance(text, Sentence):
        values = {name: said(value) if isinstance(value, Sentence) else value for name, value in text.values.items()}
        return filled(gettext(text.template), values)
    return gettext(text) if text else ""
