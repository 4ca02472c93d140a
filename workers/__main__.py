"""`python -m workers worker …` and `… beat …`: these two commands of Celery, with all their options, on our apps.

The `celery` command itself loads a dozen others and Flower into every process: a third of what a worker takes to start,
and 11 MiB that it keeps.
"""

import sys
from importlib import import_module

from celery.bin.base import CLIContext

from shared.settings import SettingsError

#: Where each command is, and its app. No other is imported: beat has none of the keys that workers need.
_COMMANDS = {
    "worker": ("celery.bin.worker", "workers.app"),
    "beat": ("celery.bin.beat", "workers.taskless"),
}


def main(name: str = "", *arguments: str) -> None:
    """Runs a command until it is told to stop; ends the process with its status."""
    if name not in _COMMANDS:
        sys.exit(f"Say which: python -m workers {' or '.join(_COMMANDS)}; --help after it lists its options.")
    command, app = _COMMANDS[name]
    try:
        about = CLIContext(app=import_module(app).app, no_color=True, workdir=None, quiet=True)
    except SettingsError as error:
        sys.exit(str(error))
    getattr(import_module(command), name).main(arguments, prog_name=f"python -m workers {name}", obj=about)


if __name__ == "__main__":
    main(*sys.argv[1:])
