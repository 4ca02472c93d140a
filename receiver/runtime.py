"""The receiver of one process, put together: built after the fork, started and stopped with the server."""

import threading

import psycopg

from receiver import metrics
from receiver.api import CallDoor
from receiver.channels import Channels
from receiver.drain import Drain
from receiver.health import Readiness
from receiver.inbox import Inbox
from receiver.keys import Keys
from receiver.known import Reader
from receiver.postgres import Postgres
from receiver.ringer import Ringer
from receiver.spool import Spool
from receiver.spool_report import SpoolReport
from receiver.webhooks import Door
from shared.crypto import KeyRing
from shared.db.api_keys import door_keys
from shared.db.channels import door_channels
from shared.limits import RefusalLimit
from shared.logs import get_logger
from shared.queue import Bell, make_publisher, make_redis
from shared.settings import Settings

log = get_logger(__name__)

#: The settings that a receiver can't do without.
NEEDS = ("DATABASE_URL", "SECRET_KEYS")
_UPKEEP_SECONDS = 1.0


class Runtime:
    """Everything one receiver process consists of."""

    def __init__(self, settings: Settings) -> None:
        ring = KeyRing(settings.secret_keys, name="SECRET_KEYS")
        self.ringer = _make_ringer(settings.redis_url)
        self.spool = Spool(settings.spool_dir, ring=ring, max_bytes=settings.spool_max_bytes)
        self.postgres = Postgres(settings.database_url)
        self.drain = Drain(settings.database_url, spool=self.spool, ring=ring)
        self._spool_report = SpoolReport(settings.database_url, settings.spool_dir)
        self.inbox = Inbox(postgres=self.postgres, spool=self.spool, stored=self.ring)
        self._channel_reader = Reader(settings.database_url, door_channels, name="receiver-channels")
        self.channels = Channels(read=self._channel_reader, ring=ring, folder=settings.spool_dir)
        self._key_reader = Reader(settings.database_url, door_keys, name="receiver-keys")
        self.keys = Keys(read=self._key_reader, ring=ring, folder=settings.spool_dir)
        self.readiness = Readiness(
            postgres=lambda: self.postgres.up,
            spool=self.spool.has_room,
            channels=lambda: self.channels.known,
        )
        self.door = Door(
            channels=self.channels,
            inbox=self.inbox,
            ring=ring,
            refusals=RefusalLimit(),
            max_body=settings.max_body_bytes,
            public_url=settings.public_url,
            trusted_proxies=settings.trusted_proxies,
        )
        self.call_door = CallDoor(
            keys=self.keys,
            inbox=self.inbox,
            ring=ring,
            refusals=self.door.refusals,
            max_body=settings.max_body_bytes,
            console_url=settings.console_url,
            trusted_proxies=settings.trusted_proxies,
        )
        self._closing = threading.Event()
        self._upkeep = threading.Thread(target=self._keep_up, name="upkeep", daemon=True)

    def start(self) -> None:
        """Connects, reads channels and keys, and starts the threads. Raises OSError without a folder for the spool."""
        self.spool.prepare()
        self.postgres.start()
        self.channels.start()
        self.keys.start()
        self.inbox.start()
        if self.ringer:
            self.ringer.start()
        self._upkeep.start()

    def stop(self) -> None:
        """Finishes what waits, and leaves the spool to whoever drains it next."""
        self.inbox.close()
        self._closing.set()
        self._upkeep.join(timeout=5)
        self.spool.hand_over()
        self.channels.close()
        self._channel_reader.close()
        self.keys.close()
        self._key_reader.close()
        self.postgres.close()
        if self.ringer:
            self.ringer.close()

    def ring(self) -> None:
        """Has intake rung for."""
        if self.ringer:
            self.ringer.ask()

    def _keep_up(self) -> None:
        while not self._closing.wait(_UPKEEP_SECONDS):
            size = self.spool.size()
            metrics.SPOOL_BYTES.set(size.bytes)
            metrics.SPOOL_FILES.set(size.files)
            if size.files and self.postgres.up:
                self._drain()
            if self.postgres.up:
                self._report()

    def _report(self) -> None:
        try:
            self._spool_report.run()
        except (psycopg.Error, OSError) as error:
            log.warning("the spool's size was not reported, trying again", error=type(error).__name__)

    def _drain(self) -> None:
        try:
            if self.drain.run():
                self.ring()
        except (psycopg.Error, OSError) as error:
            log.warning("spool not drained, trying again", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - one odd file must not end the drains of all later ones.
            log.error("drain failed, trying again", error=type(error).__name__)


def _make_ringer(redis_url: str) -> Ringer | None:
    if not redis_url:
        log.info("REDIS_URL is not set: nothing is rung for, the sweeper finds the work")
        return None
    return Ringer(Bell(make_redis(redis_url), make_publisher(redis_url)))
