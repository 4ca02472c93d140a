"""What is acknowledged is there, whatever is killed, stopped, full or frozen."""

import os
import re
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import requests
from psycopg import sql

from shared.db.migrate import migrate
from shared.local.postgres import running_postgres
from shared.local.valkey import running_valkey
from tests.databases import with_database
from tests.integration.receiver.harness import (
    WHAPI,
    Proxy,
    Receiver,
    World,
    free_port,
    running,
    signature,
    wait_until,
)


class Load:
    """Senders that post numbered webhooks and note which were acknowledged."""

    def __init__(self, receiver: Receiver, *, senders: int = 8) -> None:
        self._receiver = receiver
        self._stop = threading.Event()
        self._numbers = iter(range(10**9))
        self._lock = threading.Lock()
        self.acknowledged: list[bytes] = []
        self.refused: list[int] = []
        self.seconds: list[float] = []
        self._threads = [threading.Thread(target=self._send) for _ in range(senders)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        session = requests.Session()
        url = f"{self._receiver.url}/webhooks/{WHAPI}"
        while not self._stop.is_set():
            with self._lock:
                body = b"load %d" % next(self._numbers)
            began = time.monotonic()
            try:
                answer = session.post(url, data=body, headers=signature(body), timeout=10)
            except requests.RequestException:
                session = requests.Session()
                time.sleep(0.05)
                continue
            with self._lock:
                if answer.status_code == 200:
                    self.acknowledged.append(body)
                    self.seconds.append(time.monotonic() - began)
                else:
                    self.refused.append(answer.status_code)

    def more(self, count: int, seconds: float = 30) -> None:
        """Waits until that many more were acknowledged."""
        goal = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= goal, seconds)


class Database:
    """A durable Postgres of this module alone, which can be stopped and started; `url` is the current test's."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._port = free_port()
        self._running = ExitStack()
        self.start()
        self.url = ""

    def start(self) -> None:
        self._server_url = self._running.enter_context(running_postgres(self._home, port=self._port))

    def stop(self) -> None:
        self._running.close()

    def make(self) -> None:
        """A fresh, migrated database."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self._server_url, autocommit=True) as conn:
            conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        self.url = with_database(self._server_url, name)
        with psycopg.connect(self.url) as conn:
            migrate(conn)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("durable") / "postgres")
    yield database
    database.stop()


@pytest.fixture
def database(server: Database) -> Iterator[Database]:
    server.make()
    yield server
    server.stop()
    server.start()


@pytest.fixture
def own_world(database: Database, tmp_path: Path) -> World:
    world = World(database.url, tmp_path)
    world.set_up()
    return world


def test_kill_9_under_load_loses_nothing_that_was_acknowledged(own_world: World) -> None:
    receiver = Receiver(own_world).start()
    try:
        with Load(receiver) as load:
            for _ in range(4):
                load.more(40)
                receiver.kill()
                receiver.start()
            load.more(10)
    finally:
        receiver.stop()
    kept = set(own_world.stored()) | {body for _, body in own_world.spooled()}
    assert len(load.acknowledged) > 150
    assert set(load.acknowledged) <= kept


def test_one_commit_serves_many_requests(own_world: World) -> None:
    with running(own_world) as receiver, Load(receiver, senders=24) as load:
        load.more(300)
    with psycopg.connect(own_world.owner_url) as conn:
        rows, commits = conn.execute("select count(*), count(distinct xmin::text) from webhooks").fetchone() or (0, 0)
    assert rows >= 300
    assert commits < rows * 0.6


def test_while_postgres_is_away_webhooks_are_spooled_and_drained_when_it_is_back(
    own_world: World, database: Database
) -> None:
    with running(own_world) as receiver:
        with Load(receiver, senders=4) as load:
            load.more(20)
            database.stop()
            load.more(100)
            assert wait_until(lambda: receiver.ready()["sink"] == "spool", 5)
            spooled = {webhook_id for webhook_id, _ in own_world.spooled()}
        assert load.refused == []
        assert sorted(load.seconds)[int(len(load.seconds) * 0.99)] < 2
        assert len(spooled) >= 100
        database.start()
        wait_until(lambda: not own_world.spooled())
        assert wait_until(lambda: receiver.ready()["sink"] == "postgres", 10)
    assert spooled <= own_world.stored_ids()
    assert sorted(own_world.stored()) == sorted(set(own_world.stored()))
    assert set(load.acknowledged) <= set(own_world.stored())


def test_a_cold_start_without_postgres_serves_the_known_channels(own_world: World, database: Database) -> None:
    with running(own_world) as receiver:
        assert receiver.post(b"before").status_code == 200
    database.stop()
    with running(own_world) as receiver:
        assert receiver.ready() == {
            "ready": True,
            "sink": "spool",
            "postgres": False,
            "spool": True,
            "channels": True,
        }
        assert receiver.post(b"while away").status_code == 200
        assert requests.post(f"{receiver.url}/webhooks/{WHAPI}", data=b"x", timeout=5).status_code == 401
        receiver.kill()
    assert [body for _, body in own_world.spooled()] == [b"while away"]
    database.start()
    # Another process drains what the killed one left.
    with running(own_world):
        wait_until(lambda: b"while away" in own_world.stored())
        wait_until(lambda: not own_world.spooled())


