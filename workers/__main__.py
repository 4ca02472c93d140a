"""`python -m workers worker …`, `beat …`, `flower …`: these commands of Celery, with all their options, on our apps;
and `python -m workers sweeper`, which is none of them.

The `celery` command itself loads a dozen others, Flower and a REPL into every process: a third of what a worker takes
to start, and 11 MiB that it keeps.
"""

import sys

from click import Group

from shared.imports import import_uncollected, import_without, load_program
from shared.settings import SettingsError

#: Where each command is, and its app. No other is imported: beat and Flower have none of the keys that workers need.
_COMMANDS = {
    "worker": ("celery.bin.worker", "workers.app"),
    "beat": ("celery.bin.beat", "workers.taskless"),
    "flower": ("flower.command", "workers.taskless"),
}


def main(name: str = "", *arguments: str) -> None:
    """Runs a command until it is told to stop; ends the process with its status."""
    try:
        if name in _COMMANDS:
            _run(name, arguments)
        elif name == "sweeper":
            load_program("workers.sweeper").main()
        else:
            names = ", ".join(_COMMANDS)
            sys.exit(f"Say which: python -m workers {names} or sweeper; --help after the first three lists options.")
    except SettingsError as error:
        sys.exit(str(error))


def _run(name: str, arguments: tuple[str, ...]) -> None:
    module, app = _COMMANDS[name]
    about = load_program(app).app
    # It takes Pygments, where that is installed, for what `celery shell` and such print.
    context = import_without("pygments", "celery.bin.base").CLIContext(
        app=about, no_color=True, workdir=None, quiet=True
    )
    command = getattr(import_uncollected(module), name)
    # Flower looks at the options of the command above it.
    Group(commands={name: command}).main([name, *arguments], prog_name="python -m workers", obj=context)


if __name__ == "__main__":
    main(*sys.argv[1:])
