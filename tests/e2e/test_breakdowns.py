"""What breaks is mended by itself, and what was acknowledged is not lost."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.local_stack import LocalStack, Sample, running_stack, wait_until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    # Leases as short as the tests' patience: what a killed process held is taken back after them.
    settings = {"INTAKE_LEASE_SECONDS": "5", "SENDING_LEASE_SECONDS": "25", "SWEEP_GRACE_SECONDS": "1"}
    with running_stack(tmp_path_factory.mktemp("breakable") / "state", **settings) as stack:
        yield stack


@pytest.fixture
def breakable(running: LocalStack) -> LocalStack:
    """The stack, recovered from the test before. A dataset that still waits for Meta's return is not kept waiting."""
    wait_until(running.is_whole, 60.0, what="a whole stack")
    for (name,) in running.rows("select name from datasets where pause_reason is not null"):
        running.ctwa("datasets", "resume", name)
    return running


@contextmanager
def occupied(port: int) -> Iterator[None]:
    """Somebody else on a server's port who hangs up on every caller, so that the server can't come back."""
    closing = threading.Event()

    def hang_up() -> None:
        while not closing.is_set():
            try:
                listener.accept()[0].close()
            except TimeoutError:
                continue

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_until(lambda: _bound(listener, port), 10.0, what=f"port {port} free")
        listener.listen(64)
        listener.settimeout(0.1)
        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            yield
        finally:
            closing.set()
            thread.join()


def _bound(listener: socket.socket, port: int) -> bool:
    listener.bind(("127.0.0.1", port))
    return True


def test_work_flows_without_redis_and_by_the_bell_again_when_it_is_back(breakable: LocalStack):
    port = urlsplit(breakable.record.redis_url).port
    assert port is not None
    read_by_sweeper = breakable.counted("sweeper", "ctwa_messages_total")
    post = breakable.poster("demo-whapi")
    breakable.kill("valkey")
    with occupied(port):
        ads = [Sample("whapi") for _ in range(5)]
        assert [post(ad.body) for ad in ads] == [200] * 5
        for ad in ads:
            wait_until(lambda ad=ad: breakable.received(ad.click_id), what="the event of an ad without Redis")
        # The workers hear nothing, so the sweeper did it.
        assert breakable.counted("sweeper", "ctwa_messages_total") == read_by_sweeper + len(ads)
    wait_until(lambda: breakable.process("valkey").pid, 60.0, what="Valkey's return")
    before = breakable.counted("intake", "ctwa_messages_total")

    def rung_again() -> bool:
        ad = Sample("whapi")
        assert post(ad.body) == 200
        wait_until(lambda: breakable.received(ad.click_id), what="the event of an ad with Redis back")
        return breakable.counted("intake", "ctwa_messages_total") > before

    wait_until(rung_again, 60.0, what="a worker that hears the bell")


def test_what_was_acknowledged_is_there_after_postgres_was_killed(breakable: LocalStack):
    post = breakable.poster("demo-whapi")
    pid, acknowledged, ended = breakable.process("postgres").pid, [], threading.Event()

    def keep_posting() -> None:
        while not ended.is_set():
            ad = Sample("whapi")
            if post(ad.body) == 200:
                acknowledged.append(ad)

    poster = threading.Thread(target=keep_posting)
    poster.start()
    try:
        wait_until(lambda: len(acknowledged) >= 20)
        breakable.kill("postgres")
        wait_until(lambda: breakable.process("postgres").pid not in (0, pid), what="Postgres restarted")
        wait_until(lambda: breakable.rows("select 1"), what="Postgres answering")
        posted = len(acknowledged)
        wait_until(lambda: len(acknowledged) >= posted + 20)
    finally:
        ended.set()
        poster.join()
    assert "postgres was ended by SIGKILL; starting it again" in breakable.log("supervisor")
    ids = [ad.message_id for ad in acknowledged]
    query = "select count(*) from messages where message_id = any(%s)"
    wait_until(lambda: breakable.rows(query, ids) == [(len(ids),)], 60.0, what=f"{len(ids)} messages")
    wait_until(lambda: breakable.delivery(ids[-1]) == ("accepted", None), 60.0)


@pytest.mark.parametrize("name", ["intake", "sending", "sweeper", "receiver", "beat", "sandbox", "flower"])
def test_a_process_that_is_killed_is_started_again_and_said(breakable: LocalStack, name: str):
    restarts = breakable.process(name).restarts
    pid = breakable.kill(name)

    def back() -> bool:
        process = breakable.process(name)
        return process.pid not in (0, pid) and process.restarts == restarts + 1

    wait_until(back, what=f"{name} restarted")
    assert f"{name} was ended by SIGKILL; starting it again" in breakable.log("supervisor")


def test_an_ad_goes_the_whole_way_after_its_workers_were_killed(breakable: LocalStack):
    for name in ("intake", "sending"):
        breakable.kill(name)
    ad = Sample("whapi")
    assert wait_until(lambda: breakable.post("demo-whapi", ad.body)) == 200
    (event,) = wait_until(lambda: breakable.received(ad.click_id), 60.0)
    assert event["event_id"] == ad.token


def test_the_folder_of_the_stack_is_its_owners_alone(breakable: LocalStack):
    for path in (breakable.state_dir, Path(breakable.state_dir, "logs")):
        assert path.stat().st_mode & 0o077 == 0
    for name in ("stack.json", "secrets.json", "sandbox.json"):
        assert (breakable.state_dir / name).stat().st_mode & 0o077 == 0
