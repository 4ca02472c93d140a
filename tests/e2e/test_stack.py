"""Starting and stopping: side by side, from a terminal, and when the supervisor is killed."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from shared.local.lock import is_free
from shared.local.postgres import running_postgres
from shared.local.stack import read_stack
from shared.local.valkey import running_valkey
from tests.e2e.local_stack import (
    LocalStack,
    Sample,
    alive,
    command,
    ctwa,
    environment,
    running_stack,
    tree,
    wait_until,
)

pytestmark = pytest.mark.timeout(300)

PROCESSES = {"postgres", "valkey", "receiver", "intake", "sending", "sweeper", "beat", "sandbox", "flower", "console"}


def test_two_stacks_run_side_by_side_and_share_nothing(stack: LocalStack, tmp_path: Path):
    with running_stack(tmp_path / "second") as second:
        assert not {*stack.record.addresses.values()} & {*second.record.addresses.values()}
        assert not {*stack.record.urls.values()} & {*second.record.urls.values()}
        ad = Sample("whapi")
        assert second.post("demo-whapi", ad.body) == 200
        wait_until(lambda: second.received(ad.click_id))
        assert stack.received(ad.click_id) == []
        assert second.channel("demo-whapi").key != stack.channel("demo-whapi").key


def test_ctrl_c_stops_everything_in_order_and_the_next_start_finds_what_was_stored(tmp_path: Path):
    state_dir = tmp_path / "state"
    with running_stack(state_dir) as before:
        ad = Sample("whapi")
        assert before.post("demo-whapi", ad.body) == 200
        wait_until(lambda: before.delivery(ad.message_id) == ("accepted", None))
        key = before.channel("demo-whapi").key
    started = subprocess.Popen(
        command("up", "--state-dir", str(state_dir)),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: (found := read_stack(state_dir)) and found.ready, 180.0, what="the second start")
        again = LocalStack(state_dir)
        assert again.channel("demo-whapi").key == key
        assert again.delivery(ad.message_id) == ("accepted", None)
        family = tree(started.pid)
        started.send_signal(signal.SIGINT)
        output, _ = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == 0
    assert not alive(family)
    assert output.count("Stopping.") == 1
    assert "was killed" not in output
    assert "Try next" in output
    assert "receiver | " in output


def test_killing_the_supervisor_leaves_no_process_behind(tmp_path: Path):
    with running_stack(tmp_path / "state") as stack:
        assert {process.name for process in stack.record.processes} == PROCESSES
        family = tree(stack.record.pid)
        assert {process.pid for process in stack.record.processes} <= {pid for pid, _ in family}
        os.kill(stack.record.pid, signal.SIGKILL)
        wait_until(lambda: not alive(family), 40.0, what="the end of every process")
        assert is_free(stack.state_dir)
        assert read_stack(stack.state_dir) is None


def test_down_without_a_stack_says_so_and_is_quiet_when_asked(tmp_path: Path):
    said = ctwa("down", "--state-dir", str(tmp_path / "none"))
    assert (said.returncode, "No local stack runs" in said.stdout) == (0, True)
    quiet = ctwa("down", "--quiet", "--state-dir", str(tmp_path / "none"))
    assert (quiet.returncode, quiet.stdout) == (0, "")


def test_up_prints_json_for_programs_and_takes_the_ports_it_is_given(stack: LocalStack, tmp_path: Path):
    shown = ctwa("up", "--json", "--state-dir", str(stack.state_dir))
    seen = json.loads(shown.stdout)
    assert seen["addresses"] == dict(stack.record.addresses)
    assert {channel["name"] for channel in seen["channels"]} >= {"demo-whapi", "demo-meta_cloud", "demo-guide"}
    taken = stack.record.addresses["receiver"].rpartition(":")[2]
    refused = ctwa("up", "--receiver-port", taken, "--state-dir", str(tmp_path / "other"))
    assert refused.returncode == 1
    assert f"port {taken}, wanted for receiver, is in use" in refused.stderr


def test_servers_that_are_named_are_used_and_another_stacks_roles_there_are_not_overwritten(tmp_path: Path):
    with running_postgres(tmp_path / "pg") as database_url, running_valkey(tmp_path / "valkey") as redis_url:
        named = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        with running_stack(tmp_path / "one", **named) as stack:
            assert {process.name for process in stack.record.processes} == PROCESSES - {"postgres", "valkey"}
            assert (stack.record.database_url, stack.record.redis_url) == (database_url, redis_url)
            ad = Sample("whapi")
            assert stack.post("demo-whapi", ad.body) == 200
            wait_until(lambda: stack.received(ad.click_id))
        done = ctwa("up", "--state-dir", str(tmp_path / "two"), **named)
        assert done.returncode == 1
        assert "ctwa_receiver has another password on this server" in done.stdout
        assert "RECEIVER_DB_PASSWORD" in done.stdout


def test_a_server_that_does_not_answer_is_named_and_nothing_is_left_running(tmp_path: Path):
    state_dir = tmp_path / "state"
    done = ctwa("up", "--state-dir", str(state_dir), REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert "REDIS_URL does not let us in" in done.stdout + done.stderr
    assert read_stack(state_dir) is None
    assert is_free(state_dir)
