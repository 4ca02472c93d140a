"""What is an alert: the kinds, as a table of pure rules over facts. Adding one is one entry in `KINDS`.

`shared.db.alert_facts` gathers the facts, `workers.alerts` keeps what the rules find.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeAlias

from shared.capi.verdicts import meaning_of
from shared.domain.alert_facts import AccountFacts, DatasetFacts, Facts
from shared.domain.deliveries import EXPIRES_AFTER
from shared.domain.reasons import PAUSES, explain
from shared.domain.sentences import Sentence, sentence

#: Pauses that end by themselves, and so often that one is no news.
_PASSING = frozenset({"throttle", "meta_down"})
#: So many pauses for an outage in a row, each longer than the one before, are one: about four minutes.
_OUTAGE_PAUSES = 3


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


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of alert.

    `title` is its name for a list of rules, `words` a template over a finding's subject and detail, `unit` what its
    threshold counts, `most` the highest that makes sense; without a default threshold there is none to set.
    """

    title: str
    words: str
    next_step: str
    find: Find
    threshold: float | None = None
    most: float = 1_000_000
    unit: str = ""


@dataclass(frozen=True)
class Setting:
    """Whether a kind is looked for in a workspace, and from where on."""

    enabled: bool
    threshold: Decimal | None = None


#: (workspace or None for all others, kind) -> what a person set.
Settings: TypeAlias = Mapping[tuple[str | None, str], Setting]


def find_all(facts: Facts, settings: Settings) -> list[tuple[str, Finding]]:
    """Everything the rules find, with its kind. A workspace's own setting counts before that for all."""
    found = []
    for name, kind in KINDS.items():
        workspaces = [workspace for workspace, of in settings if of == name and workspace is not None]
        for workspace in (None, *workspaces):
            enabled, threshold = effective(name, workspace, settings)
            if not enabled:
                continue
            for finding in kind.find(facts, threshold or 0.0):
                own = finding.workspace if finding.workspace in workspaces else None
                if own == workspace:
                    found.append((name, finding))
    return found


def effective(kind: str, workspace: str | None, settings: Settings) -> tuple[bool, float | None]:
    """Whether a kind is on in a workspace, and its threshold there."""
    setting = settings.get((workspace, kind)) or settings.get((None, kind)) or Setting(enabled=True)
    threshold = setting.threshold
    return setting.enabled, KINDS[kind].threshold if threshold is None else float(threshold)


def in_words(kind: str, subject: str, detail: Mapping[str, Any]) -> str:
    """What an alert says. A kind or a number that this version doesn't know is told as it is."""
    known = KINDS.get(kind)
    if known is None:
        return f"{kind} ({subject})."
    values = {"name": subject.partition(":")[2] or subject, **detail}
    if reason := detail.get("reason"):
        values["words"] = explain(str(reason)).words
    if detail.get("since") == _EVER:
        values["since"] = sentence("ever")
    return Sentence.of(known.words, values)


def next_step(kind: str, detail: Mapping[str, Any]) -> str:
    """What to do about an alert: the reason's own step where it has a reason, else the kind's."""
    if reason := detail.get("reason"):
        return explain(str(reason)).next_step
    return KINDS[kind].next_step if kind in KINDS else sentence("Update to the version that knows it.")


#: Where there was never a message.
_EVER = "ever"


