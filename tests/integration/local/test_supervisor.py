from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.local.stack import read_stack, stack_file

pytestmark = pytest.mark.timeout(90)

# A parent that ignores SIGTERM, with a child and a grandchild in sessions of their own that ignore it too.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
while True:
    time.sleep(60)
"""
NOTHING = {"step": "true"}
# Is ready only once another has started too.
MEETING = """
import pathlib, signal, time
folder = pathlib.Path({folder!r})
(folder / "{own}.there").touch()
while not (folder / "{other}.there").exists():
    time.sleep(0.01)
(folder / "{own}.met").touch()
signal.pause()
"""
# Says when it was asked to stop, in a file that all share.
WITNESS = """
import signal, sys, pathlib
def stop(number, frame):
    with open({order!r}, "a") as file:
        file.write({name!r} + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path({ready!r}).touch()
signal.pause()
"""


def row(name: str, code: str = "import signal; signal.pause()", **options: Any) -> dict[str, Any]:
    return {"name": name, "command": [sys.executable, "-c", code], **options}


def launcher(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def witness(folder: Path, name: str) -> dict[str, Any]:
    ready = str(folder / f"{name}.ready")
    return row(name, WITNESS.format(order=str(folder / "order"), name=name, ready=ready), ready_file=ready)


def test_the_record_tells_what_runs_and_goes_away_at_the_stop(harness):
    started, stack = harness.up([row("one")])
    assert stack.pid == started.pid
    assert (stack_file(harness.state).stat().st_mode & 0o777, harness.state.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [(process.name, process.restarts) for process in stack.processes] == [("one", 0)]
    assert Path(f"/proc/{stack.processes[0].pid}/cmdline").read_text().split("\0")[1] == "-c"
    assert (stack.urls, stack.extra) == ({"console": "http://127.0.0.1:1/"}, {"colour": "green"})
    started.send_signal(signal.SIGINT)
    assert started.wait(10) == 0
    assert read_stack(harness.state) is None
    assert not stack_file(harness.state).exists()


def test_tiers_stop_in_reverse_and_a_step_runs_between_them(harness):
    order = harness.folder / "order"
    plan = [
        witness(harness.folder, "low"),
        {"step": f"test -e {harness.folder}/low.ready && printf 'step ' >> {order}"},
    ]
    started, _ = harness.up([*plan, witness(harness.folder, "high")])
    started.terminate()
    assert started.wait(10) == 0
    assert order.read_text() == "step high low "


def test_the_processes_of_a_tier_start_together(harness):
    def waits_for(own, other):
        return row(own, MEETING.format(folder=str(harness.folder), own=own, other=other), ready_file=met(own))

    def met(name):
        return str(harness.folder / f"{name}.met")

    _, stack = harness.up([waits_for("one", "two"), waits_for("two", "one")])
    assert stack.ready


def test_output_goes_to_the_log_and_with_a_prefix_to_the_terminal(harness):
    code = "import signal; print('good morning'); print('no line end', end=''); signal.pause()"
    started, _ = harness.up([row("talker", code), row("a")])
    log = harness.state / "logs" / "talker.log"
    harness.wait_until(lambda: "good morning" in log.read_text())
    started.terminate()
    output = started.communicate(timeout=10)[0].splitlines()
    assert "talker | good morning" in output
    assert "talker | no line end" in output
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_process_that_ends_is_started_again_after_a_growing_delay(harness):
    started, stack = harness.up([row("worker"), row("failing", "raise SystemExit(3)")])
    os.kill(stack.processes[0].pid, signal.SIGKILL)

    def restarted():
        now = read_stack(harness.state)
        worker, failing = now.processes
        return worker if worker.pid and worker.restarts == 1 and failing.restarts >= 2 else None

    assert harness.wait_until(restarted).pid != stack.processes[0].pid
    started.terminate()
    output = started.communicate(timeout=10)[0]
    assert "worker was ended by SIGKILL; starting it again in 0.5 s (restart 1)" in output
    assert "failing exited with code 3; starting it again in 0.5 s (restart 1)" in output
    assert "failing exited with code 3; starting it again in 1 s (restart 2)" in output


def test_a_process_not_to_be_restarted_stays_down(harness):
    started, _ = harness.up([row("once", "raise SystemExit(0)", restart=False), row("other")])
    harness.wait_until(lambda: read_stack(harness.state).processes[0].pid == 0)
    started.terminate()
    assert "once exited with code 0\n" in started.communicate(timeout=10)[0]


def test_what_a_killed_process_left_running_is_gone_before_it_is_started_again(harness):
    _, stack = harness.up([row("stubborn", STUBBORN)])
    pid = stack.processes[0].pid
    family = harness.wait_until(lambda: found if len(found := harness.tree(pid)) == 3 else None)
    os.kill(pid, signal.SIGKILL)
    harness.wait_until(lambda: read_stack(harness.state).processes[0].restarts == 1)
    assert not harness.alive(family)


@pytest.mark.parametrize(
    ("then", "options", "reason"),
    [
        ("exit 7", {}, "late exited with code 7 before it was ready"),
        ("exec sleep 600", {"ready_seconds": 3}, "late was not ready in 3 s"),
    ],
)
def test_a_start_that_fails_says_why_and_stops_everything(harness, then, options, reason):
    late = {"name": "late", "command": ["sh", "-c", f"echo no such table; {then}"], "ready_file": "/nonexistent"}
    started = harness.start([row("first"), late | options, {"step": "true"}, row("never")])
    output = started.communicate(timeout=20)[0]
    assert started.returncode == 1
    assert reason in output
    assert "\n  no such table\n" in output
    assert "never" not in output
    assert not harness.tree(started.pid)
    assert not stack_file(harness.state).exists()


def test_a_program_that_does_not_exist_is_named(harness):
    started = harness.start([{"name": "ghost", "command": ["/nonexistent/program"]}])
    assert "cannot run /nonexistent/program: No such file or directory" in started.communicate(timeout=20)[0]
    assert started.returncode == 1


def test_a_failing_step_ends_the_start(harness):
    started = harness.start([row("first"), {"step": "exit 5"}, row("never")])
    assert "the step failed with code 5" in started.communicate(timeout=20)[0]
    assert started.returncode == 1


def test_a_stop_during_a_step_does_not_wait_for_the_step(harness):
    begun = harness.folder / "begun"
    started = harness.start([row("first"), {"step": f"touch {begun}; exec sleep 600"}])
    harness.wait_until(begun.exists)
    family = harness.tree(started.pid)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
    assert started.wait(10) == 130
    assert not harness.alive(family)


def test_a_process_that_ignores_the_stop_is_killed_with_all_it_started(harness):
    started, stack = harness.up([row("stubborn", STUBBORN, stop_seconds=0.5)])
    family = harness.wait_until(lambda: f if len(f := harness.tree(stack.processes[0].pid)) == 3 else None)
    started.terminate()
    assert "stubborn did not stop by itself and was killed" in started.communicate(timeout=10)[0]
    assert not harness.alive(family)


def test_a_second_ctrl_c_hurries(harness):
    started, _ = harness.up([row("stubborn", STUBBORN, stop_seconds=600)])
    log = harness.state / "logs" / "supervisor.log"
    started.send_signal(signal.SIGINT)
    harness.wait_until(lambda: "Press Ctrl-C again" in log.read_text())
    started.send_signal(signal.SIGINT)
    assert started.wait(10) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs PR_SET_PDEATHSIG")
def test_kill_9_of_the_supervisor_leaves_nothing_behind(harness):
    celery = ["-m", "celery", "--broker=redis://127.0.0.1:1/0", "worker", "--pool=prefork", "--concurrency=2"]
    (harness.folder / "wsgi.py").write_text("def app(environ, answer):\n    answer('200 OK', [])\n    return [b'']\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    granian = ["-m", "granian", "--interface", "wsgi", "--workers", "2", "--port", port, "wsgi:app"]
    plan: list[dict[str, Any]] = [
        {"embedded": True},
        row("stubborn", STUBBORN, stop_seconds=1),
        {"name": "celery", "command": [sys.executable, *celery], "stop_seconds": 2},
        {"name": "granian", "command": [sys.executable, *granian], "stop_seconds": 2},
    ]
    started, stack = harness.up(plan)
    pids = {process.name: process.pid for process in stack.processes}
    # Postgres's own helpers, the stubborn family, a pool of two, two workers: all there before the kill.
    for name, least in (("postgres", 4), ("stubborn", 3), ("celery", 3), ("granian", 3)):
        harness.wait_until(lambda name=name, least=least: len(harness.tree(pids[name])) >= least)
    family = harness.tree(started.pid)
    assert len(family) >= 1 + 5 + 4 + 1 + 3 + 3 + 3
    started.kill()
    started.wait()
    harness.wait_until(lambda: not harness.alive(family))
    assert read_stack(harness.state) is None


def test_servers_end_even_when_their_launchers_are_killed_with_the_supervisor(harness):
    started, stack = harness.up([{"embedded": True}])
    family = harness.tree(started.pid)
    for pid in (started.pid, *(launcher(process.pid) for process in stack.processes)):
        os.kill(pid, signal.SIGKILL)
    started.wait()
    harness.wait_until(lambda: not harness.alive(family))


def test_kill_9_of_a_launcher_leads_to_a_restart_and_no_second_copy(harness):
    _, stack = harness.up([row("worker")])
    pid = stack.processes[0].pid
    worker = harness.tree(pid)
    os.kill(launcher(pid), signal.SIGKILL)
    harness.wait_until(lambda: read_stack(harness.state).processes[0].restarts == 1)
    harness.wait_until(lambda: not harness.alive(worker))


def test_a_stack_whose_supervisor_was_killed_is_not_running_and_can_be_started_again(harness):
    started, stack = harness.up([row("stubborn", STUBBORN, stop_seconds=2)])
    harness.wait_until(lambda: len(harness.tree(stack.processes[0].pid)) == 3)
    family = harness.tree(started.pid)
    started.kill()
    started.wait()
    assert stack_file(harness.state).exists()
    assert read_stack(harness.state) is None
    _, again = harness.up([row("one")])
    assert again.pid != stack.pid
    assert not harness.alive(family), "the new stack began beside processes of the old one"


def test_a_second_supervisor_on_the_same_folder_is_told_who_runs(harness):
    _, stack = harness.up([row("one")])
    second = harness.start([row("one")])
    output = second.communicate(timeout=10)[0]
    assert second.returncode == 1
    assert f"already runs on {harness.state} (process {stack.pid})" in output
    assert f"kill {stack.pid}" in output
    assert read_stack(harness.state) == stack


def test_two_checkouts_run_side_by_side(harness):
    stacks = [harness.up([{"embedded": True}], harness.folder / name)[1] for name in ("a", "b")]
    for number, stack in enumerate(stacks):
        with psycopg.connect(stack.database_url) as conn:
            conn.execute("create table mine (number int)")
            conn.execute("insert into mine values (%s)", [number])
    for number, stack in enumerate(stacks):
        with psycopg.connect(stack.database_url) as conn:
            assert conn.execute("select number from mine").fetchall() == [(number,)]


def test_a_detached_stack_runs_on_after_its_start_and_is_stopped_from_elsewhere(harness):
    started = harness.start([{"embedded": True}, row("one")], "detached")
    output = started.communicate(timeout=30)[0]
    assert started.returncode == 0
    assert "postgres: started" in output
    assert "Ready in" in output
    stack = read_stack(harness.state)
    assert stack is not None
    assert stack.ready
    assert stack.pid != started.pid
    family = harness.tree(stack.pid)
    with psycopg.connect(stack.database_url) as conn:
        assert conn.execute("show fsync").fetchone() == ("on",)
    assert harness.down() == "stopped\n"
    assert not harness.alive(family)
    assert not stack_file(harness.state).exists()
    assert harness.down() == "nothing was running\n"


def test_a_detached_start_that_fails_says_why(harness):
    started = harness.start(
        [row("late", "print('no such table'); raise SystemExit(7)", ready_file="/none")], "detached"
    )
    output = started.communicate(timeout=20)[0]
    assert started.returncode == 1
    assert "late exited with code 7" in output
    assert "no such table" in output


def test_ctrl_c_during_a_detached_start_stops_it(harness):
    begun = harness.folder / "begun"
    started = harness.start([row("first"), {"step": f"touch {begun}; exec sleep 600"}], "detached")
    harness.wait_until(begun.exists)
    family = harness.tree(int((harness.state / "supervisor.lock").read_text()))
    started.send_signal(signal.SIGINT)
    assert started.wait(60) == 130
    assert "was killed" not in (harness.state / "logs" / "supervisor.log").read_text()
    harness.wait_until(lambda: not harness.alive(family))


def test_down_never_signals_a_process_that_only_has_the_old_pid(harness):
    harness.state.mkdir()
    innocent = harness.start([row("one")], state=harness.folder / "other")
    (harness.state / "supervisor.lock").write_text(f"{innocent.pid}\n")
    assert harness.down() == "nothing was running\n"
    assert innocent.poll() is None
