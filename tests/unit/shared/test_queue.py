"""The doorbell and Celery's settings."""

import time

import fakeredis
import pytest
from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.queue import (
    EXPIRES_SECONDS,
    REST_SECONDS,
    RING_SECONDS,
    TASKS,
    Bell,
    Work,
    make_celery,
    make_publisher,
    make_redis,
)

REDIS_URL = "redis://127.0.0.1:1/0"


class RecordingCelery:
    """Takes rings where Celery stands; `error` is raised instead."""

    def __init__(self):
        self.sent = []
        self.error = None

    def send_task(self, name, **options):
        if self.error is not None:
            raise self.error
        self.sent.append((name, options))


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def make_bell():
    server = fakeredis.FakeServer()
    redis, celery, clock = fakeredis.FakeRedis(server=server), RecordingCelery(), Clock()
    return Bell(redis, celery, monotonic=clock), server, redis, celery, clock


@pytest.mark.parametrize("work", list(Work))
def test_a_ring_names_the_task_and_queue_and_carries_nothing(work):
    bell, _, _, celery, _ = make_bell()
    assert bell.ring(work)
    assert celery.sent == [(TASKS[work], {"queue": work.queue, "expires": EXPIRES_SECONDS, "retry": False})]


def test_every_kind_of_work_has_its_task():
    assert set(TASKS) == set(Work)


def test_rings_for_the_same_work_are_one_until_somebody_answers():
    bell, _, _, celery, _ = make_bell()
    assert [bell.ring(Work.INTAKE) for _ in range(100)] == [True] * 100
    assert len(celery.sent) == 1
    bell.ring(Work.SENDING)
    assert len(celery.sent) == 2
    bell.answer(Work.INTAKE)
    bell.ring(Work.INTAKE)
    bell.ring(Work.SENDING)
    assert [name for name, _ in celery.sent] == ["intake.drain", "sending.drain", "intake.drain"]


def test_two_processes_share_one_bell():
    server, celery = fakeredis.FakeServer(), RecordingCelery()
    bells = [Bell(fakeredis.FakeRedis(server=server), celery) for _ in range(2)]
    for bell in bells:
        bell.ring(Work.INTAKE)
    assert len(celery.sent) == 1
    bells[1].answer(Work.INTAKE)
    bells[0].ring(Work.INTAKE)
    assert len(celery.sent) == 2


def test_a_ring_that_nobody_answers_wears_off():
    bell, _, redis, celery, _ = make_bell()
    bell.ring(Work.INTAKE)
    assert 0 < redis.pttl("ctwa:ring:intake") <= RING_SECONDS * 1000
    redis.pexpire("ctwa:ring:intake", 1)
    deadline = time.monotonic() + 5
    while redis.exists("ctwa:ring:intake"):
        assert time.monotonic() < deadline
    bell.ring(Work.INTAKE)
    assert len(celery.sent) == 2


def test_without_redis_a_ring_is_skipped_in_milliseconds_and_redis_is_left_alone_for_a_while():
    bell, server, _, celery, clock = make_bell()
    server.connected = False
    began = time.monotonic()
    assert not bell.ring(Work.INTAKE)
    assert time.monotonic() - began < 0.1
    server.connected = True
    clock.now += REST_SECONDS - 0.01
    assert not bell.ring(Work.INTAKE)
    clock.now += 0.02
    assert bell.ring(Work.INTAKE)
    assert len(celery.sent) == 1


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("away"),
        RedisTimeoutError("frozen"),
        OutOfMemoryError("full"),
        ReadOnlyError("replica"),
        ResponseError("MISCONF"),
        OperationalError("broker"),
        ConnectionResetError(),
    ],
)
def test_no_trouble_of_the_broker_is_raised_to_the_one_who_rings(error):
    bell, _, _, celery, _ = make_bell()
    celery.error = error
    assert not bell.ring(Work.SENDING)


def test_an_answer_that_redis_cannot_take_is_not_raised():
    bell, server, _, _, _ = make_bell()
    server.connected = False
    bell.answer(Work.INTAKE)


def test_a_defect_of_our_own_is_not_hidden_behind_the_bell():
    bell, _, _, celery, _ = make_bell()
    celery.error = TypeError("a defect")
    with pytest.raises(TypeError):
        bell.ring(Work.INTAKE)


SETTINGS = {
    # No result is kept anywhere, and nothing but JSON is read.
    "result_backend": None,
    "task_ignore_result": True,
    "task_store_errors_even_if_ignored": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    # The work is in Postgres: a ring is acknowledged before it is worked on, and never comes back.
    "task_acks_late": False,
    "task_reject_on_worker_lost": False,
    "task_publish_retry": False,
    "worker_prefetch_multiplier": 1,
    # A worker outlives any outage of its broker, and isn't killed in mid-POST by one.
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_channel_error_retry": True,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    # Flower sees, and can't touch.
    "worker_send_task_events": True,
    "task_send_sent_event": True,
    "worker_enable_remote_control": False,
    "enable_utc": True,
    "timezone": "UTC",
}


@pytest.mark.parametrize("make", [make_celery, make_publisher])
def test_celery_is_set_as_measured(make):
    conf = make(REDIS_URL).conf
    assert {name: conf[name] for name in SETTINGS} == SETTINGS


@pytest.mark.parametrize("make", [make_celery, make_publisher])
def test_time_limits_and_visibility_follow_on_each_other_and_no_socket_waits_for_ever(make):
    conf = make(REDIS_URL).conf
    transport = conf.broker_transport_options
    assert 25 < conf.task_soft_time_limit < conf.task_time_limit < transport["visibility_timeout"]
    for name in ("socket_timeout", "socket_connect_timeout"):
        assert 0 < transport[name] <= 5
    assert transport["retry_on_timeout"] is False


def test_a_publisher_gives_up_sooner_than_a_worker():
    conf = make_publisher(REDIS_URL).conf
    assert conf.broker_transport_options["socket_timeout"] <= 0.5
    assert conf.broker_connection_timeout <= 0.5


def test_a_publisher_inside_a_worker_does_not_take_the_place_of_the_workers_app():
    worker = make_celery(REDIS_URL)
    worker.set_current()
    make_publisher(REDIS_URL)
    assert current_app._get_current_object() is worker


def test_the_client_for_rings_gives_up_fast_and_does_not_try_again():
    settings = make_redis(REDIS_URL).connection_pool.connection_kwargs
    assert settings["socket_timeout"] <= 0.5
    assert settings["socket_connect_timeout"] <= 0.5


def test_every_ring_goes_to_the_queue_of_its_work():
    routes = make_celery(REDIS_URL).conf.task_routes
    assert routes == {name: {"queue": work.queue} for work, name in TASKS.items()}
