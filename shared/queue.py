"""The doorbell: a Celery message that says which work to look at, and carries nothing else.

Postgres holds the work. A lost ring costs a sweep, a double one an empty look, so nothing here retries or blocks.
"""

import time
from collections.abc import Callable
from enum import StrEnum

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from shared.logs import get_logger

log = get_logger(__name__)

#: While this key lives, the bell counts as rung and further rings are dropped.
RING_SECONDS = 5
#: After a failed ring Redis is left alone for this long, so that a frozen server costs one timeout, not one a request.
REST_SECONDS = 2.0
#: A ring nobody answered in a minute is worthless: the sweeper has rung again by then.
EXPIRES_SECONDS = 60


class Work(StrEnum):
    """What can be rung for. The task's name is in TASKS."""

    INTAKE = "intake"
    SENDING = "sending"
    UPKEEP = "upkeep"
    ERASING = "erasing"
    NOTIFYING = "notifying"

    @property
    def queue(self) -> str:
        """The queue it is rung for in: what nobody waits for shares that of upkeep, served where the internet is."""
        return "upkeep" if self in (Work.ERASING, Work.NOTIFYING) else self.value


TASKS = {
    Work.INTAKE: "intake.drain",
    Work.SENDING: "sending.drain",
    Work.UPKEEP: "upkeep.prune",
    Work.ERASING: "erasing.drain",
    Work.NOTIFYING: "notifying.drain",
}


def make_celery(redis_url: str, *, current: bool = True) -> Celery:
    """The Celery app every process uses. Settings as measured in docs/decisions/0006-celery-settings.md.

    `current` makes it the one that `celery.current_app` means in this thread.
    """
    app = Celery("ctwa", broker=redis_url or None, set_as_current=current)
    app.conf.update(
        result_backend=None,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_serializer="json",
        accept_content=["json"],
        # The work is in Postgres: a late ack would only bring duplicates and slow restores.
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        task_soft_time_limit=45,
        task_time_limit=60,
        task_publish_retry=False,
        task_create_missing_queues=True,
        task_default_queue=Work.UPKEEP.value,
        task_routes={name: {"queue": work.queue} for work, name in TASKS.items()},
        broker_transport_options={
            "visibility_timeout": 300,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "retry_on_timeout": False,
            "health_check_interval": 25,
            "max_connections": 200,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
        },
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        # The defaults give up after 100 tries, and die of an OOM or READONLY answer.
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_pool_limit=4,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=1000,
        worker_max_memory_per_child=300_000,
        # Flower lives on these; remote control stays off, since it can revoke and shut down.
        worker_send_task_events=True,
        task_send_sent_event=True,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        timezone="UTC",
        enable_utc=True,
    )
    return app


def make_publisher(redis_url: str) -> Celery:
    """A Celery app for processes that only ring: its sockets give up fast, so that a frozen Redis can't hold them.

    Workers ring with one too, beside their own app, whose place it must not take.
    """
    app = make_celery(redis_url, current=False)
    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        "socket_timeout": 0.5,
        "socket_connect_timeout": 0.5,
    }
    app.conf.broker_connection_timeout = 0.5
    return app


def make_redis(redis_url: str) -> Redis:
    """A client for the ring keys, with short timeouts (redis-py 8 would wait 5 s and retry)."""
    return Redis.from_url(redis_url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=None)


class Bell:
    """Rings for work, at most once per RING_SECONDS until somebody answers. Safe to share between threads."""

    def __init__(self, redis: Redis, celery: Celery, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._celery = celery
        self._monotonic = monotonic
        self._resting_until = 0.0

    def ring(self, work: Work) -> bool:
        """True if the bell is rung now or still ringing; False if Redis could not take it (logged, never raised)."""
        if self._monotonic() < self._resting_until:
            return False
        try:
            if not self._redis.set(_key(work), "1", nx=True, ex=RING_SECONDS):
                return True
            self._celery.send_task(TASKS[work], queue=work.queue, expires=EXPIRES_SECONDS, retry=False)
        except (RedisError, OperationalError, OSError) as error:
            self._resting_until = self._monotonic() + REST_SECONDS
            log.warning("bell not rung, the sweeper will find the work", work=work.value, error=type(error).__name__)
            return False
        return True

    def answer(self, work: Work) -> None:
        """Lets the next ring through. A drain calls it before it looks, so that no work that comes later is missed."""
        try:
            self._redis.delete(_key(work))
        except (RedisError, OSError) as error:
            log.warning("bell not cleared, it clears itself", work=work.value, error=type(error).__name__)


def _key(work: Work) -> str:
    return f"ctwa:ring:{work.value}"