def test_a_first_start_without_postgres_asks_everybody_to_come_again(own_world: World, database: Database) -> None:
    database.stop()
    with running(own_world) as receiver:
        answer = receiver.post(b"x")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert receiver.ready()["ready"] is False
        database.start()
        wait_until(lambda: receiver.post(b"x").status_code == 200, 20)


def test_a_full_spool_acknowledges_nothing_and_says_when_to_come_again(own_world: World, database: Database) -> None:
    with running(own_world, SPOOL_MAX_BYTES="60000") as receiver:
        assert receiver.post(b"before").status_code == 200
        database.stop()
        answers = [receiver.post(b"%d " % number + bytes(3000)) for number in range(40)]
        codes = [answer.status_code for answer in answers]
        taken = codes.index(503)
        assert 0 < taken < 40
        assert set(codes) == {200, 503}
        assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code == 503)
        assert sum(path.stat().st_size for path in own_world.spool_dir.glob("*.spool")) <= 60_000
        assert receiver.output().count("nothing durable is left") == 1
        database.start()
        wait_until(lambda: len(own_world.stored()) == 1 + codes.count(200))
        wait_until(lambda: receiver.post(b"after").status_code == 200)
    kept = own_world.stored()
    for number, code in enumerate(codes):
        assert (b"%d " % number + bytes(3000) in kept) == (code == 200)


def test_a_drain_that_is_killed_is_finished_by_the_next_without_doubles(own_world: World, database: Database) -> None:
    with running(own_world) as receiver:
        database.stop()
        with Load(receiver, senders=16) as load:
            load.more(600, 60)
        receiver.kill()
    spooled = {webhook_id for webhook_id, _ in own_world.spooled()}
    database.start()
    with psycopg.connect(own_world.owner_url, autocommit=True) as conn:
        # Each insert takes a while, so that the kill falls into the drain.
        conn.execute(
            "create function slow() returns trigger language plpgsql as"
            " $$ begin perform pg_sleep(0.002); return new; end $$"
        )
        conn.execute("create trigger slow before insert on webhooks for each row execute function slow()")
    receiver = Receiver(own_world).start()
    try:
        wait_until(lambda: len(own_world.stored_ids() & spooled) > 0)
        receiver.kill()
        assert own_world.spooled()
        receiver.start()
        wait_until(lambda: not own_world.spooled(), 60)
    finally:
        receiver.stop()
    assert spooled <= own_world.stored_ids()
    assert sorted(own_world.stored()) == sorted(set(own_world.stored()))
    assert set(load.acknowledged) <= set(own_world.stored())


def test_a_torn_and_a_damaged_file_cost_only_what_they_hold(own_world: World, database: Database) -> None:
    with running(own_world) as receiver:
        database.stop()
        for number in range(10):
            assert receiver.post(b"number %d" % number).status_code == 200
        receiver.kill()
    (path,) = own_world.spool_dir.glob("*.spool")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data[:-3]))
    database.start()
    with running(own_world) as receiver:
        wait_until(lambda: len(own_world.stored()) == 8)
        wait_until(lambda: "spool file damaged" in receiver.output())
        assert "torn end of a spool file" in receiver.output()
    assert len(list(own_world.spool_dir.glob("*.damaged"))) == 1


def test_a_webhook_that_was_stored_although_it_was_spooled_too_is_there_once(
    own_world: World, database: Database
) -> None:
    proxy = Proxy(_port(database.url))
    with running(own_world, database_url=proxy.url(own_world.receiver_url)) as receiver:
        assert receiver.post(b"before").status_code == 200
        proxy.silent.set()
        began = time.monotonic()
        assert receiver.post(b"twin").status_code == 200
        assert time.monotonic() - began < 3
        assert b"twin" in own_world.stored()
        ((twin, _),) = [found for found in own_world.spooled() if found[1] == b"twin"]
        quick = time.monotonic()
        assert receiver.post(b"spooled").status_code == 200
        assert time.monotonic() - quick < 1
        proxy.silent.clear()
        wait_until(lambda: not own_world.spooled())
    assert twin in own_world.stored_ids()
    assert sorted(own_world.stored()) == [b"before", b"spooled", b"twin"]
    proxy.close()


def test_a_postgres_that_hears_nothing_costs_one_short_wait(own_world: World, database: Database) -> None:
    proxy = Proxy(_port(database.url))
    with running(own_world, database_url=proxy.url(own_world.receiver_url)) as receiver:
        proxy.deaf.set()
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda number: _timed(receiver, b"%d" % number), range(200)))
        assert {code for code, _ in answers} == {200}
        assert max(seconds for _, seconds in answers) < 4
        assert sorted(seconds for _, seconds in answers)[150] < 1
        proxy.deaf.clear()
        wait_until(lambda: len(own_world.stored()) == 200)
    proxy.close()


