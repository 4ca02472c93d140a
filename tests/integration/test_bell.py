"""The bell over a real Valkey that is frozen, gone and back: nobody who rings waits for it."""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from shared.local.valkey import running_valkey
from shared.queue import REST_SECONDS, Bell, Work, make_publisher, make_redis

#: Two sockets may wait half a second each: the ring key's and the push's.
PATIENCE_SECONDS = 1.5


@pytest.fixture
def valkey(tmp_path) -> Iterator[str]:
    with running_valkey(tmp_path) as url:
        yield url


def bell_at(url):
    return Bell(make_redis(url), make_publisher(url))


def test_a_ring_is_one_small_message_in_the_queue_of_its_work(valkey):
    bell_at(valkey).ring(Work.INTAKE)
    redis = make_redis(valkey)
    (message,) = redis.lrange("intake", 0, -1)
    headers = json.loads(message)["headers"]
    assert headers["task"] == "intake.drain"
    assert headers["argsrepr"] == "()"
    assert headers["eta"] is None
    assert len(message) < 2000


def test_a_frozen_redis_holds_nobody_and_is_rung_again_when_it_thaws(valkey):
    bell, redis = bell_at(valkey), make_redis(valkey)
    bell.ring(Work.SENDING)
    process = int(redis.info("server")["process_id"])
    redis.delete("ctwa:ring:sending")
    os.kill(process, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert not bell.ring(Work.SENDING)
        assert time.monotonic() - began < PATIENCE_SECONDS
        began = time.monotonic()
        assert not bell.ring(Work.SENDING)
        assert time.monotonic() - began < 0.05
        bell.answer(Work.SENDING)
    finally:
        os.kill(process, signal.SIGCONT)
    deadline = time.monotonic() + REST_SECONDS + 10
    while not bell.ring(Work.SENDING):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_redis_that_is_not_there_costs_milliseconds():
    bell = bell_at("redis://127.0.0.1:1/0")
    began = time.monotonic()
    assert not bell.ring(Work.INTAKE)
    bell.answer(Work.INTAKE)
    assert time.monotonic() - began < 0.5
