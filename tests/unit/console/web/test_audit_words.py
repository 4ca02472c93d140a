"""Every action that is written into the audit log has words."""

import ast
from collections.abc import Iterator
from pathlib import Path

from flask import Flask
from flask_babel import Babel

from console.web.audit_words import ACTIONS, detail_words
from console.web.language import _Domain

ROOT = Path(__file__).parents[4]
#: What writes a line, itself or by a helper beside it, and at which place it takes the action.
_WRITERS = {"record": None, "_record": 2, "_audit": 2, "_write_down": 1, "_change": 2}
#: What requests may be handed over by, which end in how they came.
_PATHS = ("contacts/stage", "contacts/tags", "contacts/consent", "conversions", "touchpoints")
#: Actions that are put together.
_MADE = {f"{path}.{how}" for path in _PATHS for how in ("import", "set")} | {
    "spend.import", "spend.add", "first owner created", "invitation accepted",
}  # fmt: skip
#: A probe's result, which its own `_record` keeps.
_NO_ACTIONS = {"ok"}


def written() -> Iterator[str]:
    for folder in ("console", "workers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    yield from _actions(node)


def _actions(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in _WRITERS:
        return
    given = [word.value for word in call.keywords if word.arg == "action"]
    place = _WRITERS[name]
    if place is not None and len(call.args) > place:
        given.append(call.args[place])
    for value in given:
        for part in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def test_every_action_has_words_and_none_is_left_over():
    assert sorted(set(written()) - _NO_ACTIONS | _MADE) == sorted(ACTIONS)


def test_details_are_said_as_words_and_not_as_python_writes_them():
    app = Flask(__name__)
    Babel(app, locale_selector=lambda: "es").domain_instance = _Domain()
    with app.test_request_context():
        assert [detail_words(value) for value in (None, True, False, [], "x", 3)] == ["–", "sí", "no", "–", "x", "3"]
        assert detail_words(["a", None]) == "a, –"
        assert detail_words({"sent_at": None, "rows": {"messages": 2}}) == "sent at: –; rows: messages: 2"
