"""Code that Python itself runs at the start of a product's process: how a scenario gets inside without product code.

Python imports `sitecustomize` from the folders of PYTHONPATH before the program. What is written there may wrap the
product's own functions; the product has no hook, and knows nothing of it.
"""

from tests.faults.run import Run

_CRASH = """
import itertools, os, random, signal
from {module} import {owner}

calls, last = itertools.count(1), random.SystemRandom().randint(2, {calls})

def deadly(function):
    def wrapped(*given, **named):
        {before}
        result = function(*given, **named)
        {after}
        return result
    return wrapped

def crash():
    if next(calls) >= last:
        with open("crashes", "a") as file:
            file.write("{point}\\n")
        os.kill(os.getpid(), signal.SIGKILL)

{owner}.{function} = deadly({owner}.{function})
"""

_CLOCK = """
from datetime import UTC, datetime, timedelta
import time_machine

time_machine.travel(datetime.now(UTC) + timedelta(seconds={seconds}), tick=True).start()
"""


def give_crash(run: Run, process: str, *, point: str, target: str, before: bool = False, calls: int = 8) -> None:
    """Has a process kill itself at one of its first `calls` calls of `target`, before or after it.

    It is named "package.module:function" or "package.module:Class.method". Each crash leaves a line in the file
    `crashes` of the state folder.
    """
    place, _, function = target.partition(":")
    if "." in function:
        (module, owner), function = (place, function.partition(".")[0]), function.partition(".")[2]
    else:
        module, _, owner = place.rpartition(".")
    text = _CRASH.format(
        module=module,
        owner=owner,
        function=function,
        point=point,
        calls=calls,
        before="crash()" if before else "pass",
        after="pass" if before else "crash()",
    )
    give(run, process, text)


def give_clock(run: Run, process: str, *, seconds: int) -> None:
    """Moves the clock of a process."""
    give(run, process, _CLOCK.format(seconds=seconds))


def give(run: Run, process: str, text: str) -> None:
    """Has Python run this text at the start of the process and of whatever it starts."""
    folder = run.state_dir / f"saboteur-{process}"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(text)
    run.give(process, PYTHONPATH=str(folder))


def crashes(run: Run) -> int:
    """How often a process has killed itself."""
    path = run.state_dir / "crashes"
    return len(path.read_text().splitlines()) if path.exists() else 0
