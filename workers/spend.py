"""Spend: what each ad cost on each day, pulled from Meta and kept.

A pull is a state in the account's row: its days, the cursor of its next page, the report Meta prepares for it. So a
worker never waits for Meta's report, and one that dies loses a page at most. Figures change for 28 days
(docs/decisions/0020-spend-is-pulled-again-for-28-days.md), so every pull takes that many again.
"""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.capi.answers import Answer, Verdict
from shared.capi.insights import (
    InsightRow,
    UnreadableError,
    ads_of,
    ads_query,
    insights_query,
    next_cursor,
    rows_of,
)
from shared.crypto import CannotDecrypt
from shared.db.ad_accounts import AdAccount, claim_account, finish_pull, put_off_pull, save_pull
from shared.db.ads import Ad, ads_to_refresh, mark_refreshed, save_ads
from shared.db.credentials import credential_by_id, record_usage
from shared.db.spend import Spend, close_days, open_days, save_spend
from shared.domain.reasons import spend_reason
from shared.logs import get_logger
from workers.runtime import Runtime

log = get_logger(__name__)

#: Meta's figures are final after 28 days.
AGAIN_DAYS = 28
#: The first pull of an account takes this many days.
FIRST_DAYS = 90
#: Meta keeps insights for 37 months.
LONGEST_DAYS = 1100
#: Longer pulls are prepared by Meta as a report.
REPORT_FROM_DAYS = 45
EVERY_SECONDS = 3600.0
POLL_SECONDS = 15.0
LEASE_SECONDS = 120.0
DRAIN_SECONDS = 20.0
#: Names, status and creative are asked for once a day and ad, so many a request, at most so many requests a pull.
REFRESH_SECONDS = 24 * 3600.0
REFRESH_ADS = 50
REFRESH_REQUESTS = 10
#: What a person has to mend, or what would be refused again.
_LASTING = frozenset({Verdict.CONFIG, Verdict.DROP, Verdict.SPLIT_DROP, Verdict.SPLIT_CONFIG})
_LASTING_RETRY_SECONDS = 1800.0
_USUAL_RETRY_SECONDS = 300.0
_TOO_MUCH = 1487534


