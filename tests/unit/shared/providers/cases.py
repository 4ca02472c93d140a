"""The fixtures and samples of all providers, for tests that run over every one of them."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from shared.providers import PROVIDERS

ROOT = Path(__file__).parents[4]
FIXTURES = ROOT / "tests/fixtures/providers"
SAMPLES = ROOT / "shared/providers/samples"
EXPECTED = ".expected.json"


@cache
def bodies() -> dict[str, Path]:
    """Return every case's body file by `<provider>/<case>`."""
    return {
        f"{name}/{path.stem}": path
        for name in PROVIDERS
        for folder in (FIXTURES / name, SAMPLES / name)
        for path in sorted(folder.iterdir())
        if not path.name.endswith(EXPECTED)
    }


def provider_of(case: str) -> str:
    return case.partition("/")[0]


def expected_of(case: str) -> Path:
    return FIXTURES / f"{case}{EXPECTED}"


def values_at(node: Any, path: str) -> Iterator[Any]:
    """Yield what lies at a dotted path, where `*` is every item of a list, or every value of an object."""
    step, _, rest = path.partition(".")
    found: list[Any] = []
    if step == "*":
        found = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    elif isinstance(node, dict) and step in node:
        found = [node[step]]
    for value in found:
        if rest:
            yield from values_at(value, rest)
        else:
            yield value


def click_ids_at(paths: tuple[str, ...], body: Any) -> set[str]:
    """Return the texts at the places where a provider's table says that click ids are."""
    return {value.strip() for path in paths for value in values_at(body, path) if isinstance(value, str)}


def all_keys(node: Any) -> set[str]:
    """Return every key of every object in a JSON value."""
    if isinstance(node, dict):
        return set(node) | {key for value in node.values() for key in all_keys(value)}
    return {key for item in node for key in all_keys(item)} if isinstance(node, list) else set()


def every_change(body: Any, replacements: tuple[Any, ...]) -> Iterator[Any]:
    """Yield the body with each single node dropped, or replaced by each of the replacements.

    The same object is changed and restored between the yields.
    """
    for holder, key in list(_places(body)):
        kept = holder[key]
        for replacement in replacements:
            holder[key] = replacement
            yield body
        if isinstance(holder, dict):
            before = dict(holder)
            del holder[key]
            yield body
            holder.clear()
            holder.update(before)
        else:
            del holder[key]
            yield body
            holder.insert(key, kept)
        holder[key] = kept


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    for key in keys:
        yield node, key
        yield from _places(node[key])


def json_cases() -> list[str]:
    return [case for case, path in bodies().items() if path.suffix == ".json"]


def load(case: str) -> Any:
    return json.loads(bodies()[case].read_text("utf-8"))
