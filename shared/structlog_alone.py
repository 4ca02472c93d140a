"""structlog without what it imports for colourful tracebacks, which no process of ours prints.

structlog takes rich where it is installed, and rich is 90 modules with Pygments and attrs: 3 to 4 MiB in each process,
and a tenth of what it takes to start. `None` in `sys.modules` is Python's own way to say that a module isn't to be
found (https://docs.python.org/3/reference/import.html#the-module-cache); it is said while structlog is imported, and
then taken back, for the command line draws its tables with rich.
"""

import importlib
import sys
from types import ModuleType


def _without(hidden: str, name: str) -> ModuleType:
    """The module `name`, which won't find `hidden` while it is imported, unless that is loaded already."""
    if hidden in sys.modules:
        return importlib.import_module(name)
    sys.modules[hidden] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[hidden]


structlog = _without("rich", "structlog")
