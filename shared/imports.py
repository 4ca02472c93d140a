"""How our programs import what they are made of: a thousand modules each, which is most of what a start takes."""

import gc
import importlib
import sys
from types import ModuleType


def load_program(name: str) -> ModuleType:
    """The module of a long-lived program, by its name; what it imports is for good.

    kombu doesn't find PyYAML, which it takes where it is installed, for messages that nobody sends: ours are JSON.
    """
    import_without("yaml", "kombu.serialization")
    return import_uncollected(name)


def import_uncollected(name: str) -> ModuleType:
    """The module `name`, imported with no garbage collection meanwhile, and left out of the later ones.

    Modules are not garbage: collections while they come go through all that came before, again and again, for nothing.
    """
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def import_without(hidden: str, name: str) -> ModuleType:
    """The module `name`, which won't find `hidden` while it is imported, unless that is loaded already.

    `None` in `sys.modules` is Python's own way to say that a module isn't to be found
    (https://docs.python.org/3/reference/import.html#the-module-cache). It is taken back, for others may need it.
    """
    if hidden in sys.modules:
        return importlib.import_module(name)
    sys.modules[hidden] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[hidden]
