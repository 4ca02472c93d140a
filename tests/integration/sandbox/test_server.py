import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

CLICK = "ARAkSyntheticClickId_0001"
TOKEN = "synthetic-token-of-this-test"
DEADLINE = 20
CONFIG = {
    "datasets": [{"id": "1000000000000001", "waba_id": "100000000000001"}],
    "tokens": [{"token": TOKEN}],
}


def lead(event_id: str) -> dict[str, Any]:
    return {
        "event_name": "LeadSubmitted",
        "event_time": int(time.time()),
        "event_id": event_id,
        "action_source": "business_messaging",
        "messaging_channel": "whatsapp",
        "user_data": {"whatsapp_business_account_id": "100000000000001", "ctwa_clid": CLICK},
    }


@contextlib.contextmanager
def process(folder: Path, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A sandbox of its own process; gives its URL once it serves."""
    log = folder / "log"
    with log.open("w") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "--port", "0", *arguments],
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield _url(log, running), running
    finally:
        running.kill()
        running.wait(timeout=DEADLINE)


def _url(log: Path, running: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + DEADLINE
    while "http://" not in log.read_text():
        assert running.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    url = log.read_text().split("API: ")[1].split()[0]
    assert requests.get(f"{url}/__sandbox/health", timeout=DEADLINE).json() == {"status": "ok"}
    return url


def post(url: str, events: list[dict[str, Any]], session: requests.Session | None = None) -> requests.Response:
    sender = session or requests
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return sender.post(f"{url}/v25.0/1000000000000001/events", json={"data": events}, headers=headers, timeout=DEADLINE)


def config_file(folder: Path) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIG))
    return path


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    arguments = ("--data-dir", str(tmp_path / "data"), "--config", str(config_file(tmp_path)))
    acknowledged: list[str] = []
    with process(tmp_path, *arguments) as (url, running):
        session = requests.Session()
        killer = threading.Timer(0.5, running.kill)
        killer.start()
        with contextlib.suppress(requests.ConnectionError):
            while len(acknowledged) < 100_000:
                event_id = f"lead-{len(acknowledged)}"
                assert post(url, [lead(event_id)], session).status_code == 200
                acknowledged.append(event_id)
        killer.join()
        session.close()
        assert running.wait(timeout=DEADLINE) == -signal.SIGKILL
        assert acknowledged
    with process(tmp_path, *arguments) as (url, _):
        found = requests.get(f"{url}/__sandbox/received", params={"limit": 10_000}, timeout=DEADLINE).json()
        kept = [row["event_id"] for row in found["events"]]
        assert kept[: len(acknowledged)] == acknowledged
        assert len(kept) - len(acknowledged) in (0, 1)
        assert found["totals"]["events_accepted"] == len(kept)
        assert post(url, [lead("lead-0")]).status_code == 200
        assert requests.get(f"{url}/__sandbox/received", timeout=DEADLINE).json()["totals"]["duplicates"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_even_while_a_call_hangs(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path, "--config", str(config_file(tmp_path))) as (url, running):
        fault = {"kind": "commit_then_hang"}
        assert requests.post(f"{url}/__sandbox/faults", json=fault, timeout=DEADLINE).status_code == 201
        with pytest.raises(requests.ReadTimeout):
            requests.post(
                f"{url}/v25.0/1000000000000001/events",
                json={"data": [lead("a")], "access_token": TOKEN},
                timeout=0.3,
            )
        running.send_signal(number)
        assert running.wait(timeout=DEADLINE) == 0


def test_nothing_secret_is_printed(tmp_path: Path) -> None:
    with process(tmp_path, "--config", str(config_file(tmp_path))) as (url, _):
        for body in ([lead("a")], [lead("a") | {"event_name": "Lead"}], [{}], [lead("\ud800")]):
            post(url, body)
        query = {"access_token": TOKEN}
        requests.post(f"{url}/v25.0/1/events", params=query, data=b"\xff", timeout=DEADLINE)
        requests.get(f"{url}/nowhere", params=query, timeout=DEADLINE)
        printed = (tmp_path / "log").read_text()
        assert TOKEN not in printed
        assert CLICK not in printed
        assert "Traceback" not in printed


@pytest.mark.parametrize("text", ["{", '{"datasets": [{"id": "abc"}]}', None])
def test_a_wrong_configuration_stops_the_start_with_the_place(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", "0", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 2
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_option() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--help"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    for option in ("--port", "--host", "--data-dir", "--config", "--keep"):
        assert option in done.stdout


def test_one_connection_serves_many_calls(graph: Any) -> None:
    place = urlsplit(graph.url)
    body = json.dumps({"data": []}).encode()
    one_call = (
        b"POST /v25.0/1000000000000001/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good-token\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    unread = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbytes"
    with socket.create_connection((place.hostname, place.port), timeout=DEADLINE) as sock:
        sock.sendall(one_call + unread + one_call.replace(b"Host: x", b"Connection: close"))
        content = b"".join(iter(lambda: sock.recv(65536), b""))
    assert content.count(b"HTTP/1.1 400 BAD REQUEST") == 3
    assert content.count(b"param data must be non-empty") == 2
    assert content.count(b"Connection: close") == 1


def test_a_session_keeps_its_connection(graph: Any) -> None:
    for number in range(5):
        graph.events([lead(str(number))])
    pools = graph.http.get_adapter(graph.url).poolmanager.pools
    assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118  not a dict


def test_a_chunked_body_is_taken(graph: Any) -> None:
    body = json.dumps({"data": [lead("a")]}).encode()
    headers = {"Authorization": "Bearer good-token", "Content-Type": "application/json"}
    parts = (body[:10], body[10:])
    for _ in range(2):
        answer = graph.events(None, json=None, data=iter(parts), headers=headers)
        assert answer.json()["events_received"] == 1


@pytest.mark.parametrize("length", [b"-1", b"x", b"99999999999"])
def test_a_wrong_content_length_harms_nobody(graph: Any, length: bytes) -> None:
    place = urlsplit(graph.url)
    with socket.create_connection((place.hostname, place.port), timeout=DEADLINE) as sock:
        sock.sendall(b"POST /v25.0/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %b\r\n\r\n" % length)
        sock.shutdown(socket.SHUT_WR)
        assert b" 4" in sock.recv(65536)[:15]
    assert graph.events([lead("a")]).json()["events_received"] == 1


def test_many_senders_at_once_lose_nothing(graph: Any) -> None:
    def send(sender: int) -> None:
        with requests.Session() as session:
            for number in range(10):
                events = [lead(f"{sender}-{number}-{part}") for part in range(5)]
                headers = {"Authorization": "Bearer good-token"}
                url = f"{graph.url}/v25.0/1000000000000001/events"
                session.post(url, json={"data": events}, headers=headers, timeout=DEADLINE).raise_for_status()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    totals = graph.control("GET", "received")["totals"]
    assert (totals["events_accepted"], totals["duplicates"], totals["requests"]) == (400, 0, 80)
    assert len({row["event_id"] for row in graph.received()}) == 400
