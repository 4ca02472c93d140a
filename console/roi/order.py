"""The order that rows are asked for in. Pure."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def in_order(rows: Iterable[T], key: Callable[[T], Any], *, down: bool) -> list[T]:
    """The rows by `key`, the largest first if `down`. What is unknown (None) can't be sorted, and stands last."""
    keyed = [(key(row), row) for row in rows]
    known = sorted(((value, row) for value, row in keyed if value is not None), key=lambda one: one[0], reverse=down)
    return [row for _, row in known] + [row for value, row in keyed if value is None]
