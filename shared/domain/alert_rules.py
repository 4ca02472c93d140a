"""What each kind of alert finds in the facts: pure rules, each with its threshold."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from shared.capi.verdicts import meaning_of
from shared.domain.alert_facts import AccountFacts, DatasetFacts, Facts
from shared.domain.deliveries import EXPIRES_AFTER
from shared.domain.reasons import PAUSES, explain

#: Pauses that end by themselves, and so often that one is no news.
_PASSING = frozenset({"throttle", "meta_down"})
#: So many pauses for an outage in a row, each longer than the one before, are one: about four minutes.
_OUTAGE_PAUSES = 3


#: Where there was never a message.
EVER = "ever"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a rule found. `at` is the time of the newest event behind it, None for a state that lasts.

    Numbers and names in `detail` fill the kind's words; nothing in it is secret or personal.
    """

    workspace: str | None
    subject: str
    detail: Mapping[str, Any]
    at: datetime | None = None


Find: TypeAlias = Callable[[Facts, float], Iterable[Finding]]


def failed(facts: Facts, threshold: float) -> Iterable[Finding]:
    """More of a dataset's events rejected than the threshold, in percent."""
    for one in facts.datasets:
        total = one.accepted + one.rejected
        if one.rejected and 100 * one.rejected > threshold * total:
            percent = round(100 * one.rejected / total, 1)
            yield _of_dataset(one, rejected=one.rejected, total=total, percent=percent)


def unknown(facts: Facts, threshold: float) -> Iterable[Finding]:
    """More outcomes unknown than the threshold."""
    for one in facts.datasets:
        if one.unknown > threshold:
            yield _of_dataset(one, count=one.unknown, age=_age(facts.now, one.unknown_since))


