"""What can go wrong for reasons a person can mend. The texts say what to do, and hold no secret."""

from collections.abc import Mapping, Sequence


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
    return InvalidError(f"{what} can't be used:\n" + "\n".join(f"  {line}" for line in flatten(messages)))


def flatten(messages: Mapping[str, object], path: str = "") -> list[str]:
    """`datasets.acme.meta_id: must be digits` for every message in a nested report of marshmallow's."""
    lines: list[str] = []
    for name, value in messages.items():
        here = path if name in ("_schema", "value") else f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping):
            lines.extend(flatten(value, here))
        elif isinstance(value, Sequence) and not isinstance(value, str):
            lines.append(f"{here}: {' '.join(str(text) for text in value)}" if here else " ".join(map(str, value)))
        else:
            lines.append(f"{here}: {value}")
    return lines
