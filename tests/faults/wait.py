"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Late(AssertionError):
    """A condition did not come true in time; the text says which."""


def wait_until(what: str, condition: Callable[[], T], *, seconds: float = 30.0, every: float = 0.05) -> T:
    """The first true value of `condition`. Raises Late."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Late(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
    return value
