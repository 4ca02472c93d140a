"""What can go wrong for reasons a person can mend. The texts say what to do, and hold no secret."""

from collections.abc import Mapping, Sequence

from shared.domain.sentences import Sentence, sentence, together


class ConsoleError(Exception):
    """Something a person asked for can't be done; the message says why and what to do."""


class InvalidError(ConsoleError):
    """What was given can't be used."""


class NotFoundError(ConsoleError):
    """There is nothing of that name or id."""


class ConflictError(ConsoleError):
    """What is there already stands against it."""


class UnavailableError(ConsoleError):
    """Something needed is away or not ready: the database, a receiver, a key."""


def invalid(what: str, messages: Mapping[str, object]) -> InvalidError:
    """An error that lists all that is wrong, each with its path; `messages` as marshmallow gives them."""
    return InvalidError(listed(sentence("{what} can't be used:", what=what), flatten(messages)))


def listed(head: str, lines: Sequence[str]) -> Sentence:
    """A text with lines below it, each of which a page can say in its own language."""
    values = {"head": head} | {f"line{number}": line for number, line in enumerate(lines)}
    return Sentence.of("\n  ".join(f"{{{name}}}" for name in values), values)


def flatten(messages: Mapping[str, object], path: str = "") -> list[Sentence]:
    """`datasets.acme.meta_id: must be digits` for every message in a nested report of marshmallow's."""
    lines: list[Sentence] = []
    for name, value in messages.items():
        here = path if name in ("_schema", "value") else f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping):
            lines.extend(flatten(value, here))
        elif isinstance(value, Sequence) and not isinstance(value, str):
            lines.append(_line(here, value))
        else:
            lines.append(_line(here, [value]))
    return lines


def _line(path: str, texts: Sequence[object]) -> Sentence:
    said = together(*(text if isinstance(text, Sentence) else Sentence.of(str(text), {}) for text in texts))
    return Sentence.of("{path}: {text}", {"path": path, "text": said}) if path else said
