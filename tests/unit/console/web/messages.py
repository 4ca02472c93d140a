"""Every message that people see in the console, found in templates and code."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.extract import extract_from_file

from console.doctor.hints import HINTS
from shared.capi import verdicts
from shared.capi.verdicts import Meaning
from shared.domain import reasons
from shared.domain.alerts import KINDS
from shared.providers import PROVIDERS
from shared.providers.reasons import IGNORED

ROOT = Path(__file__).parents[4]
_KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "N_": None, "ngettext": (1, 2), "sentence": (1,)}
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
    for message in tables():
        found.setdefault(message, []).append("a table")
    return found


def tables() -> Iterator[str]:
    """Every text of the tables that pages show: reasons, Meta's codes, alerts, hints, what is left out of webhooks."""
    told = [
        *reasons.REASONS.values(), reasons.UNKNOWN, *verdicts.CODES.values(), *verdicts.SUBCODES_OF_100.values(),
        *(meaning for _, meaning in verdicts.RANGES),
        *(meaning for meaning in vars(verdicts).values() if isinstance(meaning, Meaning)),
    ]  # fmt: skip
    for one in told:
        yield from (one.words, one.next_step)
    yield from (*reasons.ANSWERED.values(), reasons.OTHER_SIDE, *IGNORED.values())
    for kind in KINDS.values():
        yield from filter(None, (kind.title, kind.words, kind.next_step, kind.unit))
    for hints in HINTS.values():
        fields = (hints.where, hints.subscribe, hints.without_click_id, hints.twice, hints.undecrypted)
        yield from filter(None, fields)

    for provider in PROVIDERS.values():
        yield from (field.help for field in provider.secret_fields)


def _sources() -> Iterable[Path]:
    yield from sorted((ROOT / "console" / "web" / "templates").rglob("*.html"))
    yield from sorted((ROOT / "console" / "web").glob("*.py"))
    yield from sorted((ROOT / "console" / "team").glob("*.py"))
    yield from sorted((ROOT / "console" / "doctor").glob("*.py"))
    yield from sorted((ROOT / "console" / "spend").glob("*.py"))
    yield from (ROOT / "console" / "trace.py", ROOT / "console" / "preview.py", ROOT / "console" / "workspaces.py")
    yield from (ROOT / "console" / "errors.py", ROOT / "console" / "rules.py")
    yield from sorted((ROOT / "console" / "setup").glob("*.py"))
    yield from sorted((ROOT / "shared" / "domain").rglob("*.py"))
