"""Start-up and footprint: how long the whole stack takes to be ready, and how much memory each process takes."""

import time

from tests.bench.harness import Figure
from tests.bench.results import Found, Part, Sizes, Table, Target
from tests.bench.usage import largest_mebibytes, mebibytes
from tests.e2e.local_stack import LocalStack, Sample

#: Webhooks posted before memory is looked at: a process that has done nothing is small.
_WORKED = 200


def run(sizes: Sizes) -> Found:
    """`ctwa up` on a folder that has been used before, some work, and a look at every process."""
    stack = LocalStack(sizes.folder / "stack")
    starts, memory = [], {}
    try:
        stack.up()
        for turn in range(sizes.rounds + 1):
            stack.down()
            began = time.monotonic()
            stack.up()
            starts.append(time.monotonic() - began)
            sizes.say(f"  start {turn + 1}: {starts[-1]:.1f} s")
        _work(stack)
        record = stack.record
        roots = {process.name: [process.pid] for process in record.processes}
        memory = {name: mebibytes(pids) for name, pids in roots.items()}
        largest = {name: largest_mebibytes(pids) for name, pids in roots.items()}
        supervisor = mebibytes([record.pid]) - sum(memory.values())
    finally:
        stack.down()
    whole = sum(memory.values()) + supervisor
    rows: list[list[str | Figure]] = [
        [name, f"{memory[name]:.0f}", f"{largest[name]:.0f}"] for name in sorted(memory, key=lambda one: -memory[one])
    ]
    rows += [["supervisor and launchers", f"{supervisor:.0f}", ""], ["all", f"{whole:.0f}", ""]]
    workers = max(largest["intake"], largest["sending"])
    return Found(
        sizes=f"{sizes.rounds + 1} warm starts; memory after {_WORKED} webhooks",
        tables=[Table(["process", "MiB (PSS, with its children)", "MiB of its largest process (RSS)"], rows)],
        targets=[
            Target("seconds from `ctwa up` to ready, warm", "at most", 5, Figure.of(starts), "s"),
            Target("receiver, one process", "at most", 80, Figure.of([largest["receiver"]]), "MiB"),
            Target("worker, largest process", "at most", 120, Figure.of([workers]), "MiB"),
            Target("whole stack", "at most", 700, Figure.of([whole]), "MiB"),
        ],
        units={f"{name} MiB": memory[name] for name in memory},
    )


def _work(stack: LocalStack) -> None:
    statuses = stack.post_at_once("demo-whapi", [Sample("whapi").body for _ in range(_WORKED)])
    assert set(statuses) == {200}
    deadline = time.monotonic() + 60
    while not stack.is_idle() and time.monotonic() < deadline:
        time.sleep(0.2)


PART = Part(
    name="footprint",
    title="Start-up and footprint",
    method="""
`ctwa up --detach` on a state folder that was used before, until it says that everything is ready: Postgres, Valkey,
migrations, receiver, workers, sweeper, beat, sandbox, Flower. Memory as PSS, in which pages that processes share
are divided among them, and the largest single process of each as RSS.
""",
    limits="""
Python's imports: seven interpreters start at once on the cores there are, each reading some hundreds of modules;
Celery and Flask are most of a process's memory.
""",
    run=run,
)