class _RefusedError(Exception):
    """Meta gave no usable answer. Only the reason code is in the text."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer


class _WaitError(Exception):
    """Meta prepares the report; the pull goes on when it may be ready."""


class _LostError(Exception):
    """Another worker has the account: this one may write nothing more."""


def sync_due(runtime: Runtime, *, seconds: float = DRAIN_SECONDS, overdue_seconds: float = 0) -> int:
    """Pulls the accounts that are due (for `overdue_seconds` already) until the time is over; how many it looked at."""
    ends = time.monotonic() + seconds
    looked_at = 0
    while not runtime.stopping.is_set() and time.monotonic() < ends:
        with runtime.pool.connection() as conn:
            account = claim_account(conn, seconds=LEASE_SECONDS, overdue_seconds=overdue_seconds)
        if account is None:
            break
        looked_at += 1
        _sync(runtime, account, ends)
    return looked_at


def _sync(runtime: Runtime, account: AdAccount, ends: float) -> None:
    token = _token(runtime, account)
    if token is None:
        _put_off(runtime, account, seconds=1800.0, error="cannot_decrypt")
        return
    try:
        _Pull(runtime, account, token).run(ends)
    except _RefusedError as refused:
        _refused(runtime, account, refused.answer)
    except _WaitError:
        _put_off(runtime, account, seconds=POLL_SECONDS)
    except UnreadableError as error:
        log.error("insights can't be read", account=account.name, field=str(error))
        _put_off(runtime, account, seconds=1800.0, error="insights_unreadable", start_over=True)
    except _LostError:
        log.warning("lost the lease of an ad account", account=account.name)


def _token(runtime: Runtime, account: AdAccount) -> str | None:
    assert account.credential_id is not None
    with runtime.pool.connection() as conn:
        credential = credential_by_id(conn, account.credential_id)
    assert credential is not None
    try:
        return runtime.token_ring.open(credential.token).decode()
    except CannotDecrypt:
        return None


def _refused(runtime: Runtime, account: AdAccount, answer: Answer) -> None:
    """Tries again later. A refusal that would be the same again starts the pull over, with no old cursor or report."""
    reason = spend_reason(answer.reason or "no_answer")
    lasts = answer.verdict in _LASTING
    usual = _LASTING_RETRY_SECONDS if lasts else _USUAL_RETRY_SECONDS
    seconds = float(answer.retry_after_seconds or usual)
    log.warning("spend not pulled", account=account.name, reason=reason, trace_id=answer.fbtrace_id, seconds=seconds)
    _put_off(runtime, account, seconds=seconds, error=reason, start_over=lasts)


def _put_off(
    runtime: Runtime, account: AdAccount, *, seconds: float, error: str | None = None, start_over: bool = False
) -> None:
    with runtime.pool.connection() as conn:
        put_off_pull(conn, account, seconds=seconds, error=error, start_over=start_over)


class _Pull:
    """One account's pull, from where its row says that it is. Each step is a request, then a transaction."""

    def __init__(self, runtime: Runtime, account: AdAccount, token: str) -> None:
        self._runtime = runtime
        self._account = account
        self._token = token

    def run(self, ends: float) -> None:
        """Goes on until the pull is whole, Meta prepares its report, or the time is over."""
        if self._account.sync_since is None:
            self._begin()
        if not self._is_prepared():
            raise _WaitError
        while self._take_page():
            if self._runtime.stopping.is_set() or time.monotonic() >= ends:
                _put_off(self._runtime, self._account, seconds=0)
                return
        self._refresh_ads()
        self._finish()

    def _begin(self) -> None:
        """Reads the account's own currency and zone, and chooses the days: the last 28, or more when asked."""
        facts = self._read(self._path(), {"fields": "name,currency,timezone_name"})
        zone, currency = _zone(facts.get("timezone_name")), facts.get("currency")
        if not isinstance(currency, str) or len(currency) != 3:
            raise UnreadableError("currency")
        until = datetime.now(ZoneInfo(zone)).date()
        self._keep(
            currency=currency,
            zone=zone,
            sync_since=_first_day(self._account, until),
            sync_until=until,
            sync_started_at=datetime.now(UTC),
            sync_cursor=None,
            sync_rows=0,
            report_run_id=None,
            report_percent=None,
        )

    def _is_prepared(self) -> bool:
        """Whether pages can be read: at once for a short pull, when Meta's report is ready for a long one."""
        since, until = self._days()
        if self._account.report_run_id is None:
            if (until - since).days < REPORT_FROM_DAYS:
                return True
            self._start_report()
            return False
        if self._account.report_percent == 100:
            return True
        status = self._read(self._account.report_run_id, {"fields": "async_status,async_percent_completion"})
        said = status.get("async_status")
        if said in ("Job Failed", "Job Skipped"):
            raise _RefusedError(Answer(verdict=Verdict.DROP, reason="report_failed"))
        is_ready = said == "Job Completed"
        percent = status.get("async_percent_completion")
        self._keep(report_percent=100 if is_ready else min(percent, 99) if isinstance(percent, int) else 0)
        return is_ready

    def _start_report(self) -> None:
        started = self._read(self._path("/insights"), insights_query(*self._days()), post=True)
        run_id = started.get("report_run_id")
        if not isinstance(run_id, str) or not run_id.isdigit():
            raise UnreadableError("report_run_id")
        self._keep(report_run_id=run_id, report_percent=0)

    def _take_page(self) -> bool:
        """Reads one page and keeps it with the cursor of the next, in one transaction; whether there is a next."""
        query = insights_query(*self._days())
        if self._account.sync_cursor:
            query["after"] = self._account.sync_cursor
        path = f"{self._account.report_run_id}/insights" if self._account.report_run_id else self._path("/insights")
        try:
            page = self._read(path, query)
        except _RefusedError as refused:
            if refused.answer.subcode != _TOO_MUCH or self._account.report_run_id:
                raise
            # Too much for one answer: let Meta prepare it.
            self._start_report()
            raise _WaitError from None
        rows, after = rows_of(page), next_cursor(page)
        self._keep_page(rows, after)
        return after is not None

    def _keep_page(self, rows: list[InsightRow], after: str | None) -> None:
        account = self._account
        values: dict[str, Any] = {"sync_cursor": after, "sync_rows": account.sync_rows + len(rows)}
        with self._runtime.pool.connection() as conn:
            if not save_pull(conn, account, values, lease_seconds=LEASE_SECONDS):
                raise _LostError
            open_days(conn, account.id, sorted({row.day for row in rows}))
            save_spend(conn, [_spend(account.id, row) for row in rows])
            save_ads(conn, [_ad(account.id, row) for row in sorted(rows, key=lambda row: row.day)])
        self._account = replace(account, **values)

    def _refresh_ads(self) -> None:
        """Asks for status and creative of ads not asked for lately. That it fails is no reason to lose the spend."""
        for _ in range(REFRESH_REQUESTS):
            with self._runtime.pool.connection() as conn:
                ids = ads_to_refresh(conn, self._account.id, older_than_seconds=REFRESH_SECONDS, limit=REFRESH_ADS)
            if not ids or self._runtime.stopping.is_set():
                return
            try:
                found = ads_of(self._read(self._path("/ads"), ads_query(ids)))
            except (_RefusedError, UnreadableError) as error:
                log.warning("ads not refreshed", account=self._account.name, reason=str(error))
                return
            with self._runtime.pool.connection() as conn:
                save_ads(conn, [Ad(account_id=self._account.id, **ad.__dict__) for ad in found], refreshed=True)
                mark_refreshed(conn, self._account.id, ids)

    def _finish(self) -> None:
        since, until = self._days()
        assert self._account.sync_started_at is not None
        with self._runtime.pool.connection() as conn:
            if not save_pull(conn, self._account, {}, lease_seconds=LEASE_SECONDS):
                raise _LostError
            dropped = close_days(conn, self._account.id, since, until, started=self._account.sync_started_at)
            finish_pull(conn, self._account, again_seconds=EVERY_SECONDS)
        log.info("spend pulled", account=self._account.name, rows=self._account.sync_rows, dropped=dropped)

    def _keep(self, **values: Any) -> None:
        with self._runtime.pool.connection() as conn:
            if not save_pull(conn, self._account, values, lease_seconds=LEASE_SECONDS):
                raise _LostError
        self._account = replace(self._account, **values)

    def _days(self) -> tuple[date, date]:
        assert self._account.sync_since is not None
        assert self._account.sync_until is not None
        return self._account.sync_since, self._account.sync_until

    def _path(self, edge: str = "") -> str:
        return f"act_{self._account.meta_id}{edge}"

    def _read(self, path: str, query: dict[str, str], *, post: bool = False) -> dict[str, Any]:
        """One request; its answer's JSON object. Raises _RefusedError. No transaction is open meanwhile."""
        reading = self._runtime.graph.read(path, self._token, query, post=post)
        assert self._account.credential_id is not None
        with self._runtime.pool.connection() as conn:
            # The account waits for its own limit; the token's datasets go on sending, whose limit is another.
            record_usage(conn, self._account.credential_id, percent=reading.answer.usage.percent, throttle_seconds=None)
        if reading.content is None:
            raise _RefusedError(reading.answer)
        return reading.content


