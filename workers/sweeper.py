"""The sweeper: a plain process that needs no Redis, `python -m workers sweeper`. Run as many as you like.

Every two seconds one of them (an advisory lock decides) takes back leases that ran out, ends what expired, and rings
for work that waits. Work that nobody answered for, or that could not be rung for, it does itself.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from shared.db import (
    claims,
    deliveries,
    delivery_counts,
    erasures,
    heartbeats,
    notifications,
    rollups,
    webhook_counts,
    webhooks,
)
from shared.db.alert_notices import has_due_notices
from shared.db.pool import connection_options
from shared.domain.deliveries import EXPIRES_AFTER
from shared.logs import configure_logs, get_logger
from shared.metrics import serve_metrics
from shared.queue import Work
from shared.settings import load_settings
from workers import alerts, erasing, intake, notices, notifying, sending, spend
from workers.metrics import BACKLOG, OLDEST_SECONDS, RECOVERED
from workers.runtime import NEEDS, Runtime, build_runtime

log = get_logger(__name__)

#: Work that has waited this long was rung for in vain.
IMPATIENT_SECONDS = 15.0
#: How long the sweeper works on each kind itself before it looks at the rest again.
OWN_WORK_SECONDS = 5.0
#: Webhooks older than intake's usual look-back are searched for this often.
LOOK_BACK_SECONDS = 60.0
#: Partitions are looked after this often here too: the calendar's task needs Redis.
UPKEEP_SECONDS = 3600.0
#: Spend that is overdue by this long is pulled here too, and looked for this often.
SPEND_OVERDUE_SECONDS = 900.0
SPEND_SECONDS = 30.0
#: At the end, a notice that is on its way is waited for so long; cut off, it is sent again.
GOODBYE_SECONDS = 5.0
#: Alerts are judged this often.
ALERTS_SECONDS = 30.0
#: A round that takes longer hangs, and ends the process, so that another one gets the lock.
LONGEST_ROUND_SECONDS = 180
#: An event without a value is sent again only when its answer has had this long to come late.
RESEND_AFTER_SECONDS = 30.0
#: How long one round adds up figures at most, and how many times as long it then rests: 5 % of a core at most.
ADD_UP_SECONDS = 3.0
ADD_UP_RESTS = 20
_LOCK = 7_226_292_002
_BACKLOGS = {
    Work.INTAKE: webhooks.webhook_backlog,
    Work.SENDING: deliveries.delivery_backlog,
    Work.ERASING: erasures.erasure_backlog,
    Work.NOTIFYING: notifications.notification_backlog,
}


class Sweeper:
    """Sweeps until `runtime.stopping` is set. `watchdog` is told before each round how many seconds it may take."""

    def __init__(self, runtime: Runtime, *, watchdog: Callable[[int], object] = lambda seconds: None) -> None:
        self._runtime = runtime
        self._watchdog = watchdog
        self._lock_connection: psycopg.Connection[Any] | None = None
        self._in_charge_since = 0.0
        self._looked_back_at = -LOOK_BACK_SECONDS
        self._kept_up_at = -UPKEEP_SECONDS
        self._pulled_at = -SPEND_SECONDS
        self._add_up_at = 0.0
        self._add_up_again_at = 0.0
        self._fills_zone = False
        self._alerts_at = -ALERTS_SECONDS
        self._courier: threading.Thread | None = None
        self._adder: threading.Thread | None = None

    def run(self) -> None:
        """Sweeps every `sweep_seconds`; an unreachable Postgres is waited for."""
        while not self._runtime.stopping.is_set():
            self._watchdog(LONGEST_ROUND_SECONDS)
            try:
                if self._is_in_charge():
                    self.sweep()
            except psycopg.Error as error:
                self._give_up_charge()
                log.warning("Postgres is away, trying again", error=type(error).__name__)
            self._runtime.stopping.wait(self._runtime.settings.sweep_seconds)
        self._give_up_charge()
        for thread in (self._courier, self._adder):
            if thread is not None:
                thread.join(timeout=GOODBYE_SECONDS)

    def _is_in_charge(self) -> bool:
        """Whether this process holds the lock. It keeps one connection for it: losing that gives the lock away."""
        if self._lock_connection is not None:
            self._lock_connection.execute("select 1")
            return True
        self._lock_connection = psycopg.connect(
            self._runtime.settings.database_url,
            autocommit=True,
            **connection_options("sweeper-lock", statement_seconds=5),
        )
        if self._lock_connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
            self._give_up_charge()
            return False
        self._in_charge_since = time.monotonic()
        log.info("sweeper is in charge")
        return True

    def _give_up_charge(self) -> None:
        if self._lock_connection is not None:
            self._lock_connection.close()
            self._lock_connection = None

    def sweep(self) -> None:
        """One round, cut short by the order to stop. A step that fails is told and tried again in the next one;
        it keeps no other from its turn."""
        steps = (
            self._recover,
            self._settle,
            self._see_to_intake,
            self._see_to_sending,
            self._see_to_erasing,
            self._see_to_notifying,
            self._keep_up,
            self._pull_spend,
            self._add_up,
            self._see_to_alerts,
        )
        for step in steps:
            if self._runtime.stopping.is_set():
                return
            try:
                step()
            except Exception as error:  # noqa: BLE001
                log.error("a step of the sweep failed", step=step.__name__.strip("_"), error=type(error).__name__)
        with self._runtime.pool.connection() as conn:
            heartbeats.beat(conn, "sweeper")

    def _recover(self) -> None:
        """Takes back what dead processes held. Not in the first moments after a (re)connect: while Postgres was away
        leases ran out under living processes, and these are about to write their answers."""
        if time.monotonic() - self._in_charge_since < self._runtime.settings.sweep_grace_seconds:
            return
        with self._runtime.pool.connection() as conn:
            recovered_webhooks = webhooks.recover_webhooks(conn)
            recovered = claims.recover_deliveries(conn)
            notifications.recover_notifications(conn)
        if recovered_webhooks or recovered:
            log.warning("leases ran out", webhooks=recovered_webhooks, deliveries=recovered)
            RECOVERED.labels("webhooks").inc(recovered_webhooks)
            RECOVERED.labels("deliveries").inc(sum(recovered.values()))

    def _settle(self) -> None:
        """What time alone changes: expiry, the one repetition that policy allows, the end of a global dry run."""
        with self._runtime.pool.connection() as conn:
            deliveries.expire_deliveries(conn, older_than_seconds=EXPIRES_AFTER.total_seconds())
            deliveries.resend_unknown(conn, after_seconds=RESEND_AFTER_SECONDS)
            if self._runtime.settings.sending == "on":
                deliveries.release_dry_runs(conn)

    def _keep_up(self) -> None:
        """Makes the next days of webhooks, so that none falls into the default partition while Redis or beat is out."""
        if time.monotonic() - self._kept_up_at < UPKEEP_SECONDS:
            return
        with self._runtime.pool.connection() as conn:
            webhooks.make_days(conn)
        self._kept_up_at = time.monotonic()

    def _pull_spend(self) -> None:
        """Pulls the spend that nobody came for, a little at a time: pulls are steps kept in their account's row."""
        if time.monotonic() - self._pulled_at >= SPEND_SECONDS:
            self._pulled_at = time.monotonic()
            spend.sync_due(self._runtime, seconds=OWN_WORK_SECONDS, overdue_seconds=SPEND_OVERDUE_SECONDS)

    def _add_up(self) -> None:
        """Adds what is new to its days, and has a thread add up again what changed: a day that takes longer than a
        round may must not hold up the sweeps. Each rests by itself; readers add up what is missing, or say as of when
        their figures are."""
        began = time.monotonic()
        if began >= self._add_up_at:
            more = self._refresh(began, again=False)
            with self._runtime.pool.connection() as conn:
                delivery_counts.add_up(conn)
                webhook_counts.add_up(conn)
            self._add_up_at = time.monotonic() + (0 if more else ADD_UP_RESTS * (time.monotonic() - began))
        is_adding = self._adder is not None and self._adder.is_alive()
        if time.monotonic() >= self._add_up_again_at and not is_adding:
            with self._runtime.pool.connection() as conn:
                for workspace, zone in rollups.missing_zones(conn):
                    rollups.add_zone(conn, workspace, zone)
                    self._fills_zone = True
            self._adder = threading.Thread(target=self._add_up_again, name="figures", daemon=True)
            self._adder.start()
            self._adder.join(timeout=ADD_UP_SECONDS)

    def _add_up_again(self) -> None:
        began = time.monotonic()
        more = False
        try:
            more = self._refresh(began, again=True)
        except Exception as error:  # noqa: BLE001 - nothing is lost: the notes of what changed are still there.
            log.error("adding days up again failed", error=type(error).__name__)
        # A new zone, once, is worth more: until it is done, its pages add up everything.
        self._fills_zone = self._fills_zone and more
        now = time.monotonic()
        self._add_up_again_at = now if self._fills_zone else now + ADD_UP_RESTS * (now - began)

    def _refresh(self, began: float, *, again: bool) -> bool:
        """Refreshes figures until there is nothing left or the round's time is over; whether there is more to do."""
        more = True
        while more and time.monotonic() - began < ADD_UP_SECONDS and not self._runtime.stopping.is_set():
            with self._runtime.pool.connection() as conn:
                more = rollups.refresh(conn, again=again).more
        return more

    def _see_to_alerts(self) -> None:
        """Judges alerts, and has notices sent in a thread: a mail server that hangs must not hold up the sweeps."""
        if time.monotonic() - self._alerts_at >= ALERTS_SECONDS:
            self._alerts_at = time.monotonic()
            alerts.evaluate(self._runtime)
        if self._courier is not None and self._courier.is_alive():
            return
        with self._runtime.pool.connection() as conn:
            due = has_due_notices(conn)
        if due:
            self._courier = threading.Thread(target=self._send_notices, name="notices", daemon=True)
            self._courier.start()

    def _send_notices(self) -> None:
        try:
            notices.send_due(self._runtime)
        except Exception as error:  # noqa: BLE001 - the notice's lease runs out, and it is sent again.
            log.error("sending notices failed", error=type(error).__name__)

    def _see_to_intake(self) -> None:
        self._see_to(Work.INTAKE)

    def _see_to_sending(self) -> None:
        self._see_to(Work.SENDING)

    def _see_to_erasing(self) -> None:
        self._see_to(Work.ERASING)

    def _see_to_notifying(self) -> None:
        self._see_to(Work.NOTIFYING)

    def _see_to(self, work: Work) -> None:
        """Rings for work that waits; does it here when the bell is out of order or nobody comes."""
        with self._runtime.pool.connection() as conn:
            backlog = _BACKLOGS[work](conn)
        BACKLOG.labels(work.value).set(backlog.waiting)
        OLDEST_SECONDS.labels(work.value).set(backlog.oldest_seconds)
        if backlog.waiting == 0:
            return
        rung = self._runtime.bell.ring(work)
        if rung and backlog.oldest_seconds < IMPATIENT_SECONDS:
            return
        if work is Work.INTAKE:
            intake.drain(self._runtime, seconds=OWN_WORK_SECONDS, days=self._look_back_days())
        elif work is Work.ERASING:
            erasing.drain(self._runtime, seconds=OWN_WORK_SECONDS)
        elif work is Work.NOTIFYING:
            notifying.drain(self._runtime, seconds=OWN_WORK_SECONDS)
        else:
            sending.drain(self._runtime, seconds=OWN_WORK_SECONDS)

    def _look_back_days(self) -> int:
        if time.monotonic() - self._looked_back_at < LOOK_BACK_SECONDS:
            return 3
        self._looked_back_at = time.monotonic()
        return 400


def main() -> None:
    """The entry point: reads the environment, sweeps, and stops at SIGTERM or SIGINT."""
    settings = load_settings(os.environ, needs=NEEDS)
    configure_logs("sweeper", log_format=settings.log_format, level=settings.log_level)
    serve_metrics(settings)
    runtime = build_runtime(settings, process="sweeper", connections=4)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runtime.stopping.set())
    # A SIGALRM that nobody handles ends the process.
    Sweeper(runtime, watchdog=signal.alarm).run()
    runtime.close()


if __name__ == "__main__":
    main()