def _failed(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.datasets:
        total = one.accepted + one.rejected
        if one.rejected and 100 * one.rejected > threshold * total:
            percent = round(100 * one.rejected / total, 1)
            yield _of_dataset(one, rejected=one.rejected, total=total, percent=percent)


def _unknown(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.datasets:
        if one.unknown > threshold:
            yield _of_dataset(one, count=one.unknown, age=_age(facts.now, one.unknown_since))


def _paused(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.datasets:
        # A token's pause is its credential's alert.
        lasts = one.pause_reason not in (None, "token") and (
            one.pause_reason not in _PASSING or one.pauses >= _OUTAGE_PAUSES
        )
        if lasts and one.pause_reason:
            reason = one.pause_detail if one.pause_detail and one.pause_reason not in _PASSING else one.pause_reason
            yield _of_dataset(one, pause=one.pause_reason, reason=reason, words=explain(reason).words)


def _probe_failed(facts: Facts, threshold: float) -> Iterable[Finding]:
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


def _token_invalid(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.credentials:
        if one.inspection == "invalid" or one.paused:
            yield Finding(workspace=one.workspace, subject=f"credential:{one.name}", detail={"datasets": one.paused})


def _token_expiring(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.credentials:
        ends = min((at for at in (one.expires_at, one.data_access_expires_at) if at), default=None)
        if ends and ends < facts.now + timedelta(days=threshold):
            days = max((ends - facts.now).total_seconds() / 86400, 0)
            detail = {"days": round(days, 1), "expires_at": ends.isoformat(timespec="minutes")}
            yield Finding(workspace=one.workspace, subject=f"credential:{one.name}", detail=detail)


def _queue_age(facts: Facts, threshold: float) -> Iterable[Finding]:
    for work, seconds in facts.queue_seconds.items():
        if seconds > threshold * 60:
            yield Finding(workspace=None, subject=f"queue:{work}", detail={"minutes": round(seconds / 60, 1)})


def _expiring(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.datasets:
        if one.aging and one.oldest_event and one.oldest_event + EXPIRES_AFTER < facts.now + timedelta(hours=threshold):
            ends = (one.oldest_event + EXPIRES_AFTER).isoformat(timespec="minutes")
            yield _of_dataset(one, count=one.aging, first_expires_at=ends)


def _no_ad_conversations(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.channels:
        if one.last_ad_at and one.week >= _OFTEN and facts.now - one.last_ad_at > timedelta(hours=threshold):
            detail = {"age": _age(facts.now, one.last_ad_at), "before": one.week}
            yield Finding(workspace=one.workspace, subject=f"channel:{one.name}", detail=detail)


#: A channel with so many ad messages in a week is missed when it has none.
_OFTEN = 7
#: A share of fewer messages than this says nothing.
_ENOUGH = 10


def _click_id_fall(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.channels:
        if one.yesterday_with_click_id < _ENOUGH or one.today < _ENOUGH:
            continue
        before, now = one.yesterday_with_click_id / one.yesterday, one.today_with_click_id / one.today
        if now <= before * (1 - threshold / 100):
            detail = {"before": round(100 * before), "now": round(100 * now), "messages": one.today}
            yield Finding(workspace=one.workspace, subject=f"channel:{one.name}", detail=detail)


def _spool(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.spools:
        lasts = one.bytes and one.since and facts.now - one.since > timedelta(minutes=threshold)
        if lasts or one.set_aside:
            detail = {"bytes": one.bytes, "set_aside": one.set_aside, "age": _age(facts.now, one.since)}
            yield Finding(workspace=None, subject=f"spool:{one.host}", detail=detail)


def _unreadable(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.channels:
        if one.unreadable >= max(threshold, 1):
            yield Finding(
                workspace=one.workspace,
                subject=f"channel:{one.name}",
                detail={"count": one.unreadable},
                at=one.last_unreadable_at,
            )


def _unknown_code(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.codes:
        if meaning_of(one.code, one.subcode) is None:
            reason = f"meta_{one.code}" + ("" if one.subcode is None else f"_{one.subcode}")
            yield Finding(
                workspace=one.workspace,
                subject=f"dataset:{one.dataset}:{reason}",
                detail={"name": one.dataset, "code": reason, "count": one.count},
                at=one.last_at,
            )


def _test_mode(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.datasets:
        if one.test_until and one.test_until > facts.now:
            yield _of_dataset(one, until=one.test_until.isoformat(timespec="minutes"))


def _currency(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.currencies:
        yield Finding(
            workspace=one.workspace,
            subject=f"channel:{one.channel}:{one.found}",
            detail={"name": one.channel, "found": one.found, "expected": one.expected, "count": one.count},
            at=one.last_at,
        )


def _spend_without_conversations(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.accounts:
        if one.spends and (one.last_ad_at is None or facts.now - one.last_ad_at > timedelta(hours=threshold)):
            yield _of_account(one, since=_age(facts.now, one.last_ad_at) if one.last_ad_at else _EVER)


def _capture_rate(facts: Facts, threshold: float) -> Iterable[Finding]:
    for one in facts.accounts:
        if one.started >= _ENOUGH and 100 * one.captured < threshold * one.started:
            percent = round(100 * one.captured / one.started)
            yield _of_account(one, percent=percent, captured=one.captured, started=one.started)


def _spend_sync(facts: Facts, threshold: float) -> Iterable[Finding]:
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


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "failed": Kind(
            title="Events rejected, in 15 minutes",
            words="{percent} % of the events for dataset {name} were rejected in 15 minutes ({rejected} of {total}).",
            next_step="See why: ctwa deliveries --status rejected --since 1h",
            find=_failed,
            threshold=5,
            most=100,
            unit="%",
        ),
        "unknown": Kind(
            title="Outcomes unknown",
            words="{count} deliveries to dataset {name} have an unknown outcome, the oldest for {age}.",
            next_step="Compare with Events Manager, then: ctwa deliveries resolve ID… --accepted|--not-taken|--resend",
            find=_unknown,
            threshold=0,
            unit="deliveries",
        ),
        "dataset_paused": Kind(
            title="Dataset paused",
            words="Dataset {name} is paused: {words}",
            next_step="See: ctwa datasets list",
            find=_paused,
        ),
        "probe_failed": Kind(
            title="Probe failed",
            words="The last probe of dataset {name} failed: {words}",
            next_step="See: ctwa doctor",
            find=_probe_failed,
        ),
        "token_invalid": Kind(
            title="Token invalid",
            words="Meta no longer accepts the token of credential {name}; {datasets} datasets wait for it.",
            next_step="Make a new system-user token, then: ctwa credentials rotate NAME",
            find=_token_invalid,
        ),
        "token_expiring": Kind(
            title="Token expires soon",
            words="The token of credential {name}, or its access to data, ends in {days} days ({expires_at}).",
            next_step="Make a new system-user token that does not expire, then: ctwa credentials rotate NAME",
            find=_token_expiring,
            threshold=7,
            unit="days",
        ),
        "queue_age": Kind(
            title="Work waits",
            words="The oldest of {name} has waited for {minutes} minutes.",
            next_step="See what is up: ctwa status. Start the workers that are missing.",
            find=_queue_age,
            threshold=5,
            unit="minutes",
        ),
        "expiring": Kind(
            title="Deliveries expire soon",
            words="{count} deliveries to dataset {name} are not settled and expire from {first_expires_at} on.",
            next_step="Mend what holds them up, a pause, a missing value or an unknown outcome: ctwa status",
            find=_expiring,
            threshold=24,
            most=24,
            unit="hours left",
        ),
        "no_ad_conversations": Kind(
            title="No conversations from ads",
            words="Channel {name} has had no message from an ad for {age}; in the 7 days before it had {before}.",
            next_step="If the ads still run, look whether the provider still posts: ctwa doctor",
            find=_no_ad_conversations,
            threshold=24,
            most=720,
            unit="hours",
        ),
        "spend_without_conversations": Kind(
            title="Ads cost, and nobody writes",
            words="Ad account {name} spends, and no message from an ad has come for: {since}.",
            next_step="Look whether the ads lead to this number and the provider still posts: ctwa doctor",
            find=_spend_without_conversations,
            threshold=12,
            most=720,
            unit="hours",
        ),
        "capture_rate": Kind(
            title="Conversations that were not captured",
            words="Only {percent} % of the conversations that Meta says ads of account {name} started in 3 days were "
            "captured ({captured} of {started}).",
            next_step="Check the provider's attribution settings, and that the ads lead to a number here: ctwa doctor",
            find=_capture_rate,
            threshold=70,
            most=100,
            unit="% at least",
        ),
        "spend_sync": Kind(
            title="Spend is not fetched",
            words="What ads of account {name} cost was last fetched {age} ago.",
            next_step="See why, and fetch it: ctwa spend sync",
            find=_spend_sync,
            threshold=26,
            unit="hours",
        ),
        "click_id_fall": Kind(
            title="Fewer click ids than the day before",
            words="Only {now} % of channel {name}'s {messages} ad messages of the last day carry a click id; it was "
            "{before} % the day before.",
            next_step="Check the provider's attribution settings: ctwa doctor",
            find=_click_id_fall,
            threshold=30,
            most=100,
            unit="% fall",
        ),
        "spool": Kind(
            title="Webhooks on a receiver's disk",
            words="{bytes} bytes of acknowledged webhooks wait on the disk of {name}, for {age}; {set_aside} files are "
            "set aside.",
            next_step="A receiver of that host drains them when Postgres is up; for files set aside see "
            "docs/operations.md.",
            find=_spool,
            threshold=2,
            unit="minutes",
        ),
        "webhooks_unreadable": Kind(
            title="Webhooks that can't be read, in 15 minutes",
            words="{count} webhooks of channel {name} could not be read in 15 minutes.",
            next_step="See why: ctwa webhooks --state rejected. They are kept: ctwa webhooks replay",
            find=_unreadable,
            threshold=10,
            unit="webhooks",
        ),
        "unknown_code": Kind(
            title="Unknown codes of Meta's",
            words="Meta answered {code} for dataset {name} {count} times in a day, and this version does not know it.",
            next_step="Read Meta's words in ctwa delivery ID, and report the code with them.",
            find=_unknown_code,
        ),
        "test_mode": Kind(
            title="Test mode is on",
            words="Dataset {name} sends with a test event code until {until}; Meta counts these events, we don't.",
            next_step="When you are done: ctwa datasets set NAME --test-event-code ''",
            find=_test_mode,
        ),
        "currency_mismatch": Kind(
            title="Another currency than the channel's",
            words="{count} conversions of channel {name} came in {found} within a day; the channel's currency is "
            "{expected}.",
            next_step="Correct the source, or the channel: ctwa channels set NAME --currency CODE",
            find=_currency,
        ),
    }
)
"""Every kind there is, the worst first."""
