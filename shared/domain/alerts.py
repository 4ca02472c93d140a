"""What is an alert: the kinds, as a table; what each finds is in `alert_rules`. Adding one is one entry in `KINDS`.

`shared.db.alert_facts` gathers the facts, `workers.alerts` keeps what the rules find.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeAlias

from shared.domain import alert_rules
from shared.domain.alert_facts import Facts
from shared.domain.alert_rules import EVER, Find, Finding
from shared.domain.reasons import explain
from shared.domain.sentences import Sentence, sentence


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
    if detail.get("since") == EVER:
        values["since"] = sentence("ever")
    return Sentence.of(known.words, values)


def next_step(kind: str, detail: Mapping[str, Any]) -> str:
    """What to do about an alert: the reason's own step where it has a reason, else the kind's."""
    if reason := detail.get("reason"):
        return explain(str(reason)).next_step
    return KINDS[kind].next_step if kind in KINDS else sentence("Update to the version that knows it.")


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "failed": Kind(
            title="Events rejected, in 15 minutes",
            words="{percent} % of the events for dataset {name} were rejected in 15 minutes ({rejected} of {total}).",
            next_step="See why: ctwa deliveries --status rejected --since 1h",
            find=alert_rules.failed,
            threshold=5,
            most=100,
            unit="%",
        ),
        "unknown": Kind(
            title="Outcomes unknown",
            words="{count} deliveries to dataset {name} have an unknown outcome, the oldest for {age}.",
            next_step="Compare with Events Manager, then: ctwa deliveries resolve ID… --accepted|--not-taken|--resend",
            find=alert_rules.unknown,
            threshold=0,
            unit="deliveries",
        ),
        "dataset_paused": Kind(
            title="Dataset paused",
            words="Dataset {name} is paused: {words}",
            next_step="See: ctwa datasets list",
            find=alert_rules.paused,
        ),
        "probe_failed": Kind(
            title="Probe failed",
            words="The last probe of dataset {name} failed: {words}",
            next_step="See: ctwa doctor",
            find=alert_rules.probe_failed,
        ),
        "token_invalid": Kind(
            title="Token invalid",
            words="Meta no longer accepts the token of credential {name}; {datasets} datasets wait for it.",
            next_step="Make a new system-user token, then: ctwa credentials rotate NAME",
            find=alert_rules.token_invalid,
        ),
        "token_expiring": Kind(
            title="Token expires soon",
            words="The token of credential {name}, or its access to data, ends in {days} days ({expires_at}).",
            next_step="Make a new system-user token that does not expire, then: ctwa credentials rotate NAME",
            find=alert_rules.token_expiring,
            threshold=7,
            unit="days",
        ),
        "queue_age": Kind(
            title="Work waits",
            words="The oldest of {name} has waited for {minutes} minutes.",
            next_step="See what is up: ctwa status. Start the workers that are missing.",
            find=alert_rules.queue_age,
            threshold=5,
            unit="minutes",
        ),
        "expiring": Kind(
            title="Deliveries expire soon",
            words="{count} deliveries to dataset {name} are not settled and expire from {first_expires_at} on.",
            next_step="Mend what holds them up, a pause, a missing value or an unknown outcome: ctwa status",
            find=alert_rules.expiring,
            threshold=24,
            most=24,
            unit="hours left",
        ),
        "no_ad_conversations": Kind(
            title="No conversations from ads",
            words="Channel {name} has had no message from an ad for {age}; in the 7 days before it had {before}.",
            next_step="If the ads still run, look whether the provider still posts: ctwa doctor",
            find=alert_rules.no_ad_conversations,
            threshold=24,
            most=720,
            unit="hours",
        ),
        "spend_without_conversations": Kind(
            title="Ads cost, and nobody writes",
            words="Ad account {name} spends, and no message from an ad has come for: {since}.",
            next_step="Look whether the ads lead to this number and the provider still posts: ctwa doctor",
            find=alert_rules.spend_without_conversations,
            threshold=12,
            most=720,
            unit="hours",
        ),
        "capture_rate": Kind(
            title="Conversations that were not captured",
            words="Only {percent} % of the conversations that Meta says ads of account {name} started in 3 days were "
            "captured ({captured} of {started}).",
            next_step="Check the provider's attribution settings, and that the ads lead to a number here: ctwa doctor",
            find=alert_rules.capture_rate,
            threshold=70,
            most=100,
            unit="% at least",
        ),
        "spend_sync": Kind(
            title="Spend is not fetched",
            words="What ads of account {name} cost was last fetched {age} ago.",
            next_step="See why, and fetch it: ctwa spend sync",
            find=alert_rules.spend_sync,
            threshold=26,
            unit="hours",
        ),
        "click_id_fall": Kind(
            title="Fewer click ids than the day before",
            words="Only {now} % of channel {name}'s {messages} ad messages of the last day carry a click id; it was "
            "{before} % the day before.",
            next_step="Check the provider's attribution settings: ctwa doctor",
            find=alert_rules.click_id_fall,
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
            find=alert_rules.spool,
            threshold=2,
            unit="minutes",
        ),
        "webhooks_unreadable": Kind(
            title="Webhooks that can't be read, in 15 minutes",
            words="{count} webhooks of channel {name} could not be read in 15 minutes.",
            next_step="See why: ctwa webhooks --state rejected. They are kept: ctwa webhooks replay",
            find=alert_rules.unreadable,
            threshold=10,
            unit="webhooks",
        ),
        "unknown_code": Kind(
            title="Unknown codes of Meta's",
            words="Meta answered {code} for dataset {name} {count} times in a day, and this version does not know it.",
            next_step="Read Meta's words in ctwa delivery ID, and report the code with them.",
            find=alert_rules.unknown_code,
        ),
        "test_mode": Kind(
            title="Test mode is on",
            words="Dataset {name} sends with a test event code until {until}; Meta counts these events, we don't.",
            next_step="When you are done: ctwa datasets set NAME --test-event-code ''",
            find=alert_rules.test_mode,
        ),
        "currency_mismatch": Kind(
            title="Another currency than the channel's",
            words="{count} conversions of channel {name} came in {found} within a day; the channel's currency is "
            "{expected}.",
            next_step="Correct the source, or the channel: ctwa channels set NAME --currency CODE",
            find=alert_rules.currency,
        ),
    }
)
"""Every kind there is, the worst first."""