def test_a_read_only_postgres_is_spooled_for(own_world: World) -> None:
    with running(own_world) as receiver:
        with psycopg.connect(own_world.owner_url, autocommit=True) as conn:
            conn.execute(_alter(conn, "set default_transaction_read_only = on"))
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ctwa-receiver'"
            )
        for number in range(5):
            assert receiver.post(b"%d" % number).status_code == 200
        wait_until(lambda: "25006" in receiver.output() or receiver.post(b"more").status_code != 200, 15)
        with psycopg.connect(own_world.owner_url, autocommit=True) as conn:
            conn.execute("set default_transaction_read_only = off")
            conn.execute(_alter(conn, "reset default_transaction_read_only"))
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'ctwa-rec%'"
            )
        wait_until(lambda: not own_world.spooled())
        assert {b"%d" % number for number in range(5)} <= set(own_world.stored())


def test_a_frozen_redis_costs_no_request_anything(world: World, tmp_path: Path) -> None:
    with running_valkey(tmp_path / "valkey") as url, running(world, redis_url=url) as receiver:
        pid = int(redis.Redis.from_url(url).info("server")["process_id"])  # type: ignore[index]
        assert receiver.post(b"rings").status_code == 200
        client = redis.Redis.from_url(url)
        wait_until(lambda: client.llen("intake") == 1)
        os.kill(pid, signal.SIGSTOP)
        try:
            answers = [_timed(receiver, b"%d" % number) for number in range(100)]
        finally:
            os.kill(pid, signal.SIGCONT)
        assert {code for code, _ in answers} == {200}
        assert sorted(seconds for _, seconds in answers)[98] < 0.5
        client.close()


def test_it_stops_within_ten_seconds_and_finishes_what_it_began(own_world: World) -> None:
    receiver = Receiver(own_world).start()
    with psycopg.connect(own_world.owner_url) as conn:
        # The lock holds the commit up for a moment, during which the receiver is told to stop.
        conn.execute("lock table webhooks in share mode")
        with ThreadPoolExecutor(1) as pool:
            posted = pool.submit(receiver.post, b"in flight")
            wait_until(lambda: _is_waiting(own_world))
            receiver.process.terminate()
            time.sleep(0.2)
            conn.rollback()
            assert posted.result(10).status_code == 200
    assert receiver.process.wait(10) == 0
    receiver.stop()
    assert b"in flight" in own_world.stored() or b"in flight" in [body for _, body in own_world.spooled()]


def test_nobody_reads_a_secret_or_a_person_in_what_it_prints(own_world: World, database: Database) -> None:
    canaries = (
        "EAACanaryTokenCanaryToken0123456789",
        "4917012345678",
        "ARCanaryClickIdCanaryClickIdCanaryClickIdCanaryClickIdCanaryClickId",
        "personalcanary",
    )
    body = " ".join(canaries).encode()
    words = "-".join(canaries)
    with running(own_world, LOG_LEVEL="debug") as receiver:
        url = f"{receiver.url}/webhooks/{WHAPI}"
        headers = {"User-Agent": words, "X-Other": words, "Authorization": f"Bearer {words}", "Content-Type": words}
        for key in (WHAPI, "unknown-channel-00000000"):
            for sent in (headers, {**headers, **signature(body)}):
                for path in ("", f"/{words}", f"?token={words}&phone={words}"):
                    requests.post(f"{receiver.url}/webhooks/{key}{path}", data=body, headers=sent, timeout=5)
        requests.get(f"{receiver.url}/{words}", timeout=5)
        requests.post(url, data=body + bytes(4 * 10**6), headers=signature(body), timeout=5)
        receiver.raw(
            f"POST /webhooks/{WHAPI} HTTP/1.1\r\nHost: {words}\r\nContent-Length: 10\r\n\r\n{words[:5]}".encode(),
            seconds=0.3,
        )
        database.stop()
        assert receiver.post(body).status_code == 200
        database.start()
        wait_until(lambda: not own_world.spooled())
    output = receiver.output()
    assert "webhook refused" in output
    assert "webhooks stored" in output
    planted_by_us = [own_world.keys, WHAPI, *signature(body).values(), "receiver-password", own_world.receiver_url]
    for planted in (*canaries, *planted_by_us, "Traceback"):
        assert planted not in output, planted
    for path in own_world.spool_dir.iterdir():
        assert not re.search("|".join(canaries).encode(), path.read_bytes())


def _alter(conn: psycopg.Connection[Any], what: str) -> sql.Composed:
    return sql.SQL("alter database {} " + what).format(sql.Identifier(conn.info.dbname))


def _timed(receiver: Receiver, body: bytes) -> tuple[int, float]:
    began = time.monotonic()
    code = receiver.post(body).status_code
    return code, time.monotonic() - began


def _port(url: str) -> int:
    return int(psycopg.conninfo.conninfo_to_dict(url)["port"] or 0)


def _is_waiting(world: World) -> bool:
    with psycopg.connect(world.owner_url) as conn:
        row = conn.execute("select count(*) from pg_locks where not granted").fetchone()
    return bool(row and row[0])
