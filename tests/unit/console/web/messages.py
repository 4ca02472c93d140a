"""Every message that people see in the console, found in templates and code."""

from collections.abc import Iterable
from pathlib import Path

from babel.messages.extract import extract_from_file

ROOT = Path(__file__).parents[4]
_KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "N_": None, "ngettext": (1, 2)}
_OPTIONS = {"trimmed": "true"}

#: A message, or its singular and plural.
Message = str | tuple[str, str]


def messages() -> dict[Message, list[str]]:
    """Each message with the files it is in."""
    found: dict[Message, list[str]] = {}
    for path in _sources():
        method = "jinja2" if path.suffix == ".html" else "python"
        for _, message, _, _ in extract_from_file(method, path, keywords=_KEYWORDS, options=_OPTIONS):
            found.setdefault(tuple(message[:2]) if isinstance(message, tuple) else message, []).append(path.name)
    return found


def _sources() -> Iterable[Path]:
    yield from sorted((ROOT / "console" / "web" / "templates").rglob("*.html"))
    yield from sorted((ROOT / "console" / "web").glob("*.py"))
    yield from sorted((ROOT / "console" / "team").glob("*.py"))
