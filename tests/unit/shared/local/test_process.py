from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from shared.local.launch import guard_command
from shared.local.privileges import Privileges
from shared.local.process import Process, ended_text, is_ready
from shared.local.supervisor import Plan, Supervisor


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "exited with code 0"),
        (3, "exited with code 3"),
        (137, "was ended by SIGKILL"),
        (143, "was ended by SIGTERM"),
        (255, "exited with code 255"),
    ],
)
def test_the_end_of_a_process_is_told_in_words(status, text):
    assert ended_text(status) == text


def raises() -> bool:
    raise ConnectionError


@pytest.mark.parametrize(
    ("ready", "answer"), [(None, True), (lambda: True, True), (lambda: False, False), (raises, False)]
)
def test_a_probe_that_fails_means_not_yet(ready, answer):
    assert is_ready(Process(name="receiver", command=["true"], ready=ready)) is answer


def test_the_environment_of_a_process_is_not_shown():
    assert "hunter2" not in repr(Process(name="receiver", command=["true"], env={"SECRET_KEYS": "hunter2"}))


def test_a_guarded_command_is_run_by_the_same_python_and_ends_with_the_command():
    line = guard_command(["sh", "-c", "x", "--", "y"], parent=os.getpid(), privileges=Privileges.NAMESPACE)
    assert line[:3] == [sys.executable, "-I", "-S"]
    assert "--privileges=namespace" in line
    assert line[line.index("--") + 1 :] == ["sh", "-c", "x", "--", "y"]


def test_two_processes_of_one_name_are_refused():
    twice = Process(name="receiver", command=["true"])
    with pytest.raises(ValueError, match="same name"):
        Supervisor(Path("unused"), Plan([twice, twice]))
