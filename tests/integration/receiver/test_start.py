"""How the receiver starts, under which servers, and what it says when it can't."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.integration.receiver.harness import Receiver, World, free_port, is_alive, running, wait_until


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"SECRET_KEYS": ""}, "SECRET_KEYS: is not set"),
        ({"SECRET_KEYS": "short"}, "SECRET_KEYS: key 1 is not 32 url-safe base64 bytes"),
        ({"DATABASE_URL": "", "MAX_BODY_BYTES": "1"}, "MAX_BODY_BYTES"),
        ({"SPOOL_DIR": "/proc/spool"}, "/proc/spool"),
    ],
)
def test_a_wrong_setting_is_named_at_the_start(world: World, settings: dict[str, str], said: str) -> None:
    receiver = Receiver(world, **settings)
    ended = subprocess.run(receiver.command, env=receiver.env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_named(world: World) -> None:
    with running(world) as receiver:
        ended = subprocess.run(
            receiver.command, env=receiver.env, capture_output=True, text=True, timeout=60, check=False
        )
    assert ended.returncode == 1
    assert "Address already in use" in ended.stderr
    assert f"('127.0.0.1', {receiver.port})" in ended.stderr


def test_several_workers_count_together_and_none_outlives_its_master(world: World, tmp_path: Path) -> None:
    metrics_port = free_port()
    counts = tmp_path / "metrics"
    counts.mkdir()
    settings = {"METRICS_PORT": str(metrics_port), "PROMETHEUS_MULTIPROC_DIR": str(counts)}
    with running(world, arguments=("--workers", "2"), **settings) as receiver:
        for number in range(60):
            assert receiver.post(b"%d" % number).status_code == 200
        assert requests.post(f"{receiver.url}/webhooks/unknown-channel-0000000", timeout=5).status_code == 404
        text = requests.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5).text
        counted = re.findall(r"^ctwa_webhooks_acknowledged_total\{(.*)\} (\S+)$", text, re.MULTILINE)
        assert counted == [('provider="whapi",sink="postgres"', "60.0")]
        assert 'ctwa_webhooks_refused_total{reason="unknown_channel"} 1.0' in text
        assert "ctwa_spool_bytes 0.0" in text
        assert world.folder.name not in text
        workers = receiver.workers()
        assert len(workers) == 2
        os.kill(receiver.process.pid, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(worker) for worker in workers), 15)


def test_a_worker_that_dies_is_replaced(world: World) -> None:
    with running(world) as receiver:
        (worker,) = receiver.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: receiver.workers() not in ([], [worker]), 20)
        wait_until(lambda: _answers(receiver), 20)
    assert b"after" in world.kept()


def test_the_same_view_under_a_plain_wsgi_server(world: World) -> None:
    receiver = Receiver(world)
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--blocking-threads", "8", "--factory"),
        *("--port", str(receiver.port), "--workers-kill-timeout", "5", "receiver.server:load_wsgi"),
    ]
    receiver.command = command
    receiver.start()
    try:
        for number in range(20):
            body = b"wsgi %d" % number
            assert receiver.post(body).status_code == 200
            assert body in world.kept()
    finally:
        receiver.stop()


def _answers(receiver: Receiver) -> bool:
    try:
        return receiver.post(b"after").status_code == 200
    except requests.ConnectionError:
        return False