def _first_day(account: AdAccount, until: date) -> date:
    usual = until - timedelta(days=AGAIN_DAYS - 1)
    if account.synced_until is None:
        usual = until - timedelta(days=FIRST_DAYS - 1)
    elif account.synced_until < until:
        # After a long silence the days between were never pulled, and older ones have changed since.
        usual = min(usual, account.synced_until - timedelta(days=AGAIN_DAYS - 1))
    wanted = min(account.wanted_since or usual, usual)
    return max(wanted, until - timedelta(days=LONGEST_DAYS))


def _zone(name: object) -> str:
    try:
        ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        raise UnreadableError("timezone_name") from None
    return str(name)


def _spend(account_id: int, row: InsightRow) -> Spend:
    return Spend(
        account_id=account_id,
        day=row.day,
        level="ad",
        object_id=row.ad_id,
        currency=row.currency,
        spend=row.spend,
        impressions=row.impressions,
        reach=row.reach,
        clicks=row.clicks,
        link_clicks=row.link_clicks,
        conversations_started=row.conversations_started,
        source="meta",
    )


def _ad(account_id: int, row: InsightRow) -> Ad:
    return Ad(
        account_id=account_id,
        ad_id=row.ad_id,
        ad_name=row.ad_name,
        ad_set_id=row.ad_set_id,
        ad_set_name=row.ad_set_name,
        campaign_id=row.campaign_id,
        campaign_name=row.campaign_name,
    )
