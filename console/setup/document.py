"""The declarative file of `ctwa apply`: read, checked, and its secrets fetched from where it says they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from console.errors import InvalidError, flatten, invalid
from console.setup.schemas import DocumentSchema, TokenSchema, load
from shared.domain.rule_definitions import DefinitionError, check_definition

_SECTIONS = ("credentials", "datasets", "channels", "rules")


@dataclass(frozen=True, repr=False)
class Desired:
    """What a file says should be, by name: tokens, and only those fields of all others that it names."""

    credentials: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class _UniqueKeys(yaml.SafeLoader):
    """YAML that doesn't silently let the second of two equal keys win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, "the same key twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_document(path: Path, environ: Mapping[str, str]) -> Desired:
    """What the YAML or JSON file says. Raises InvalidError with everything that is wrong, each with its path."""
    return desired_of(read_file(path), environ, what=str(path))


def read_file(path: Path) -> Any:
    """What a YAML or JSON file holds. Raises InvalidError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path} can't be read ({type(error).__name__}).") from error
    return _parse(text, path)


def desired_of(document: Any, environ: Mapping[str, str], *, what: str = "The document") -> Desired:
    """The same for a document already parsed."""
    if not isinstance(document, Mapping):
        raise InvalidError(f"{what} must be a mapping of {', '.join(_SECTIONS)}.")
    loaded = load(DocumentSchema, document, what=what)
    problems: dict[str, str] = {}
    desired = Desired(
        credentials={
            name: _token(entry, environ, f"credentials.{name}", problems)
            for name, entry in loaded["credentials"].items()
        },
        datasets={name: _said(entry, document["datasets"][name]) for name, entry in loaded["datasets"].items()},
        channels={
            name: {
                **_said(entry, document["channels"][name]),
                "secrets": _secrets(entry, environ, f"channels.{name}", problems),
            }
            for name, entry in loaded["channels"].items()
        },
        rules={
            name: _rule(name, _said(entry, document["rules"][name]), problems)
            for name, entry in loaded["rules"].items()
        },
    )
    if problems:
        raise invalid(what, problems)
    return desired


def _parse(text: str, path: Path) -> Any:
    try:
        if path.suffix == ".json":
            return json.loads(text, object_pairs_hook=_unique_pairs)
        return yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InvalidError(f"{path}: {line}{error.problem}.") from None
    except yaml.YAMLError:
        raise InvalidError(f"{path} is not YAML.") from None
    except json.JSONDecodeError as error:
        raise InvalidError(f"{path}: line {error.lineno}: {error.msg}.") from None


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise InvalidError("The file has the same key twice in one object.")
    return dict(pairs)


def _said(entry: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """What the file names, as loaded: defaults stay out, so that they never overwrite what somebody set."""
    return {name: entry[name] for name in written if not name.startswith("secrets_")}


def _rule(name: str, said: dict[str, Any], problems: dict[str, str]) -> dict[str, Any]:
    """A rule with its definition in full, so that it can be compared with what there is."""
    try:
        written = check_definition({"when": said["when"], "then": said["then"]}).written
    except DefinitionError as error:
        problems.update(
            {f"rules.{name}.{line.partition(': ')[0]}": line.partition(": ")[2] for line in flatten(error.problems)}
        )
        return said
    return {**said, "when": written["when"], "then": written["then"]}


def _token(entry: Mapping[str, str], environ: Mapping[str, str], path: str, problems: dict[str, str]) -> str:
    name = "token_env" if "token_env" in entry else "token_file"
    token = _fetch(name.removeprefix("token_"), entry[name], environ, f"{path}.{name}", problems)
    if token:
        try:
            load(TokenSchema, {"name": "token", "token": token}, what="It")
        except InvalidError:
            problems[f"{path}.{name}"] = "what it holds is not a Meta access token"
    return token


def _secrets(
    entry: Mapping[str, Any], environ: Mapping[str, str], path: str, problems: dict[str, str]
) -> dict[str, str]:
    return {
        field_name: _fetch(kind, source, environ, f"{path}.secrets_{kind}.{field_name}", problems)
        for kind in ("env", "file")
        for field_name, source in entry.get(f"secrets_{kind}", {}).items()
    }


def _fetch(kind: str, source: str, environ: Mapping[str, str], path: str, problems: dict[str, str]) -> str:
    try:
        value = environ.get(source, "") if kind == "env" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems[path] = f"the file can't be read ({type(error).__name__})"
        return ""
    if not value.strip():
        problems[path] = f"the variable {source} is not set" if kind == "env" else "the file is empty"
    return value.strip()
