"""Sentences with places in them: English text that a page can say in another language. Pure."""

from collections.abc import Mapping
from typing import Any, Self


class Sentence(str):
    """The English text, which is all that a command, a log or JSON needs; and what it was made of.

    `template` has named places, `values` fill them; a value may be a sentence in its turn.
    """

    template: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, template: str, values: Mapping[str, Any]) -> Self:
        text = cls(filled(template, values))
        text.template, text.values = template, values
        return text


def sentence(template: str, /, **values: Any) -> Sentence:
    """`template` with its places filled. Without values it may hold braces, and is taken as it stands.

    Whoever collects what has to be translated looks for calls of this function.
    """
    return template if isinstance(template, Sentence) else Sentence.of(template, values)


def together(*texts: str) -> Sentence:
    """Several sentences, one after another; those that are empty are left out."""
    parts = {f"part{number}": text for number, text in enumerate(texts) if text}
    return Sentence.of(" ".join(f"{{{name}}}" for name in parts), parts)


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The text of a template; a place without a value shows as a question mark."""
    return template.format_map(_Blanks(values)) if values else template


class _Blanks(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"