def paused(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Paused datasets, unless the pause passes by itself or is its token's."""
    for one in facts.datasets:
        # A token's pause is its credential's alert.
        lasts = one.pause_reason not in (None, "token") and (
            one.pause_reason not in _PASSING or one.pauses >= _OUTAGE_PAUSES
        )
        if lasts and one.pause_reason:
            reason = one.pause_detail if one.pause_detail and one.pause_reason not in _PASSING else one.pause_reason
            yield _of_dataset(one, pause=one.pause_reason, reason=reason, words=explain(reason).words)


def probe_failed(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Datasets whose last probe failed for a fault of the set-up."""
    for one in facts.datasets:
        reason = one.probe_result
        if reason and one.pause_reason is None and _is_set_up(reason):
            yield _of_dataset(one, reason=reason, words=explain(reason).words)


def _is_set_up(reason: str) -> bool:
    """Whether a probe's reason is a fault of the set-up that stays, and no outage that passes."""
    if match := re.fullmatch(r"meta_([0-9]{1,10})(?:_([0-9]{1,10}))?", reason):
        meaning = meaning_of(int(match[1]), int(match[2]) if match[2] else None)
        return meaning is not None and meaning.verdict in ("config", "split_config")
    return reason in PAUSES or reason == "token_malformed"


def token_invalid(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Credentials that Meta no longer takes."""
    for one in facts.credentials:
        if one.inspection == "invalid" or one.paused:
            yield Finding(workspace=one.workspace, subject=f"credential:{one.name}", detail={"datasets": one.paused})


def token_expiring(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Tokens that end within as many days as the threshold."""
    for one in facts.credentials:
        ends = min((at for at in (one.expires_at, one.data_access_expires_at) if at), default=None)
        if ends and ends < facts.now + timedelta(days=threshold):
            days = max((ends - facts.now).total_seconds() / 86400, 0)
            detail = {"days": round(days, 1), "expires_at": ends.isoformat(timespec="minutes")}
            yield Finding(workspace=one.workspace, subject=f"credential:{one.name}", detail=detail)


def queue_age(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Work that has waited for more minutes than the threshold."""
    for work, seconds in facts.queue_seconds.items():
        if seconds > threshold * 60:
            yield Finding(workspace=None, subject=f"queue:{work}", detail={"minutes": round(seconds / 60, 1)})


def expiring(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Unsettled deliveries too old for Meta within as many hours as the threshold."""
    for one in facts.datasets:
        if one.aging and one.oldest_event and one.oldest_event + EXPIRES_AFTER < facts.now + timedelta(hours=threshold):
            ends = (one.oldest_event + EXPIRES_AFTER).isoformat(timespec="minutes")
            yield _of_dataset(one, count=one.aging, first_expires_at=ends)


def no_ad_conversations(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Channels that were busy, and without an ad message for more hours than the threshold."""
    for one in facts.channels:
        if one.last_ad_at and one.week >= _OFTEN and facts.now - one.last_ad_at > timedelta(hours=threshold):
            detail = {"age": _age(facts.now, one.last_ad_at), "before": one.week}
            yield Finding(workspace=one.workspace, subject=f"channel:{one.name}", detail=detail)


#: A channel with so many ad messages in a week is missed when it has none.
_OFTEN = 7
#: A share of fewer messages than this says nothing.
_ENOUGH = 10


def click_id_fall(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Channels whose share of click ids fell by more percent than the threshold in a day."""
    for one in facts.channels:
        if one.yesterday_with_click_id < _ENOUGH or one.today < _ENOUGH:
            continue
        before, now = one.yesterday_with_click_id / one.yesterday, one.today_with_click_id / one.today
        if now <= before * (1 - threshold / 100):
            detail = {"before": round(100 * before), "now": round(100 * now), "messages": one.today}
            yield Finding(workspace=one.workspace, subject=f"channel:{one.name}", detail=detail)


def spool(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Webhooks that wait on a receiver's disk for more minutes than the threshold, or are set aside."""
    for one in facts.spools:
        lasts = one.bytes and one.since and facts.now - one.since > timedelta(minutes=threshold)
        if lasts or one.set_aside:
            detail = {"bytes": one.bytes, "set_aside": one.set_aside, "age": _age(facts.now, one.since)}
            yield Finding(workspace=None, subject=f"spool:{one.host}", detail=detail)


def unreadable(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Channels with as many unreadable webhooks as the threshold."""
    for one in facts.channels:
        if one.unreadable >= max(threshold, 1):
            yield Finding(
                workspace=one.workspace,
                subject=f"channel:{one.name}",
                detail={"count": one.unreadable},
                at=one.last_unreadable_at,
            )


def unknown_code(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Codes of Meta's that this version doesn't know."""
    for one in facts.codes:
        if meaning_of(one.code, one.subcode) is None:
            reason = f"meta_{one.code}" + ("" if one.subcode is None else f"_{one.subcode}")
            yield Finding(
                workspace=one.workspace,
                subject=f"dataset:{one.dataset}:{reason}",
                detail={"name": one.dataset, "code": reason, "count": one.count},
                at=one.last_at,
            )


def test_mode(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Datasets that send with a test event code."""
    for one in facts.datasets:
        if one.test_until and one.test_until > facts.now:
            yield _of_dataset(one, until=one.test_until.isoformat(timespec="minutes"))


def currency(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Channels with conversions in another currency than their own."""
    for one in facts.currencies:
        yield Finding(
            workspace=one.workspace,
            subject=f"channel:{one.channel}:{one.found}",
            detail={"name": one.channel, "found": one.found, "expected": one.expected, "count": one.count},
            at=one.last_at,
        )


def spend_without_conversations(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Ad accounts that spend, with no ad message for more hours than the threshold."""
    for one in facts.accounts:
        if one.spends and (one.last_ad_at is None or facts.now - one.last_ad_at > timedelta(hours=threshold)):
            yield _of_account(one, since=_age(facts.now, one.last_ad_at) if one.last_ad_at else EVER)


def capture_rate(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Ad accounts of whose conversations fewer percent were captured than the threshold."""
    for one in facts.accounts:
        if one.started >= _ENOUGH and 100 * one.captured < threshold * one.started:
            percent = round(100 * one.captured / one.started)
            yield _of_account(one, percent=percent, captured=one.captured, started=one.started)


def spend_sync(facts: Facts, threshold: float) -> Iterable[Finding]:
    """Ad accounts whose spend was not fetched for more hours than the threshold."""
    for one in facts.accounts:
        if one.synced_at and facts.now - one.synced_at > timedelta(hours=threshold):
            yield _of_account(one, age=_age(facts.now, one.synced_at))


def _of_account(account: AccountFacts, **detail: Any) -> Finding:
    return Finding(workspace=account.workspace, subject=f"ad_account:{account.name}", detail=detail)


def _of_dataset(dataset: DatasetFacts, **detail: Any) -> Finding:
    return Finding(workspace=dataset.workspace, subject=f"dataset:{dataset.name}", detail=detail)


def _age(now: datetime, since: datetime | None) -> str:
    seconds = (now - since).total_seconds() if since else 0.0
    for size, unit in ((86400, "d"), (3600, "h")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 60)} min"
