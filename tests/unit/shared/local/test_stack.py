from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from shared.local.lock import held_lock
from shared.local.stack import Stack, StackProcess, read_stack, remove_stack, stack_file, write_stack


def make_stack(folder: Path) -> Stack:
    return Stack(
        pid=os.getpid(),
        started_at=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
        state_dir=folder,
        ready=True,
        processes=[StackProcess("receiver", 12, 3, ["granian", "receiver"])],
        urls={"console": "http://127.0.0.1:20001/"},
        addresses={"receiver": "127.0.0.1:20002"},
        database_url="postgresql://ctwa:hunter2@127.0.0.1:1/ctwa",
        redis_url="redis://:hunter2@127.0.0.1:2/0",
        extra={"admin": {"user": "ada"}},
    )


def test_the_record_is_read_back_as_it_was_written(tmp_path):
    with held_lock(tmp_path):
        write_stack(make_stack(tmp_path))
        assert read_stack(tmp_path) == make_stack(tmp_path)
    assert stack_file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert list(json.loads(stack_file(tmp_path).read_text())["processes"][0]) == ["name", "pid", "restarts", "command"]


def test_the_callers_own_values_stand_beside_the_others_and_hide_none(tmp_path):
    write_stack(replace(make_stack(tmp_path), extra={"token_file": "x", "pid": 1}))
    written = json.loads(stack_file(tmp_path).read_text())
    assert (written["token_file"], written["pid"]) == ("x", os.getpid())


def test_a_record_without_its_supervisor_is_no_stack(tmp_path):
    assert read_stack(tmp_path) is None
    write_stack(make_stack(tmp_path))
    assert read_stack(tmp_path) is None


def test_a_record_of_another_supervisor_than_the_one_that_runs_is_no_stack(tmp_path):
    write_stack(replace(make_stack(tmp_path), pid=os.getpid() + 1))
    with held_lock(tmp_path):
        assert read_stack(tmp_path) is None


def test_removing_the_record_twice_is_no_error(tmp_path):
    write_stack(make_stack(tmp_path))
    remove_stack(tmp_path)
    remove_stack(tmp_path)
    assert not stack_file(tmp_path).exists()


def test_a_record_does_not_show_passwords_when_printed(tmp_path):
    assert "hunter2" not in repr(make_stack(tmp_path))
