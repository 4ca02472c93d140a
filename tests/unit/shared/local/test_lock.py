from __future__ import annotations

import os
import subprocess

import pytest

from shared.local.lock import held_lock, is_free, running_pid
from shared.local.process import StackError


def test_the_lock_tells_who_holds_it_and_ends_with_the_block(tmp_path):
    assert is_free(tmp_path)
    assert running_pid(tmp_path) is None
    with held_lock(tmp_path):
        assert not is_free(tmp_path)
        assert running_pid(tmp_path) == os.getpid()
    assert is_free(tmp_path)
    assert running_pid(tmp_path) is None


def test_a_second_holder_is_refused_with_the_way_out(tmp_path):
    told = rf"\(process {os.getpid()}\).*ctwa down"
    with held_lock(tmp_path), pytest.raises(StackError, match=told), held_lock(tmp_path):
        raise AssertionError("two holders")


def test_a_lock_whose_supervisor_is_gone_is_waited_for(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    with held_lock(tmp_path):
        (tmp_path / "supervisor.lock").write_text(f"{ended.pid}\n")
        assert running_pid(tmp_path) is None
        assert not is_free(tmp_path)
        with pytest.raises(StackError, match=r"earlier local stack still hold"), held_lock(tmp_path, seconds=0.1):
            raise AssertionError("two holders")


def test_a_lock_file_that_nobody_holds_means_nothing(tmp_path):
    (tmp_path / "supervisor.lock").write_text(f"{os.getpid()}\n")
    assert running_pid(tmp_path) is None
